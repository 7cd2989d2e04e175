"""Where the units of a line stand for whoever wants to change them: not handed out yet, with a location, or gone.

Units are handed out by count and get their numbers when they leave, the lowest first; so of what has not left the lowest numbers are with
locations.
"""

from __future__ import annotations

from dataclasses import dataclass

from oms.money.units import Units, count, lowest, minus, union
from oms.orders.order import Order
from oms.orders.quantities import cancelled_units
from oms.returns.records import ReturnLine


@dataclass(frozen=True)
class Stages:
    """Live units by where they are: before fulfillment, in it, after it (and not on their way back)."""

    before: Units
    within: Units
    after: Units


def stages(order: Order, line_id: str) -> Stages:
    """Where a line's units are; those that a location was asked to stop, and those that come back, are in none of them."""
    _, state = order.line(line_id)
    waiting = free_units(order, line_id)
    out = max(0, state.allocated - state.shipped - state.cancel_requested)
    within = lowest(waiting, min(out, count(waiting)))
    return Stages(minus(waiting, within), within, minus(gone_units(order, line_id), returning_units(order, line_id)))


def free_units(order: Order, line_id: str) -> list[list[int]]:
    """Units that have not left, are not cancelled, and that nobody was asked to stop."""
    _, state = order.line(line_id)
    return minus([[1, state.ordered]], union(gone_units(order, line_id), cancelled_units(state), held_units(order, line_id)))


def gone_units(order: Order, line_id: str) -> list[list[int]]:
    """Units that have left; sending them again changes nothing."""
    return union(*(parcel.lines.get(line_id, []) for parcel in order.sold))


def held_units(order: Order, line_id: str) -> list[list[int]]:
    """Units that locations were asked to stop, and have not answered for."""
    return union(*(line.held for change in order.changes.values() for line in change.lines if line.line_id == line_id))


def returning_units(order: Order, line_id: str) -> list[list[int]]:
    """Units that are on their way back, or have been; those that were replaced are with the customer again."""
    rows = [row for ret in order.returns.values() for row in ret.lines if row.line_id == line_id]
    return union(*(minus(lowest(row.units, count(row.units) - row.closed), _replaced(row)) for row in rows))


def _replaced(row: ReturnLine) -> Units:
    return lowest(row.units, row.settled) if row.resolution == "replace" else []
