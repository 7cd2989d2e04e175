"""Worked examples about stock, from the tests and bug reports of other shops, played through the API. Each is named by its number."""

from __future__ import annotations

import pytest

from tests.support.orders import a_line, an_order
from tests.support.world import JSON, World, order_body


def only_berlin(world: World, **on_hand: int) -> None:
    for sku, units in on_hand.items():
        world.stock(sku, "berlin", units)
        world.stock(sku, "lyon", 0)


def reserve(world: World, **quantities: int) -> tuple[int, JSON]:
    lines = [{"sku": sku, "quantity": units} for sku, units in quantities.items()]
    answer = world.call("POST", "/v1/reservations", {"lines": lines, "expires_in": 600})
    return answer.status, answer.body


def available(world: World, sku: str = "A") -> int:
    return int(world.done("GET", f"/v1/inventory/{sku}/berlin")["available_to_fulfill"])


def ship(world: World, fo: JSON, quantity: int, number: str) -> int:
    package = {"reference": number, "tracking_number": number, "lines": [{"line_id": "1", "quantity": quantity}]}
    return world.call("POST", f"/v1/fulfillment-orders/{fo['id']}/ship", {"packages": [package]}).status


def test_e04_what_can_be_sold_is_the_stock_less_what_is_reserved(world: World) -> None:
    only_berlin(world, A=8)
    assert available(world) == 8
    assert reserve(world, A=5)[0] == 201
    assert available(world) == 3
    assert reserve(world, A=3)[0] == 201
    assert (reserve(world, A=1)[0], available(world)) == (409, 0)


@pytest.mark.parametrize(("more", "status", "reserved"), [(19, 200, 99), (20, 200, 100), (21, 409, 80)])
def test_e07_a_reservation_is_raised_within_the_stock(world: World, more: int, status: int, reserved: int) -> None:
    only_berlin(world, A=100)
    _, made = reserve(world, A=80)
    change = {"lines": [{"sku": "A", "quantity": 80 + more}]}
    assert world.call("PATCH", f"/v1/reservations/{made['id']}", change).status == status
    assert world.figures("A") == (100, reserved)


def test_e07b_two_lines_that_are_raised_together_respect_the_stock_as_a_whole(world: World) -> None:
    only_berlin(world, A=100)
    placed = world.place(an_order(*(a_line(key, "A", 40, 100, "20") for key in ("1", "2"))))
    raised = [{"op": "set_quantity", "line_id": key, "quantity": 40 + more} for key, more in (("1", 9), ("2", 20))]
    assert world.call("POST", f"/v1/orders/{placed['id']}/edits", {"operations": raised}).status == 409
    assert world.figures("A") == (100, 80)
    assert world.order(placed["id"])["version"] == placed["version"]


@pytest.mark.parametrize(("consume", "cancel", "figures"), [(0, 0, (10, 5)), (3, 0, (7, 2)), (0, 4, (10, 1))])
def test_e08_allocate_consume_cancel(world: World, consume: int, cancel: int, figures: tuple[int, int]) -> None:
    only_berlin(world, A=10)
    order = world.allocated(order_body(quantities={"A": 5}))
    [fo] = order["fulfillment_orders"]
    if consume:
        assert ship(world, fo, consume, "T1") == 200
    if cancel:
        body = {"lines": [{"line_id": "1", "quantity": cancel, "reason": "changed_mind"}]}
        change = world.done("POST", f"/v1/orders/{order['id']}/cancellations", body)["change"]
        answer = {"change_id": change["id"], "lines": [{"line_id": "1", "quantity": cancel}]}
        world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/cancel-response", answer)
    assert world.figures("A") == figures


def test_e08_more_than_is_allocated_is_neither_cancelled_nor_shipped(world: World) -> None:
    only_berlin(world, A=10)
    order = world.allocated(order_body(quantities={"A": 5}))
    [fo] = order["fulfillment_orders"]
    body = {"lines": [{"line_id": "1", "quantity": 6, "reason": "changed_mind"}]}
    assert world.call("POST", f"/v1/orders/{order['id']}/cancellations", body).status == 409
    assert world.figures("A") == (10, 5)
    assert [ship(world, fo, 4, number) for number in ("T1", "T2")] == [200, 409]
    assert world.figures("A") == (6, 1)


@pytest.mark.parametrize("bought", [{"A": 3}, {"A": 3, "B": 2}])
@pytest.mark.parametrize("cancelled", [False, True])
def test_e19_what_is_held_for_an_order_is_back_when_it_is_cancelled(world: World, bought: dict[str, int], cancelled: bool) -> None:
    only_berlin(world, A=5, B=5)
    order = world.place(order_body(quantities=bought))
    if cancelled:
        world.done("POST", f"/v1/orders/{order['id']}/cancellations", {"all": True, "reason": "changed_mind"})
    held = {sku: 0 if cancelled else bought.get(sku, 0) for sku in ("A", "B")}
    assert {sku: world.figures(sku) for sku in held} == {sku: (5, units) for sku, units in held.items()}


def test_e22_what_is_on_hand_goes_and_the_rest_waits(world: World) -> None:
    only_berlin(world, A=4)
    body = order_body(quantities={"A": 9})
    body["lines"][0]["backorder"] = "allow"
    order = world.place(body)
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "wait_for_stock"}
    after = world.order(order["id"])
    assert [line["quantity"] for fo in after["fulfillment_orders"] for line in fo["lines"]] == [4]
    assert after["lines"][0]["quantities"]["backordered"] == 5


def test_e27_reserved_stock_ships_although_nothing_is_free(world: World) -> None:
    only_berlin(world, A=4)
    orders = [world.allocated(order_body(f"W-{n}", quantities={"A": 1})) for n in range(4)]
    assert available(world) == 0
    assert ship(world, orders[0]["fulfillment_orders"][0], 1, "T1") == 200
    assert world.figures("A") == (3, 3)


def test_e28_the_last_unit_that_is_moved_to_where_it_is_stays_on_hand(world: World) -> None:
    only_berlin(world, A=1)
    order = world.allocated(order_body(quantities={"A": 1}))
    [fo] = order["fulfillment_orders"]
    assert world.call("POST", f"/v1/fulfillment-orders/{fo['id']}/reroute", {}).status == 409
    quantities = world.order(order["id"])["lines"][0]["quantities"]
    assert (quantities["allocated"], quantities["backordered"], world.figures("A")) == (1, 0, (1, 1))
