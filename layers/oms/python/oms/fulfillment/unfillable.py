"""Units that no location can serve: given up and not charged for, or put before a person. The channel says which (`on_unfillable`)."""

from __future__ import annotations

from oms.orders.order import Order, StockChange
from oms.orders.quantities import open_units, reserved

NO_PLACE = "no location can serve it"


def give_up(order: Order, line_id: str, units: int, reason: str) -> int:
    """Cancel units of a line that have no place: first those that nobody looks after, then those that wait for stock.

    They are the line's highest numbers (design section 5); what they would have cost leaves the totals with their share of the delivery
    charge. Returns how many were cancelled: never one that is reserved, on a fulfillment order, or cancelled already.
    """
    line, state = order.line(line_id)
    loose = min(units, open_units(state) - reserved(state))
    waiting = min(units - loose, state.backordered)
    if waiting:
        state.backordered -= waiting
        order.stock.append(StockChange(line.sku, "", queue=-waiting))
    if not state.backordered:
        state.promise = None
    cancelled = loose + waiting
    if cancelled:
        last = state.ordered - state.cancelled
        state.cancelled += cancelled
        numbers = [[last - cancelled + 1, last]]
        order.record("order.units_cancelled", line_id=line_id, quantity=cancelled, units=numbers, reason=reason)
    return cancelled


def give_up_open(order: Order, reason: str = NO_PLACE) -> int:
    """Give up every unit that Allocate could not hand out, and what was reserved for it at places that may no longer send it.

    Groups that ship complete and still wait for stock are left alone. Returns how many units.
    """
    count = 0
    for group in order.placed.delivery_groups:
        for line, state in order.lines_of(group) if not order.waits_for_all(group) else ():
            order.stock += [StockChange(line.sku, place, reserve=-units) for place, units in state.pins.items()]
            state.pins = {}
            left = open_units(state)
            count += give_up(order, line.id, left, reason) if left else 0
    return count


def why_unfillable(order: Order) -> str:
    """Which units have no place, and who has been asked for them; empty if all have one."""
    rows = []
    for group in order.placed.delivery_groups:
        for line, state in order.lines_of(group) if not order.waits_for_all(group) else ():
            left = open_units(state)
            if left > 0:
                tried = f", refused by {', '.join(state.excluded)}" if state.excluded else ""
                closed = f", reserved at {', '.join(state.pins)}, which may not send it now" if state.pins else ""
                rows.append(f"{left} of {line.sku} (line {line.id}{tried}{closed})")
    return f"{NO_PLACE}: {'; '.join(rows)}" if rows else ""
