"""A count below what is reserved: taken as the truth of the shelf, and one exception names the orders now short."""

from __future__ import annotations

from typing import Any

import pytest

from oms import clock
from tests.support.world import World, order_body


def placed(world: World, number: str, units: int) -> str:
    return str(world.place(order_body(number, quantities={"A": units}))["id"])


def open_exceptions(world: World) -> list[dict[str, Any]]:
    world.pump()
    return list(world.done("GET", "/v1/exceptions", query={"status": "open"})["data"])


@pytest.fixture
def short(world: World) -> tuple[World, list[str]]:
    """Three orders of 3, 4 and 3 at Berlin, which then turns out to hold 5."""
    orders = [placed(world, f"W-{n}", units) for n, units in ((1, 3), (2, 4), (3, 3))]
    world.stock("A", "berlin", 5)
    return world, orders


def test_the_count_stands_and_the_newest_orders_are_named(short: tuple[World, list[str]]) -> None:
    world, orders = short
    assert world.figures("A") == (5, 10)
    [problem] = open_exceptions(world)
    assert (problem["kind"], problem["status"]) == ("oversold", "open")
    [row] = problem["details"]
    assert (row["sku"], row["location_id"], row["on_hand"], row["reserved"], row["short"]) == ("A", "berlin", 5, 10, 5)
    assert row["orders"] == [{"order_id": orders[2], "units": 3}, {"order_id": orders[1], "units": 2}]


def test_the_same_news_again_raises_nothing_more(short: tuple[World, list[str]]) -> None:
    world, _ = short
    images = [image for image in world.wire.stream if image["pk"]["S"].startswith("sku_")]
    first = open_exceptions(world)
    world.relay(images)
    world.relay(images)
    assert open_exceptions(world) == first
    assert world.done("GET", f"/v1/exceptions/{first[0]['id']}") == first[0]


def test_nothing_more_is_sold_from_there_and_the_rest_still_ships(short: tuple[World, list[str]]) -> None:
    world, orders = short
    world.stock("A", "lyon", 0)
    assert world.call("POST", "/v1/orders", order_body("W-9", quantities={"A": 1})).status == 409
    assert world.step("allocate", "Allocate", orders[0]) == {"next": "allocated"}
    world.ship_all(world.order(orders[0]))
    assert world.figures("A") == (2, 7)


def test_more_than_the_last_count_found_cannot_leave_and_the_answer_says_what_to_do(short: tuple[World, list[str]]) -> None:
    world, orders = short
    world.stock("A", "berlin", 2)
    assert world.step("allocate", "Allocate", orders[0]) == {"next": "allocated"}
    [fo] = world.order(orders[0])["fulfillment_orders"]
    body = {"packages": [{"reference": "P", "lines": [{"line_id": "1", "quantity": 3}]}]}
    refused = world.call("POST", f"/v1/fulfillment-orders/{fo['id']}/ship", body)
    assert (refused.status, refused.body["type"]) == (409, "urn:oms:problem:count-too-low")
    assert "count again" in refused.body["detail"]
    world.stock("A", "berlin", 3)
    assert world.call("POST", f"/v1/fulfillment-orders/{fo['id']}/ship", body).status == 200
    assert world.figures("A") == (0, 7)


def test_a_retry_is_refused_while_units_are_missing_and_closes_it_when_they_are_there(short: tuple[World, list[str]]) -> None:
    world, _ = short
    [problem] = open_exceptions(world)
    refused = world.call("POST", f"/v1/exceptions/{problem['id']}/retry", {})
    assert (refused.status, "5 units are still missing" in refused.body["detail"]) == (409, True)
    world.stock("A", "berlin", 10)
    first = world.call("POST", f"/v1/exceptions/{problem['id']}/retry", {"note": "found them"}, headers={"Idempotency-Key": "k"})
    again = world.call("POST", f"/v1/exceptions/{problem['id']}/retry", {"note": "found them"}, headers={"Idempotency-Key": "k"})
    assert (first.status, first.body["status"], again.body["status"]) == (200, "retried", "retried")
    assert again.headers["idempotent-replayed"] == "true"
    assert open_exceptions(world) == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("resolve", {"action": "mark_delivered"}, 422), ("frobnicate", {}, 404), ("resolve", {"action": "accept"}, 200), ("abandon", {}, 200)],
)
def test_it_is_decided_by_what_it_offers(short: tuple[World, list[str]], path: str, body: dict[str, Any], status: int) -> None:
    world, _ = short
    [problem] = open_exceptions(world)
    assert world.call("POST", f"/v1/exceptions/{problem['id']}/{path}", body).status == status
    assert len(open_exceptions(world)) == (0 if status == 200 else 1)


