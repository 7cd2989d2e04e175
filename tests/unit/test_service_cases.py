"""Published cases of what comes after the sale, with their own figures (Salesforce's money maths; worked examples C)."""

from __future__ import annotations

import itertools

import pytest

from oms.orders import statuses
from oms.orders.order import Order
from oms.returns import returns
from oms.service.cancellations import CancelRequest, cancel
from tests.support.orders import a_group, a_line, an_order
from tests.unit.memory import World, announce, receive


def two_groups(first: int, second: int) -> dict[str, object]:
    """Two units in each of two delivery groups; what each group's delivery costs."""
    groups = [a_group("g1", charge=first), a_group("g2", charge=second)]
    return an_order(a_line("1", "A", 2, 1000), a_line("2", "B", 2, 1000, delivery_group="g2"), delivery_groups=groups)


def delivery(order: Order) -> int:
    return statuses.totals(order).delivery_amount


@pytest.mark.parametrize("steps", sorted(set(itertools.permutations(["1", "1", "2", "2"]))))
def test_charges_of_0_and_1000_never_pay_back_more_than_was_charged(steps: tuple[str, ...]) -> None:
    """Salesforce pools the charges of the groups that a change touches: returning from both, then again, can pay back more than 1000."""
    world = World()
    order = world.place(two_groups(0, 1000))
    world.allocate(order)
    for fo in list(order.fulfillment_orders.values()):
        world.ship(order, fo, {line_id: line.open for line_id, line in fo.lines.items()})
    for shipment in order.shipments.values():
        world.invoice(order, shipment)
        shipment.delivered_at = order.now
        for line_id in shipment.lines:
            order.summary.lines[line_id].delivered = 2
    assert statuses.buckets(order).captured == 5000
    given = {"1": 0, "2": 0}
    for line_id in steps:
        before = delivery(order)
        ret = announce(order, world, {line_id: 1}, reduce_shipping=True)
        returns.approve(order, ret)
        receive(order, world, ret, line_id, 1)
        world.settle(order, ret)
        given[line_id] += before - delivery(order)
        assert given["2"] <= 1000
    assert (given, statuses.buckets(order).refunded) == ({"1": 0, "2": 1000}, 5000)


def test_one_cancellation_over_both_groups_gives_back_each_groups_own_charge() -> None:
    world = World()
    order = world.place(two_groups(0, 1000))
    for kept in (1, 0):
        rows = [{"line_id": "1", "quantity": 1, "reason": "x"}, {"line_id": "2", "quantity": 1, "reason": "x"}]
        cancel(order, CancelRequest.model_validate({"lines": rows, "reduce_shipping": True}), world.settings, "agent")
        world.commit(order)
        assert delivery(order) == 500 * kept
    assert statuses.totals(order).grand_total == 0


def test_a_full_return_pays_back_exactly_what_was_paid_c06() -> None:
    """Nine units whose price does not divide: 125.61 paid, one by one or at once 125.61 back."""
    for parts in ([9], [1] * 9, [4, 5]):
        world = World()
        order = world.delivered(an_order(a_line("1", "A", 9, 1396, "20", own=-3)))
        paid = statuses.buckets(order).captured
        assert paid == 12561
        for quantity in parts:
            ret = announce(order, world, {"1": quantity})
            returns.approve(order, ret)
            receive(order, world, ret, "1", quantity)
            world.settle(order, ret)
        assert (statuses.buckets(order).refunded, statuses.payment_status(order)) == (paid, "refunded")
