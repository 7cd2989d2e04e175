"""Where a return stands, and which units it may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oms.errors import Conflict, NotFound
from oms.money.units import Units, count, lowest, minus, union
from oms.orders.order import Order
from oms.orders.quantities import available_to_return
from oms.orders.records import PlacedLine
from oms.returns.records import Return, ReturnLine
from oms.service.claimed import refunded
from oms.service.stages import returning_units

if TYPE_CHECKING:
    from oms.settings import Settings

OVER = ("settled", "rejected", "cancelled", "expired")
STATUSES = ("requested", "approved", "in_transit", "partially_received", "received", *OVER)
"""Of the contract."""
COMING = ("approved", "in_transit", "partially_received")
"""Statuses in which goods are on their way, or about to be."""


def find(order: Order, return_id: str) -> Return:
    """One return, or NotFound."""
    if return_id not in order.returns:
        raise NotFound(f"there is no return '{return_id}'")
    return order.returns[return_id]


def expect(ret: Return, action: str, *statuses: str) -> None:
    """Conflict unless the return is in one of these statuses."""
    if ret.status not in statuses:
        raise Conflict(f"return {ret.id} is {ret.status}; {action} is possible when it is {' or '.join(statuses)}")


def due_units(line: ReturnLine, upto: int | None = None) -> list[list[int]]:
    """Units of a row that have arrived (or, of a settlement, the first `upto`) and are not settled yet."""
    return minus(lowest(line.units, line.received if upto is None else upto), lowest(line.units, line.settled))


def unsettled(ret: Return) -> dict[str, list[list[int]]]:
    """Units that have arrived and are not settled yet, per line."""
    out: dict[str, list[list[int]]] = {}
    for line in ret.lines:
        if line.received > line.settled:
            out[line.line_id] = union(out.get(line.line_id, []), due_units(line))
    return out


def units_of(ret: Return) -> dict[str, list[list[int]]]:
    """All units of a return, per line: a line may have several rows."""
    out: dict[str, list[list[int]]] = {}
    for line in ret.lines:
        out[line.line_id] = union(out.get(line.line_id, []), line.units)
    return out


def wants_label(ret: Return) -> bool:
    """Whether a label is to be bought for it now: somebody asked for one, and the goods may come."""
    return ret.status in COMING and any(label.status == "wanted" for label in ret.labels)


def want_no_label(ret: Return) -> None:
    """What was not bought yet is not needed any more."""
    ret.labels = [label for label in ret.labels if label.status != "wanted"]


def settle_status(ret: Return) -> None:
    """The status once everything that was expected has been settled."""
    if not any(line.open or line.received > line.settled for line in ret.lines):
        ret.status = "settled"
        want_no_label(ret)


def change_status(ret: Return) -> str:
    """A return as a change to the order: pending until it is settled or over."""
    return {"settled": "done", "rejected": "refused", "cancelled": "refused", "expired": "refused"}.get(ret.status, "pending")


def free_rest(order: Order, ret: Return) -> None:
    """What has not arrived may be returned otherwise."""
    for line in ret.lines:
        order.summary.lines[line.line_id].return_initiated -= line.open
        line.closed += line.open


def returnable(order: Order, line: PlacedLine, settings: Settings) -> list[list[int]]:
    """Units of a line that may come back: they have arrived (or left, where nobody confirms), are not written off or paid back by a claim,
    and are not on their way back already."""
    return takeable(order, line, needs_delivery=confirmed(order, line, settings))


def takeable(order: Order, line: PlacedLine, *, needs_delivery: bool) -> list[list[int]]:
    """The same where it is known whether somebody confirms delivery of the line."""
    free = minus(_arrived(order, line, needs_delivery), union(returning_units(order, line.id), _out_of_reach(order, line.id)))
    return lowest(free, min(count(free), available_to_return(order.summary.lines[line.id], needs_delivery)))


def confirmed(order: Order, line: PlacedLine, settings: Settings) -> bool:
    """Whether somebody confirms delivery of this line's group."""
    group = order.group_of(line)
    return settings.method(group.method).delivery_confirmation == "carrier"


def shipped_from(order: Order, line_id: str) -> str:
    """Where a line's first parcel left from."""
    parcel = next(parcel for parcel in order.shipments.values() if line_id in parcel.lines)
    return order.fulfillment_orders[parcel.fulfillment_order_id].location_id


def _arrived(order: Order, line: PlacedLine, needs_delivery: bool) -> Units:
    there = [parcel for parcel in order.shipments.values() if parcel.delivered_at or not (needs_delivery or parcel.replaces)]
    return union(*(parcel.brings(line.id) for parcel in there))


def _out_of_reach(order: Order, line_id: str) -> Units:
    """Units that a claim has paid back; and those that came back, or were damaged, to be replaced, and whose replacement has not come."""
    sent_again: dict[str, Units] = {
        ret.id: union(*(lowest(row.units, row.settled) for row in ret.lines if row.line_id == line_id and row.resolution == "replace"))
        for ret in order.returns.values()
    }
    for change in order.changes.values():
        if change.claim and change.claim.remedy == "reship":
            sent_again[change.id] = union(*(row.units for row in change.lines if row.line_id == line_id))
    waiting = [minus(units, _brought(order, cause, line_id)) for cause, units in sent_again.items() if units]
    return union(refunded(order, line_id), *waiting)


def _brought(order: Order, cause: str, line_id: str) -> Units:
    parcels = [parcel for parcel in order.shipments.values() if parcel.replaces == cause and parcel.delivered_at]
    return union(*(parcel.brings(line_id) for parcel in parcels))
