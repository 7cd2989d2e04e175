"""Recall: units on work that a location has are asked back; it answers, or ships them first, or a time limit decides.

The numbers asked for are held until then: they are cancelled when the location could stop them, and free again when it could not. A
shipment takes held numbers only when no other is free.
"""

from __future__ import annotations

from oms.fulfillment.records import FulfillmentOrder
from oms.money.units import Units, count, highest, lowest, minus, union
from oms.orders.order import Order, StockChange
from oms.orders.quantities import cancel_units
from oms.payments.records import Change, ChangeLine
from oms.service.changes import go_on, measured
from oms.service.charges import settle_charge
from oms.service.fees import with_goods
from oms.service.follow import follow_change


def ask_back(order: Order, change: Change, fo: FulfillmentOrder, line_id: str, units: Units, reason: str | None) -> None:
    """Ask a location for units of its work."""
    quantity = count(units)
    change.lines.append(ChangeLine(line_id=line_id, reason=reason, fulfillment_order_id=fo.id, held=[list(run) for run in units]))
    fo.lines[line_id].cancel_requested += quantity
    order.summary.lines[line_id].cancel_requested += quantity


def asked_of(order: Order, fulfillment_order_id: str, line_id: str) -> list[tuple[Change, ChangeLine]]:
    """Who waits for an answer about a line of this work, the latest first."""
    rows = [
        (change, line)
        for change in order.changes.values()
        for line in change.lines
        if line.held and line.line_id == line_id and line.fulfillment_order_id == fulfillment_order_id
    ]
    return sorted(rows, key=lambda row: (row[0].requested_at, row[0].id), reverse=True)


def stop(order: Order, change: Change, line: ChangeLine, quantity: int) -> None:
    """The location could stop so many: they are cancelled."""
    if not quantity:
        return
    units = highest(line.held, quantity)
    placed, state = order.line(line.line_id)
    with measured(order, change):
        fo = _answered(order, line, units)
        line.units = union(line.units, units)
        fo.lines[line.line_id].cancelled += quantity
        state.allocated -= quantity
        cancel_units(state, units)
        settle_charge(order, change, line.line_id, units)
    order.stock.append(StockChange(placed.sku, fo.location_id, reserve=-quantity))
    order.record("order.units_cancelled", line_id=line.line_id, quantity=quantity, units=units, fulfillment_order_id=fo.id)


def refuse(order: Order, line: ChangeLine, units: Units) -> None:
    """The location could not stop these: they ship."""
    if not units:
        return
    fo = _answered(order, line, units)
    line.refused += count(units)
    order.record("fulfillment_order.cancel_refused", fulfillment_order_id=fo.id, lines={line.line_id: count(units)})


def refuse_shipped(order: Order, fo: FulfillmentOrder, line_id: str, shipped: Units) -> list[Change]:
    """Units have left: so many that what is left of the work is less than what was asked back of it. Returns the changes concerned."""
    row, concerned = fo.lines[line_id], []
    for change, line in asked_of(order, fo.id, line_id):
        over = min(row.cancel_requested - row.open, count(line.held))
        if over > 0:
            gone = minus(line.held, minus(line.held, shipped))
            taken = lowest(gone, min(over, count(gone)))
            refuse(order, line, union(taken, lowest(minus(line.held, taken), over - count(taken))))
            concerned.append(change)
    return concerned


def stop_first(order: Order, fo: FulfillmentOrder, quantities: dict[str, int]) -> tuple[dict[str, int], list[Change]]:
    """Units leave the work without being shipped: those that were asked back are cancelled. Returns what is left to go elsewhere, and the
    changes concerned."""
    rest, concerned = dict(quantities), []
    for line_id in quantities:
        for change, line in asked_of(order, fo.id, line_id):
            stopped = min(rest[line_id], count(line.held))
            if stopped:
                stop(order, change, line, stopped)
                rest[line_id] -= stopped
                concerned.append(change)
    return {line_id: quantity for line_id, quantity in rest.items() if quantity}, concerned


def decide(order: Order, change: Change) -> None:
    """Once every location has answered: what the change costs in the end is known, and its money moves."""
    if change.asks or change.status != "pending":
        return
    with measured(order, change):
        lines = [line for line in change.lines if not line.added]
        goods = {each.line_id: union(*(line.units for line in lines if line.line_id == each.line_id)) for each in lines}
        change.fees, change.decided = with_goods(order, change.fees, goods), True
    go_on(order, change)


def decide_overdue(order: Order) -> None:
    """What locations have not answered for in time could not be stopped."""
    for change in overdue(order):
        for line in change.lines:
            if line.held:
                refuse(order, line, line.held)
        decide(order, change)
    follow_change(order)


def overdue(order: Order) -> list[Change]:
    """Changes whose locations should have answered by now."""
    return [change for change in order.changes.values() if change.asks and change.due_at and change.due_at <= order.now]


def _answered(order: Order, line: ChangeLine, units: Units) -> FulfillmentOrder:
    fo = order.fulfillment_order(line.fulfillment_order_id or "")
    line.held = minus(line.held, units)
    fo.lines[line.line_id].cancel_requested -= count(units)
    order.summary.lines[line.line_id].cancel_requested -= count(units)
    return fo
