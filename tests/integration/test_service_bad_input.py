"""Nonsense to every service route: refused as problem details, every fault with its place in the body, and nothing written."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.orders import a_tax
from tests.support.world import JSON, Answer, World, order_body

LINE: JSON = {"line_id": "1", "quantity": 1, "reason": "r"}
BODIES: dict[str, JSON] = {
    "cancellations": {"lines": [LINE], "fees": [{"code": "f", "amount": 1}]},
    "adjustments": {"lines": [{"line_id": "1", "type": "amount_with_tax", "amount": -1, "reason": "r"}]},
    "returns": {"lines": [{**LINE, "resolution": "refund"}], "fees": [{"code": "f", "percent": "1"}], "location_id": "berlin"},
    "exchanges": {"return_lines": [LINE], "new_lines": [{"sku": "A", "quantity": 1, "unit_price": 1, "taxes": [a_tax()]}], "payments": []},
    "reshipments": {"lines": [LINE]},
    "refunds": {"amount": 1, "reason": "r", "lines": [{"line_id": "1", "amount": 1}], "to": "original"},
    "edits": {"operations": [{"op": "set_quantity", "line_id": "1", "quantity": 2}]},
    "holds": {"kind": "k", "reason": "r", "blocks": ["ship"]},
    "notes": {"text": "t"},
}
NONSENSE: list[Any] = ["", " ", "x", -1, 1.5, 10**30, True, [], {}, [None], ["x"], {"a": 1}, "\u0000", "e" * 5000]


def places(body: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a body."""
    rows = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, part in rows:
        yield (*path, name)
        yield from places(part, (*path, name))


def spoiled(body: JSON) -> Iterator[Any]:
    """The body with nonsense at each of its places, with one field less, with one more."""
    yield from ([], "x", 1, True, [body], {**body, "colour": "blue"})
    for path in places(body):
        for value in (*NONSENSE, None, "gone"):
            whole = copy.deepcopy(body)
            part: Any = whole
            for name in path[:-1]:
                part = part[name]
            if value == "gone" and isinstance(part, dict):
                del part[path[-1]]
            else:
                part[path[-1]] = value
            yield whole


def is_problem(answer: Answer) -> bool:
    """Problem details, and of a body that can be read each fault with its place."""
    known = answer.status in (400, 403, 404, 409, 422) and answer.body["type"].startswith("urn:oms:problem:")
    placed = all("pointer" in fault for fault in answer.body["errors"]) if answer.status == 422 else True
    return bool(known and placed)


@pytest.mark.parametrize("route", BODIES)
def test_every_service_route_says_what_is_wrong_and_where(world: World, route: str) -> None:
    order = world.delivered(order_body())
    path = f"/v1/orders/{order['id']}/{route}"
    told, before = 0, world.items()
    for body in spoiled(BODIES[route]):
        given = {**body, "preview": True} if isinstance(body, dict) and route not in ("holds", "notes") else body
        answer = world.call("POST", path, given)
        if answer.status < 300:
            continue  # it makes sense after all
        told += 1
        assert is_problem(answer), (body, answer)
    assert told > len(NONSENSE)
    assert world.items() == before or route in ("holds", "notes")


def test_claims_and_boxes_as_well(world: World) -> None:
    order = world.delivered(order_body())
    claim: JSON = {"kind": "damaged", "remedy": "refund", "lines": [LINE], "preview": True}
    ret = world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": [LINE]})
    world.done("POST", f"/v1/returns/{ret['id']}/approve")
    box: JSON = {"lines": [{"line_id": "1", "quantity": 1, "condition": "burnt"}]}
    for path, body in ((f"/v1/shipments/{order['shipments'][0]['id']}/claims", claim), (f"/v1/returns/{ret['id']}/receive", box)):
        for each in spoiled(body):
            answer = world.call("POST", path, each)
            assert is_problem(answer) or answer.status == 200, (each, answer)


@pytest.mark.parametrize(
    ("route", "body", "pointer"),
    [
        ("cancellations", {}, "/lines"),
        ("cancellations", {"all": True, "lines": [LINE]}, "/lines"),
        ("returns", {"lines": [LINE], "mode": "immediate", "label": True}, "/label"),
        ("returns", {"lines": [{**LINE, "condition": "damaged"}]}, "/mode"),
        ("refunds", {"amount": 1, "reason": "r", "quote_id": ""}, "/quote_id"),
    ],
)
def test_what_does_not_go_together_is_told_at_one_of_its_fields(world: World, route: str, body: JSON, pointer: str) -> None:
    order = world.delivered(order_body())
    answer = world.call("POST", f"/v1/orders/{order['id']}/{route}", body)
    assert (answer.status, answer.pointers) == (422, {pointer})


def test_it_is_said_in_words_of_json(world: World) -> None:
    order = world.delivered(order_body())
    for body, words in (({"lines": [1]}, "must be an object"), ({"lines": {"a": 1}}, "must be a list")):
        (fault,) = world.call("POST", f"/v1/orders/{order['id']}/returns", body).body["errors"]
        assert fault["detail"] == words
