"""Orders at the edges of arithmetic, from capture to the last refund: nothing is lost, nothing is invented."""

from __future__ import annotations

import pytest

from oms.fulfillment.arrivals import arrive
from oms.orders import statuses
from oms.orders.order import Order
from oms.payments.funds import open_amount
from oms.returns import returns
from tests.support.orders import a_line, an_order
from tests.unit.memory import NOW, World, announce, receive

MILLION = 1_000_000


def shipped_in(world: World, body: dict[str, object], *parcels: int) -> Order:
    """Shipped in parcels of so many units of line 1, each invoiced and paid by itself; then delivered."""
    order, fo = world.allocated(body)
    for units in parcels:
        world.ship(order, fo, {"1": units})
        world.invoice(order, list(order.shipments.values())[-1])
    arrive(order, list(order.shipments.values()), NOW)
    world.commit(order)
    return order


def returned(world: World, order: Order, units: int) -> int:
    """What a return of so many units gives back."""
    ret = announce(order, world, {"1": units})
    returns.approve(order, ret)
    receive(order, world, ret, "1", units)
    memo = world.settle(order, ret)
    assert memo
    return memo.total_amount


@pytest.mark.parametrize("mode", ["gross", "net"])
def test_one_cent_times_a_million(mode: str) -> None:
    world = World({"A": {"berlin": MILLION}})
    body = an_order(a_line("1", "A", MILLION, 1, "20", "7.5"), tax_mode=mode)
    order = shipped_in(world, body, 1, 333_333, 666_666)
    total = sum(invoice.total_amount for invoice in order.invoices.values())
    assert total == statuses.totals(order).grand_total == (MILLION if mode == "gross" else MILLION + 200_000 + 75_000)
    assert statuses.buckets(order).captured == total
    assert sum(returned(world, order, units) for units in (1, 499_999, 500_000)) == total
    assert (statuses.totals(order).grand_total, statuses.money_owed(order), statuses.buckets(order).refunded) == (0, "none", total)


@pytest.mark.parametrize("currency", ["JPY", "EUR", "KWD"])
def test_whatever_the_exponent_of_the_currency_the_figures_are_the_same(currency: str) -> None:
    world = World()
    body = an_order(a_line("1", "A", 3, 333, "7.5"), currency=currency, off=-100, charge=101, charge_rate="19")
    order = shipped_in(world, body, 1, 2)
    assert [invoice.total_amount for invoice in order.invoices.values()] == [334, 666]
    assert [returned(world, order, 1) for _ in range(3)] == [300, 299, 300]


@pytest.mark.parametrize("mode", ["gross", "net"])
def test_everything_off_needs_no_payment_and_is_invoiced_for_nothing(mode: str) -> None:
    world = World()
    body = an_order(a_line("1", "A", 2, 1000, "20", own=-500), tax_mode=mode, off=-1500, payments=[])
    order = shipped_in(world, body, 1, 1)
    assert (order.payments, [invoice.total_amount for invoice in order.invoices.values()]) == ({}, [0, 0])
    assert [open_amount(order, invoice) for invoice in order.invoices.values()] == [0, 0]
    assert (statuses.order_status(order), statuses.payment_status(order), statuses.money_owed(order)) == ("completed", "none", "none")
    assert returned(world, order, 2) == 0