def test_resolved_by_reroute_the_named_orders_go_elsewhere(short: tuple[World, list[str]]) -> None:
    world, orders = short
    for order_id in orders:
        assert world.step("allocate", "Allocate", order_id) == {"next": "allocated"}
    [problem] = open_exceptions(world)
    world.done("POST", f"/v1/exceptions/{problem['id']}/resolve", {"action": "reroute"})
    world.pump()
    places = {order_id: [(fo["location_id"], fo["status"]) for fo in world.order(order_id)["fulfillment_orders"]] for order_id in orders}
    assert places == {
        orders[0]: [("berlin", "released")],
        orders[1]: [("berlin", "rejected"), ("lyon", "released")],
        orders[2]: [("berlin", "rejected"), ("lyon", "released")],
    }
    assert (world.figures("A"), world.figures("A", "lyon")) == ((5, 3), (10, 7))


def test_a_count_as_of_a_past_moment_does_not_bring_back_what_was_shipped_since(world: World) -> None:
    order = world.allocated(order_body(quantities={"A": 3}))
    counted_at = clock.stamp()
    world.ship_all(order)
    world.done("PUT", "/v1/inventory/A/berlin", {"on_hand": 10, "effective_at": counted_at})
    assert world.figures("A") == (7, 0)
    moves = world.done("GET", "/v1/inventory/A/berlin/movements")["data"]
    assert [(move["kind"], move["delta"], move.get("on_hand")) for move in moves] == [
        ("shipped", -3, None),
        ("count", 0, 10),
        ("count", 10, 10),
    ]


def test_an_older_count_and_one_that_cannot_be_are_refused_with_the_reason(world: World) -> None:
    before = clock.stamp()
    world.stock("A", "berlin", 8)
    older = world.call("PUT", "/v1/inventory/A/berlin", {"on_hand": 9, "effective_at": before})
    assert (older.status, older.body["type"]) == (409, "urn:oms:problem:older-count")
    order = world.allocated(order_body(quantities={"A": 6}))
    counted_at = clock.stamp()
    world.ship_all(order)
    cannot = world.call("PUT", "/v1/inventory/A/berlin", {"on_hand": 4, "effective_at": counted_at})
    assert (cannot.status, "6 have left since" in cannot.body["detail"]) == (409, True)
    assert world.figures("A") == (2, 0)


def test_a_count_of_a_time_to_come_is_refused(world: World) -> None:
    answer = world.call("PUT", "/v1/inventory/A/berlin", {"on_hand": 9, "effective_at": "2099-01-01T00:00:00Z"})
    assert (answer.status, answer.pointers) == (422, {"/effective_at"})


def test_the_same_count_again_is_one_movement(world: World) -> None:
    body = {"on_hand": 9, "effective_at": clock.stamp()}
    for _ in range(3):
        world.done("PUT", "/v1/inventory/A/berlin", body)
    assert [move["on_hand"] for move in world.done("GET", "/v1/inventory/A/berlin/movements")["data"]] == [9, 10]


def batch(world: World, *counts: tuple[str, str, int]) -> None:
    records = [{"record_id": f"{sku}-{place}-{units}", "sku": sku, "location_id": place, "on_hand": units} for sku, place, units in counts]
    world.done("POST", "/v1/inventory/batch", {"records": records})


def test_what_a_batch_call_leaves_short_is_one_exception(world: World) -> None:
    orders = [world.place(order_body(f"W-{n}", quantities={"A": 2, "B": 3}))["id"] for n in (1, 2)]
    batch(world, ("A", "berlin", 3), ("B", "berlin", 0), ("B", "lyon", 0))
    [problem] = open_exceptions(world)
    assert [(row["sku"], row["location_id"], row["short"], len(row["orders"])) for row in problem["details"]] == [
        ("A", "berlin", 1, 1),
        ("B", "berlin", 6, 2),
    ]
    assert problem["details"][0]["orders"] == [{"order_id": orders[1], "units": 1}]
    assert problem["cause"].startswith("7 units of 2 SKUs and locations are promised and not there")


def test_the_news_of_a_batch_may_come_in_pieces_and_twice(world: World) -> None:
    world.place(order_body(quantities={"A": 2, "B": 3}))
    batch(world, ("A", "berlin", 0), ("B", "berlin", 0))
    images = [image for image in world.wire.stream if image["pk"]["S"].startswith("sku_")]
    for image in [*images, *reversed(images)]:
        world.relay([image])
    [problem] = open_exceptions(world)
    assert {row["sku"] for row in problem["details"]} == {"A", "B"}
    assert [event["type"] for event in world.published() if event["type"].startswith("exception.")].count("exception.opened") == 1


def test_news_of_a_batch_that_comes_after_the_decision_is_an_exception_of_its_own(world: World) -> None:
    world.place(order_body(quantities={"A": 2, "B": 3}))
    batch(world, ("A", "berlin", 0), ("B", "berlin", 0))
    late = next(image for image in world.wire.stream if image["pk"]["S"] == "sku_B")
    world.wire.stream.remove(late)
    [first] = open_exceptions(world)
    world.done("POST", f"/v1/exceptions/{first['id']}/resolve", {"action": "accept"})
    world.relay([late])
    [second] = open_exceptions(world)
    assert [row["sku"] for row in second["details"]] == ["B"]
