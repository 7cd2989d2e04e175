"""Units that no location can serve: given up and not charged for, or put before a person. The channel says which (`on_unfillable`)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from oms.money.units import count, highest
from oms.orders.order import Order, StockChange
from oms.orders.quantities import cancel_units, open_units, reserved
from oms.orders.records import LineState, PlacedGroup
from oms.routing.serving import may_serve
from oms.service.stages import free_units

if TYPE_CHECKING:
    from oms.settings import Settings

NO_PLACE = "no location can serve it"
_MOST_NAMED = 40


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
        numbers = highest(free_units(order, line_id), cancelled)
        cancel_units(state, numbers)
        order.record("order.units_cancelled", line_id=line_id, quantity=cancelled, units=numbers, reason=reason)
    return cancelled


def give_up_group(order: Order, group: PlacedGroup, settings: Settings, reason: str = NO_PLACE, only: Collection[str] | None = None) -> int:
    """Give up every unit of a delivery group that has no place, and what is reserved for it at places that may no longer send it. Returns
    how many units; none of a group that ships complete while it still waits for stock. `only`: of these lines."""
    given_up = 0
    for line, state in order.lines_of(group) if not order.waits_for_all(group) else ():
        if only is not None and line.id not in only:
            continue
        open_to = {place.id for place in may_serve(order, line, settings)}
        for place in [place for place in state.pins if place not in open_to]:
            order.stock.append(StockChange(line.sku, place, reserve=-state.pins.pop(place)))
        left = open_units(state) - reserved(state)
        given_up += give_up(order, line.id, left, reason) if left else 0
    return given_up


def why_unfillable(order: Order) -> str:
    """Which units have no place, and who has been asked for them; empty if all have one."""
    lines = [row for group in order.groups if not order.waits_for_all(group) for row in order.lines_of(group)]
    rows = [
        f"{open_units(state) - reserved(state)} of {line.sku} (line {line.id}{_tried(state)})"
        for line, state in lines
        if open_units(state) > reserved(state)
    ]
    rows = rows or [
        f"{reserved(state)} of {line.sku} (line {line.id}{_tried(state)}, reserved at {', '.join(state.pins)}, which may not send it now)"
        for line, state in lines
        if state.pins
    ]
    rows += [
        f"{count(units)} of {line.sku} (line {line.id}{_tried(state)}) that are to be sent again for {cause}"
        for line, state in order.lines()
        for cause, units in state.to_replace.items()
    ]
    if len(rows) > _MOST_NAMED:
        rows = [*rows[:_MOST_NAMED], f"and of {len(rows) - _MOST_NAMED} more lines"]
    return f"{NO_PLACE}: {'; '.join(rows)}" if rows else ""


def _tried(state: LineState) -> str:
    return f", refused by {', '.join(state.excluded)}" if state.excluded else ""
