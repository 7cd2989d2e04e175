"""One intent, one effect: keys, order numbers, and the same request twice at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.world import Call, World, order_body

KEY = {"Idempotency-Key": "k-1"}


def orders(world: World) -> list[str]:
    return sorted(item["pk"]["S"] for item in world.items()["oms-orders"] if item["sk"]["S"] == "state#summary")


@pytest.mark.parametrize("headers", [{}, KEY])
def test_the_same_submit_again_answers_as_the_first_time(world: World, headers: dict[str, str]) -> None:
    first = world.call("POST", "/v1/orders", order_body(), headers=headers)
    before = world.items()
    again = world.call("POST", "/v1/orders", order_body(), headers=headers)
    assert (first.status, again.status) == (201, 201)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.body["id"], again.headers["etag"]) == (first.body["id"], first.headers["etag"])
    assert world.items() == before
    assert world.gateway.moved("authorize") == [3500]


def test_the_same_order_with_another_card_token_is_the_same_order(world: World) -> None:
    first = world.place(order_body())
    assert world.place(order_body(token="tok_capture_decline"))["id"] == first["id"]
    assert len(world.gateway.calls) == 1


def test_the_same_key_with_another_body_is_422(world: World) -> None:
    world.place(order_body(), headers=KEY)
    answer = world.call("POST", "/v1/orders", order_body("W-2"), headers=KEY)
    assert (answer.status, answer.body["type"]) == (422, "urn:oms:problem:idempotency-key-reused")
    assert len(orders(world)) == 1


def test_a_key_belongs_to_one_client(world: World) -> None:
    world.place(order_body(), headers=KEY, who="web")
    world.place(order_body("W-2"), headers=KEY, who="app")
    assert len(orders(world)) == 2


def test_the_same_number_with_other_content_is_409(world: World) -> None:
    world.place(order_body())
    before = world.items()
    answer = world.call("POST", "/v1/orders", order_body(quantities={"A": 3}))
    assert (answer.status, answer.body["type"]) == (409, "urn:oms:problem:duplicate-order-number")
    assert world.items() == before
    assert world.gateway.moved("authorize") == [3500]


def test_the_same_number_in_another_channel_is_another_order(world: World) -> None:
    world.place(order_body())
    world.place(order_body(channel="app"))
    assert len(orders(world)) == 2


def test_a_repetition_while_the_first_is_running_is_told_to_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second submit comes while the first one is at the gateway."""
    seen: list[Any] = []
    real = world.gateway.inner.perform

    def slow(*args: Any) -> Any:
        if not seen:
            seen.append(world.call("POST", "/v1/orders", order_body(), headers=KEY))
        return real(*args)

    monkeypatch.setattr(world.gateway.inner, "perform", slow)
    assert world.place(order_body(), headers=KEY)["status"] == "open"
    assert (seen[0].status, seen[0].headers["retry-after"]) == (409, "1")
    assert seen[0].body["type"] == "urn:oms:problem:in-progress"
    assert world.gateway.moved("authorize") == [3500]


@pytest.mark.parametrize("headers", [{}, KEY])
@pytest.mark.parametrize("seed", range(3))
def test_two_identical_submits_at_the_same_moment_make_one_order(world: World, headers: dict[str, str], seed: int) -> None:
    """Both stand ready to write before either does."""
    ready = threading.Barrier(2)
    waited = threading.local()

    def together(call: Call) -> None:
        if call.operation == "TransactWriteItems" and not getattr(waited, "done", False):
            waited.done = True
            ready.wait(5)

    with world.wire.watched(before=together), ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: world.call("POST", "/v1/orders", order_body(), headers=headers), range(2)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert 201 in {answer.status for answer in answers}
    assert all(answer.headers.get("retry-after") for answer in answers if answer.status == 409)
    assert len(orders(world)) == 1
    assert [len(calls) for calls in world.gateway.calls.values()] == [1]
    assert world.figures("A") == (10, 2)
    assert world.place(order_body(), headers=headers)["id"] == orders(world)[0]


def test_five_identical_submits_reserve_and_authorize_once(world: World) -> None:
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: world.call("POST", "/v1/orders", order_body()), range(5)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len(orders(world)) == 1
    assert world.gateway.moved("authorize") == [3500]
    assert world.figures("A") == (10, 2)


def test_a_command_with_a_key_acts_once(world: World) -> None:
    order = world.place(order_body())
    path = f"/v1/orders/{order['id']}/notes"
    first = world.call("POST", path, {"text": "call back"}, headers=KEY)
    again = world.call("POST", path, {"text": "call back"}, headers=KEY)
    assert (first.status, again.status, again.headers["idempotent-replayed"]) == (201, 201, "true")
    assert len(world.order(order["id"])["notes"]) == 1
    assert world.call("POST", path, {"text": "other"}, headers=KEY).status == 422
    world.done("POST", path, {"text": "call back"})
    assert len(world.order(order["id"])["notes"]) == 2


def test_a_shipment_sent_twice_is_one_shipment(world: World) -> None:
    order = world.allocated(order_body())
    fo = order["fulfillment_orders"][0]["id"]
    parcel = {"packages": [{"tracking_number": "T1", "lines": [{"line_id": "1", "quantity": 1}]}]}
    for headers in (KEY, KEY, {}):
        assert world.call("POST", f"/v1/fulfillment-orders/{fo}/ship", parcel, headers=headers).status == 200
    assert [parcel["tracking_number"] for parcel in world.order(order["id"])["shipments"]] == ["T1"]
    assert world.figures("A") == (9, 1)


def test_a_refused_command_uses_up_no_key(world: World) -> None:
    order = world.allocated(order_body())
    fo = order["fulfillment_orders"][0]["id"]
    too_many = {"packages": [{"tracking_number": "T1", "lines": [{"line_id": "1", "quantity": 3}]}]}
    right = {"packages": [{"tracking_number": "T1", "lines": [{"line_id": "1", "quantity": 2}]}]}
    assert world.call("POST", f"/v1/fulfillment-orders/{fo}/ship", too_many, headers=KEY).status == 409
    assert world.call("POST", f"/v1/fulfillment-orders/{fo}/ship", right, headers=KEY).status == 200


def test_two_parcels_shipped_at_the_same_moment_both_count(world: World) -> None:
    order = world.allocated(order_body())
    fo = order["fulfillment_orders"][0]["id"]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda number: world.ship(fo, {"1": 1}, number), ["T1", "T2"]))
    shipped = world.order(order["id"])
    assert [row["units"] for parcel in shipped["shipments"] for row in parcel["lines"]] == [[[1, 1]], [[2, 2]]]
    assert world.figures("A") == (8, 0)
