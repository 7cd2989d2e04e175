"""Cancel a replacement that has not left: its stock is free again, and what the customer was to get instead of it is paid back."""

from __future__ import annotations

from oms.errors import Conflict, Fault, invalid
from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.work import close_work
from oms.money.units import Units, count, minus
from oms.orders.order import Order, StockChange
from oms.payments.gift_cards import is_gift_card
from oms.payments.records import Change, ChangeLine
from oms.service.changes import begin_change, go_on
from oms.service.follow import follow_change
from oms.service.pay_back import must_be_paid, pay_back
from oms.service.stages import returning_units

_AT = "/replacement"


def cancel_replacement(order: Order, fulfillment_order_id: str, reason: str | None, actor: str) -> Change:
    """Cancel what a fulfillment order was to send once more. What was claimed, or came back to be replaced, is paid back; what was simply
    sent again is not: the customer has paid for goods that have left, and keeps them.

    Invalid for work that is no replacement of the order; Conflict where nothing of it is left to send, or its location works on it.
    """
    fo = order.fulfillment_orders.get(fulfillment_order_id)
    if fo is None or not fo.replaces:
        raise invalid(Fault("the order has no such replacement; what was ordered is cancelled by its lines", _AT))
    units = {line_id: [list(run) for run in row.units] for line_id, row in fo.lines.items() if row.open}
    owed = fo.replaces in order.returns or bool(order.changes[fo.replaces].claim)
    _must_be_possible(order, fo, units, owed=owed)
    change = begin_change(order, "cancellation", actor, reason=reason)
    for line_id, mine in units.items():
        _take(order, fo, line_id, mine, reason)
        change.lines.append(ChangeLine(line_id=line_id, units=mine, reason=reason, fulfillment_order_id=fo.id))
    close_work(order, fo)
    fo.status, fo.held_from, fo.held_by = "cancelled", None, None
    order.record(
        "fulfillment_order.cancelled", fulfillment_order_id=fo.id, lines={line.line_id: count(line.units) for line in change.lines}
    )
    if owed:
        # What is on its way back is paid for by its return.
        pay_back(order, change, {line_id: minus(mine, returning_units(order, line_id)) for line_id, mine in units.items()})
        must_be_paid(order, change, _AT)
    go_on(order, change)
    follow_change(order)
    return change


def _must_be_possible(order: Order, fo: FulfillmentOrder, units: dict[str, list[list[int]]], *, owed: bool) -> None:
    if not units:
        raise _conflict(f"nothing of {fo.id} is left to send: it is {fo.status}")
    if fo.status not in ("released", "on_hold") or fo.held_from not in (None, "released"):
        raise _conflict(
            f"{fo.id} is {fo.held_from or fo.status}: its location works on it; reroute it, and cancel the work that takes its place"
        )
    if owed and any(is_gift_card(order.line(line_id)[0]) for line_id in units):
        raise _conflict("a gift card may have been spent and is not paid back so; return it (mode immediate)")


def _take(order: Order, fo: FulfillmentOrder, line_id: str, units: Units, reason: str | None) -> None:
    """As work that was taken back: where the goods leave all the same, that is recorded, and a person is told."""
    (line, state), row, quantity = order.line(line_id), fo.lines[line_id], count(units)
    row.rejected, row.taken_back, row.units = row.rejected + quantity, row.taken_back + quantity, []
    state.reshipped -= quantity
    order.stock.append(StockChange(line.sku, fo.location_id, reserve=-quantity))
    numbers = [list(run) for run in units]
    order.record("order.replacement_cancelled", line_id=line_id, quantity=quantity, units=numbers, reason=reason)


def _conflict(detail: str) -> Conflict:
    return Conflict(detail, kind="not-cancellable", errors=[Fault(detail, _AT)])
