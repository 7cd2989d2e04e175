"""`POST /v1/routing/preview` and `POST /v1/routing/simulations`: what routing would do. Nothing stored changes."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local.client import Api
from infra.local.commands import simulate as command
from infra.local.stack import Stack
from tests.support.world import Context, World, order_body

PREVIEW, SIMULATIONS = "/v1/routing/preview", "/v1/routing/simulations"
LINES = [{"line_id": "1", "sku": "A", "quantity": 2}]
NOT_BERLIN = {"exclude_locations": ["berlin"]}


def places(answer: Any) -> list[str]:
    """The location of the first assignment of each route."""
    return [route["assignments"][0]["location_id"] for route in answer["routes"]]


def work(answer: Any) -> dict[str, dict[str, int]]:
    """Units per location, in force and proposed."""
    sides = ("in_force", "proposed")
    return {side: {each["location_id"]: each["units"] for each in answer[side]["locations"]} for side in sides}


def simulated(world: World, **body: Any) -> Any:
    before = world.items()
    answer = world.done("POST", SIMULATIONS, {"rules": NOT_BERLIN, **body})
    assert world.items() == before
    return answer


def test_a_preview_with_inventory_is_a_calculator(world: World) -> None:
    world.done("PUT", "/v1/routing/rule-groups/all", {"exclude_locations": ["lyon"]})
    answer = world.done("POST", PREVIEW, {"lines": LINES, "inventory": {"moon": {"A": 1}, "lyon": {"A": 2}}})
    assert places(answer) == ["lyon"]
    assert (answer["unallocated"], answer["proven"]) == ([], True)


def test_a_preview_shows_what_the_next_order_gets(world: World) -> None:
    before = world.items()
    assert places(world.done("POST", PREVIEW, {"lines": LINES})) == ["berlin", "lyon"]
    assert world.items() == before
    world.done("PUT", "/v1/routing/rule-groups/winter", NOT_BERLIN)
    answer = world.done("POST", PREVIEW, {"lines": LINES})
    assert places(answer) == ["lyon"]
    assert answer["routes"][0]["explanation"]["rule_group"] == "winter"
    world.place(order_body(quantities={"A": 2}))
    assert world.figures("A", "lyon") == (10, 2)


def test_a_preview_knows_the_channel_and_the_stock(world: World) -> None:
    world.done("PUT", "/v1/locations/lyon", {"name": "Lyon", "type": "warehouse", "groups": ["fr"]})
    world.done("PUT", "/v1/channels/web", {"location_group": "fr"})
    assert places(world.done("POST", PREVIEW, {"lines": LINES, "channel": "web"})) == ["lyon"]
    too_many = [{"line_id": "1", "sku": "A", "quantity": 21}]
    assert world.done("POST", PREVIEW, {"lines": too_many})["unallocated"] == [{"line_id": "1", "quantity": 1}]


def test_a_preview_leaves_out_a_location_that_is_full(world: World) -> None:
    world.done("PUT", "/v1/locations/berlin", {"name": "Berlin", "type": "warehouse", "capacity": {"orders": 1, "window": "day"}})
    assert places(world.done("POST", PREVIEW, {"lines": LINES})) == ["berlin", "lyon"]
    world.allocated(order_body(quantities={"A": 1}))
    assert places(world.done("POST", PREVIEW, {"lines": LINES})) == ["lyon"]


def test_past_orders_begin_with_what_they_took(world: World) -> None:
    shipped = world.allocated(order_body("W-1", quantities={"A": 4}))
    world.ship_all(shipped)
    world.place(order_body("W-2", quantities={"A": 6}))
    assert world.figures("A") == (6, 6)
    answer = simulated(world)
    assert work(answer) == {"in_force": {"berlin": 10}, "proposed": {"lyon": 10}}
    assert (answer["orders"], answer["left_out"], answer["changed_orders"], answer["continue_to"]) == (2, 0, 2, None)
    assert (answer["changed"][0]["order_id"], answer["changed"][0]["in_force"]) == (shipped["id"], {"berlin": 4})
    assert answer["stock"] == "what can be sold now and what these orders took"


def test_cancelled_and_declined_orders_are_none(world: World) -> None:
    world.place(order_body("W-1", quantities={"A": 4}, token="tok_decline"), status=402)
    assert simulated(world)["orders"] == 0


def test_the_newest_orders_of_the_time_asked_for(world: World) -> None:
    days = {f"W-{day}": f"2026-11-0{day}T12:00:00Z" for day in (1, 2, 3)}
    ids = [world.place(order_body(number, quantities={"A": 1}, placed_at=at))["id"] for number, at in days.items()]

    def seen(**body: Any) -> list[str]:
        return [each["order_id"] for each in simulated(world, **body)["changed"]]

    assert seen(**{"from": "2026-11-02"}) == ids[1:]
    assert seen(to="2026-11-02") == ids[:2]
    assert seen(**{"from": "2026-11-02", "to": "2026-11-02"}) == [ids[1]]
    answer = simulated(world, limit=2)
    assert [each["order_id"] for each in answer["changed"]] == ids[1:]
    assert seen(to=answer["continue_to"]) == ids[:1]


def test_a_rule_group_that_is_stored_beside_the_one_in_force(world: World) -> None:
    world.done("PUT", "/v1/routing/rule-groups/now", {"priority": 1, "exclude_locations": ["lyon"]})
    world.done("PUT", "/v1/routing/rule-groups/next", {"priority": 2, **NOT_BERLIN})
    world.place(order_body(quantities={"A": 1}))
    answer = world.done("POST", SIMULATIONS, {"rule_group_id": "next"})
    assert [answer[side]["rule_groups"] for side in ("in_force", "proposed")] == [["now"], ["next"]]
    assert work(answer) == {"in_force": {"berlin": 1}, "proposed": {"lyon": 1}}


def test_orders_and_stock_that_need_not_exist(world: World) -> None:
    orders = [{"id": "x", "lines": [{"line_id": "1", "sku": "NEW", "quantity": 3}], "placed_at": "2026-11-20T09:00:00Z"}]
    answer = simulated(world, orders=orders, inventory={"berlin": {"NEW": 5}, "moon": {"NEW": 5}})
    assert work(answer) == {"in_force": {"berlin": 3}, "proposed": {"moon": 3}}
    assert answer["stock"] == "as given"


def test_an_order_is_late_by_its_promise_and_the_location_it_would_go_to(world: World) -> None:
    world.done("PUT", "/v1/locations/lyon", {"name": "Lyon", "type": "warehouse", "processing_hours": 48})
    world.place(order_body(quantities={"A": 1}))
    answer = simulated(world)
    assert [(answer[side]["late_orders"], answer[side]["hours_late"]) for side in ("in_force", "proposed")] == [(0, 0), (1, 24)]


def test_a_simulation_stops_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.place(order_body(quantities={"A": 1}))
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: 5_000)
    answer = simulated(world)
    assert (answer["orders"], answer["left_out"]) == (0, 1)


def test_the_command_asks_the_stack_about_its_past_orders(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    class Asked(Api):
        def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
            return world.done("POST", path, body)

    monkeypatch.setattr(Stack, "running", lambda _: SimpleNamespace(api=lambda: Asked("http://localhost")))
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(NOT_BERLIN))
    for number, day in (("W-1", "2026-11-01"), ("W-2", "2026-11-02")):
        world.place(order_body(number, quantities={"A": 1}, placed_at=f"{day}T12:00:00Z"))
    parser = ArgumentParser()
    command.arguments(parser)
    capsys.readouterr()
    assert command.run(parser.parse_args([str(rules), "--from", "2026-11-01", "--to", "2026-11-02", "--limit", "1"])) == 0
    text = "\n".join(line for line in capsys.readouterr().out.splitlines() if not line.startswith("{"))
    assert "1 orders would have gone elsewhere" in text
    assert "berlin 1 -> lyon 1" in text
    assert "--to 2026-11-02T12:00:00.000Z" in text


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"rules": {}, "rule_group_id": "x"}, ""),
        ({"rule_group_id": "x"}, "/rule_group_id"),
        ({"rules": {"cost_table": "x"}}, "/rules/cost_table"),
        ({"rules": {}, "limit": 501}, "/limit"),
        ({"rules": {}, "from": "yesterday"}, "/from"),
        ({"rules": {}, "from": "2026-13-01"}, "/from"),
        ({"rules": {}, "limit": 1, "orders": [{"id": "x", "lines": LINES}]}, ""),
        ({"rules": {}, "orders": [{"id": "x", "lines": LINES}] * 2}, "/orders"),
        ({"rules": {}, "orders": [{"id": "x", "lines": LINES * 2}]}, "/orders/0/lines"),
        ({"rules": {}, "locations": [{"id": "x"}] * 2}, "/locations"),
        ({"rules": {}, "inventory": {"berlin": {"A": -1}}}, "/inventory/berlin/A"),
        ({"rules": {"colour": 1}}, "/rules/colour"),
    ],
)
def test_what_makes_no_sense_is_422(world: World, body: Any, pointer: str) -> None:
    answer = world.call("POST", SIMULATIONS, body)
    assert (answer.status, answer.pointers) == (422, {pointer})


def test_a_preview_of_a_cost_table_that_is_not_there_is_422(world: World) -> None:
    assert world.call("POST", PREVIEW, {"lines": LINES, "rules": {"cost_table": "x"}}).pointers == {"/rules/cost_table"}


def test_what_a_preview_is_given_twice_is_pointed_at(world: World) -> None:
    answer = world.call("POST", PREVIEW, {"lines": LINES * 2, "locations": [{"id": "x"}] * 2})
    assert (answer.status, answer.pointers) == (422, {"/lines", "/locations"})
