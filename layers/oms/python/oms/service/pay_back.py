"""Units that the customer keeps, or never got, and does not pay for: what they are still worth goes to zero."""

from __future__ import annotations

from collections.abc import Mapping

from oms.errors import Conflict, Fault
from oms.money.shares import Share
from oms.money.units import Units
from oms.orders.layers import Unit, changed, each_unit, layers_of
from oms.orders.order import Order
from oms.orders.worth import delivery_worth, worth
from oms.payments.funds import ensure_refunds
from oms.payments.invoices import change_memo, lowered
from oms.payments.offsets import offsets, waits_for
from oms.payments.records import Change
from oms.service.changes import measured


def pay_back(order: Order, change: Change, units: Mapping[str, Units], *, delivery: bool = False) -> None:
    """Credit with the change what these units, which have left, are still worth; with `delivery` their part of the delivery charge too."""
    goods: dict[Unit, Share] = {}
    charges: dict[Unit, Share] = {}
    for line_id, mine in units.items():
        each = each_unit(line_id, mine)
        goods |= changed(order, each, -worth(order, line_id, mine).total, "with_tax")
        if delivery:
            charges |= changed(order, each, -delivery_worth(order, line_id, mine).total, "with_tax", delivery=True)
    with measured(order, change):
        layers = [*layers_of(goods, apart=True), *layers_of(charges, delivery=True, apart=True)]
        change.layers += [layer for layer in layers if any(band.share.total or band.share.tax for band in layer.bands)]


def must_be_paid(order: Order, change: Change, at: str) -> None:
    """Conflict where the tenders did not pay what the change credits beside all that is being credited already, and nothing is owed that it
    could be taken off. What is not invoiced yet is paid, or owed, by then. `at`: where a request says how much."""
    if _waits(order, change):
        return
    told = {memo.change_id for memo in order.credit_memos.values()}
    coming = [each for each in order.changes.values() if each.id not in told and not _waits(order, each)]
    amount = sum(-lowered(each) for each in coming)
    try:
        ensure_refunds(order, amount - sum(row["amount"] for row in offsets(order, amount)))
    except Conflict as error:
        raise Conflict(error.detail, kind="not-refundable", errors=[Fault("more than was paid", at)]) from None


def _waits(order: Order, change: Change) -> bool:
    memo = change_memo(order, change)
    return memo is not None and bool(waits_for(order, memo))
