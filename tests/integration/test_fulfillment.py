"""What warehouses do: their list, the hand-shake, shipping, refusing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import JSON, World, order_body


@pytest.fixture
def order(world: World) -> Any:
    """Two A and one B, to be shipped from Berlin."""
    return world.allocated(order_body())


def act(world: World, order: Any, action: str, body: JSON | None = None, index: int = 0) -> Any:
    return world.call("POST", f"/v1/fulfillment-orders/{order['fulfillment_orders'][index]['id']}/{action}", body)


def package(number: str, **quantities: int) -> JSON:
    return {"tracking_number": number, "lines": [{"line_id": key[1:], "quantity": quantity} for key, quantity in quantities.items()]}


def test_the_work_of_a_location_oldest_ship_by_first(world: World) -> None:
    made = []
    for number in ("W-1", "W-2", "W-3"):
        made.append(world.allocated(order_body(number, quantities={"B": 1}))["fulfillment_orders"][0]["id"])
        world.advance(hours=1)
    path = "/v1/fulfillment-orders"
    rows = world.done("GET", path, query={"location_id": "berlin"})["data"]
    assert [row["id"] for row in rows] == made
    assert rows[0]["delivery_group"]["recipient"]["name"] == "Ann Example"
    assert rows[0] == world.done("GET", f"{path}/{made[0]}")
    page = world.done("GET", path, query={"location_id": "berlin", "limit": "2"})
    rest = world.done("GET", path, query={"location_id": "berlin", "limit": "2", "cursor": page["next_cursor"]})
    assert [row["id"] for row in page["data"] + rest["data"]] == made
    world.ship(made[0], {"1": 1}, "T1")
    assert [row["id"] for row in world.done("GET", path, query={"location_id": "berlin"})["data"]] == made[1:]
    assert world.done("GET", path, query={"location_id": "lyon"})["data"] == []
    assert world.call("GET", path).status == 422


def test_the_hand_shake(world: World, order: Any) -> None:
    for action, status in (("accept", "accepted"), ("pick", "picking"), ("pack", "packed"), ("ready", "ready_for_pickup")):
        assert act(world, order, action).body["status"] == status
    before = world.items()
    assert act(world, order, "ready").status == 200, "repeating the last action is fine"
    assert world.items() == before
    for action in ("accept", "pick", "pack", "release"):
        assert act(world, order, action).status == 409
    assert act(world, order, "burn").status == 404
    assert act(world, order, "expire").status == 404, "expiry is the machine's"
    assert world.items() == before


def test_a_location_may_hold_its_work_and_take_it_up_where_it_was(world: World, order: Any) -> None:
    act(world, order, "accept")
    assert act(world, order, "hold").body["status"] == "on_hold"
    assert act(world, order, "ship", {"packages": [package("T1", l1=1)]}).status == 409
    assert act(world, order, "release").body["status"] == "accepted"


def test_partial_shipments_take_the_lowest_units_and_the_stock(world: World, order: Any) -> None:
    assert act(world, order, "ship", {"packages": [package("T1", l1=1)]}).body["status"] == "partially_shipped"
    assert world.order(order["id"])["fulfillment_status"] == "partially_shipped"
    assert act(world, order, "ship", {"packages": [package("T2", l1=1), package("T3", l2=1)]}).body["status"] == "shipped"
    after = world.order(order["id"])
    assert [row["units"] for parcel in after["shipments"] for row in parcel["lines"]] == [[[1, 1]], [[2, 2]], [[1, 1]]]
    assert (world.figures("A"), world.figures("B")) == ((8, 0), (9, 0))
    assert act(world, order, "ship", {"packages": [package("T4", l1=1)]}).status == 409


def test_the_shares_of_partial_shipments_add_up_to_what_was_paid(world: World, order: Any) -> None:
    fo = order["fulfillment_orders"][0]["id"]
    for number, lines in (("T1", {"1": 1}), ("T2", {"2": 1}), ("T3", {"1": 1})):
        world.ship(fo, lines, number)
        world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo)
    after = world.order(order["id"])
    assert sum(invoice["total_amount"] for invoice in after["invoices"]) == 3500
    assert sum(world.gateway.moved("capture")) == 3500
    assert (after["payment_status"], after["payment"]["balance_due"]) == ("captured", 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 400),
        ({}, 422),
        ({"packages": [{"lines": []}]}, 422),
        ({"packages": [{"lines": [{"line_id": "9", "quantity": 1}]}]}, 422),
        ({"packages": [{"lines": [{"line_id": "1", "quantity": -1}]}]}, 422),
        ({"packages": [{"lines": [{"line_id": "1", "quantity": 3}]}]}, 409),
        ({"packages": [package("T1", l1=2), package("T2", l1=1)]}, 409),
        ({"packages": [package("T1", l1=1), package("T1", l2=1)]}, 422),
        ({"packages": [package("T1", l1=2)], "short": [{"line_id": "1", "quantity": 1, "reason": "x"}]}, 409),
        ({"packages": [package("T1", l1=1)], "colour": "red"}, 422),
    ],
)
def test_a_shipment_that_makes_no_sense_is_refused(world: World, order: Any, body: Any, status: int) -> None:
    before = world.items()
    assert act(world, order, "ship", body).status == status
    assert world.items() == before


def test_what_is_picked_short_goes_elsewhere(world: World, order: Any) -> None:
    body = {"packages": [package("T1", l1=1, l2=1)], "short": [{"line_id": "1", "quantity": 1, "reason": "broken"}]}
    assert act(world, order, "ship", body).body["status"] == "shipped"
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
    again = world.order(order["id"])["fulfillment_orders"]
    assert [(fo["location_id"], fo["status"]) for fo in again] == [("berlin", "shipped"), ("lyon", "released")]
    assert (world.figures("A"), world.figures("A", "lyon")) == ((9, 0), (10, 1))


def test_a_rejected_line_goes_elsewhere_and_the_rest_stays(world: World, order: Any) -> None:
    world.pump()
    lines = [{"line_id": "1", "quantity": 1}]
    assert act(world, order, "reject", {"lines": lines, "reason": "broken"}).body["status"] == "released"
    world.pump()
    assert world.started() == [order["id"], order["fulfillment_orders"][0]["id"], f"{order['id']}-2"]
    assert world.figures("A") == (10, 1)


@pytest.mark.parametrize(
    "body",
    [None, {}, {"reason": "x", "lines": [{"line_id": "1", "quantity": 3}]}, {"reason": "x", "lines": [{"line_id": "9", "quantity": 1}]}],
)
def test_a_rejection_that_makes_no_sense_is_refused(world: World, order: Any, body: Any) -> None:
    before = world.items()
    assert act(world, order, "reject", body).status in (400, 409, 422)
    assert world.items() == before


def test_collected_at_the_counter_is_shipped_and_delivered(world: World) -> None:
    body = order_body()
    body["delivery_groups"][0] |= {"type": "pickup", "location_id": "lyon"}
    order = world.allocated(body)
    assert order["fulfillment_orders"][0]["location_id"] == "lyon"
    act(world, order, "ready")
    assert act(world, order, "collect", {"collected_by": "Ann"}).body["status"] == "delivered"
    after = world.order(order["id"])
    assert (after["fulfillment_status"], after["delivery_status"]) == ("shipped", "delivered")
