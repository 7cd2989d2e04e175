"""Allocate: pins become work, what has no place finds one, what waits for stock waits."""

from __future__ import annotations

from oms.fulfillment import work
from oms.fulfillment.allocate import needs_stock
from oms.fulfillment.requests import RejectRequest
from oms.orders.order import Order
from oms.orders.records import Hold
from tests.support.orders import a_group, a_line, an_order
from tests.unit.memory import NOW, World


def handed_out(order: Order) -> list[tuple[str, dict[str, int]]]:
    return [(fo.location_id, {key: line.quantity for key, line in fo.lines.items()}) for fo in order.fulfillment_orders.values()]


def reject(world: World, order: Order, fo_id: str) -> None:
    work.reject(order, order.fulfillment_orders[fo_id], RejectRequest(reason="not found"))
    world.commit(order)


def test_pins_become_fulfillment_orders_one_per_place() -> None:
    world = World({"A": {"berlin": 2}, "B": {"munich": 1}})
    order = world.place(an_order(a_line(), a_line("2", "B", 1)))
    assert needs_stock(order) == {"A", "B"}
    assert world.allocate(order) == "allocated"
    assert handed_out(order) == [("berlin", {"1": 2}), ("munich", {"2": 1})]
    assert (order.summary.lines["1"].allocated, order.summary.lines["1"].pins) == (2, {})
    assert (world.row("A").reserved, world.row("A").on_hand) == (2, 2)


def test_a_line_may_be_split_over_places() -> None:
    world = World({"A": {"berlin": 2, "munich": 1}})
    order = world.place(an_order(a_line(quantity=3)))
    world.allocate(order)
    assert handed_out(order) == [("berlin", {"1": 2}), ("munich", {"1": 1})]


def test_groups_are_served_apart() -> None:
    world = World({"A": {"berlin": 4}})
    order = world.place(an_order(a_line(), a_line("2", delivery_group="g2"), delivery_groups=[a_group(), a_group("g2")]))
    world.allocate(order)
    assert [(fo.delivery_group, list(fo.lines)) for fo in order.fulfillment_orders.values()] == [("g1", ["1"]), ("g2", ["2"])]


def test_a_fulfillment_order_is_released_with_its_ship_by_time() -> None:
    world = World()
    _, fo = world.allocated(an_order())
    assert (fo.status, fo.type, fo.ship_by) == ("released", "warehouse", "2026-11-24T08:00:00.000Z")
    assert fo.assume_delivered_after_days is None
    _, unconfirmed = World(confirmation="none").allocated(an_order())
    assert unconfirmed.assume_delivered_after_days == 5


def test_running_again_finds_nothing_to_do() -> None:
    world = World()
    order, _ = world.allocated(an_order())
    assert world.allocate(order) == "allocated"
    assert (len(order.fulfillment_orders), world.row("A").reserved, order.facts) == (1, 2, [])


def test_a_held_order_waits_and_a_hold_on_shipping_only_holds_the_work() -> None:
    world = World()
    order = world.place(an_order(holds=[{"kind": "fraud", "reason": "check"}]))
    assert world.allocate(order) == "wait_for_release"
    assert order.fulfillment_orders == {}
    order.summary.holds = [Hold(id="h", kind="k", reason="r", blocks=["ship"], placed_at=NOW)]
    assert world.allocate(order) == "allocated"
    assert [(fo.status, fo.held_from) for fo in order.fulfillment_orders.values()] == [("on_hold", "released")]


def test_orders_that_are_not_captured_go_where_they_belong() -> None:
    world = World()
    received, declined = world.take(an_order()), world.place(an_order(token="tok_decline"))
    assert (world.allocate(received), world.allocate(declined)) == ("capture", "declined")


def test_backordered_units_wait_and_are_placed_when_stock_arrives() -> None:
    world = World({"A": {"berlin": 1}})
    order = world.place(an_order(a_line(quantity=3, backorder="allow")))
    assert world.allocate(order) == "wait_for_stock"
    assert handed_out(order) == [("berlin", {"1": 1})]
    assert needs_stock(order) == set()
    world.arrive("A", "berlin", 1)
    assert (world.row("A").spare, world.row("A").available) == (1, -1), "what arrives is owed to those who wait"
    world.grant(order)
    assert world.allocate(order) == "wait_for_stock"
    world.arrive("A", "berlin", 5)
    world.grant(order)
    assert world.row("A").available == 4
    assert world.allocate(order) == "allocated"
    assert [lines for _, lines in handed_out(order)] == [{"1": 1}, {"1": 1}, {"1": 1}]
    assert (order.summary.lines["1"].allocated, order.summary.lines["1"].backordered, world.row("A").reserved) == (3, 0, 3)


def test_rejected_units_go_elsewhere_and_never_back() -> None:
    world = World({"A": {"berlin": 5, "munich": 5}})
    order, fo = world.allocated(an_order())
    reject(world, order, fo.id)
    assert (world.row("A", "berlin").reserved, order.summary.run) == (0, 2)
    assert world.allocate(order) == "allocated"
    assert handed_out(order)[1] == ("munich", {"1": 2})
    reject(world, order, list(order.fulfillment_orders)[1])
    assert world.allocate(order) == "unfillable"
    assert world.row("A", "munich").reserved == 0


def test_two_lines_of_a_sku_are_placed_on_what_is_left_after_each_other() -> None:
    world = World({"A": {"berlin": 4, "munich": 9}})
    lines = [a_line("1", quantity=1), a_line("2", quantity=1), a_line("3", quantity=2, delivery_group="g2")]
    order = world.place(an_order(*lines, delivery_groups=[a_group(), a_group("g2")]))
    world.allocate(order)
    for key in list(order.fulfillment_orders):
        reject(world, order, key)
    world.row("A", "munich").on_hand = world.row("A", "munich").available = 3
    assert world.allocate(order) == "unfillable"
    assert (world.row("A", "munich").reserved, world.row("A", "munich").available) == (3, 0)


def test_rejected_units_of_a_line_that_may_wait_wait_again() -> None:
    world = World({"A": {"berlin": 2, "munich": 0}})
    order, fo = world.allocated(an_order(a_line(backorder="allow")))
    reject(world, order, fo.id)
    assert world.allocate(order) == "wait_for_stock"
    assert (order.summary.lines["1"].backordered, world.row("A", "munich").queued) == (2, 2)


def test_a_group_that_ships_complete_is_handed_out_when_all_of_it_has_a_place() -> None:
    world = World({"A": {"berlin": 1}, "B": {"berlin": 1}})
    lines = [a_line(backorder="allow"), a_line("2", "B", 1)]
    order = world.place(an_order(*lines, delivery_groups=[{**a_group(), "ship_complete": True}]))
    assert world.allocate(order) == "wait_for_stock"
    assert order.fulfillment_orders == {}
    assert (world.row("A").reserved, world.row("B").reserved) == (1, 1), "what it has stays promised to it"
    world.arrive("A", "berlin", 1)
    world.grant(order)
    assert world.allocate(order) == "allocated"
    assert handed_out(order) == [("berlin", {"1": 2, "2": 1})]


def test_pins_move_to_fewer_places_when_stock_has_come_meanwhile() -> None:
    world = World({"A": {"berlin": 1, "munich": 1}})
    order = world.place(an_order())
    world.arrive("A", "munich", 5)
    assert world.allocate(order) == "allocated"
    assert handed_out(order) == [("munich", {"1": 2})]
    assert (world.row("A", "berlin").reserved, world.row("A", "munich").reserved) == (0, 2)


def test_a_location_that_is_switched_off_gives_its_promises_to_another() -> None:
    world = World({"A": {"berlin": 2, "munich": 2}})
    order = world.place(an_order())
    world.settings.locations["berlin"].enabled = False
    assert world.allocate(order) == "allocated"
    assert handed_out(order) == [("munich", {"1": 2})]


def test_a_promise_that_no_other_location_can_keep_stays_and_raises_an_exception() -> None:
    world = World({"A": {"berlin": 2, "munich": 1}})
    order = world.place(an_order())
    world.settings.locations["berlin"].enabled = False
    assert world.allocate(order) == "unfillable"
    assert (order.fulfillment_orders, world.row("A", "berlin").reserved) == ({}, 2)


def test_the_work_of_many_lines_is_cut_so_that_each_part_can_leave_at_once() -> None:
    skus = [f"S{n:02d}" for n in range(45)]
    world = World({sku: {"berlin": 1} for sku in skus})
    order = world.place(an_order(*(a_line(str(n), sku, 1) for n, sku in enumerate(skus, 1))))
    world.allocate(order)
    assert [len(fo.lines) for fo in order.fulfillment_orders.values()] == [40, 5]
