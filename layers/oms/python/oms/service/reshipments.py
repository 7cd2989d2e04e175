"""Reshipments: units that have left are sent once more, for nothing and without a return (Salesforce: a zero-charge fulfillment order)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pydantic import Field

from oms.errors import Conflict, Fault, invalid
from oms.fulfillment.replacements import replace_units, replaced
from oms.money.units import count, lowest, minus, union
from oms.orders.order import Order
from oms.orders.quantities import available_to_reship
from oms.payments.records import Change, ChangeLine
from oms.service.asking import Asked
from oms.service.bundles import with_components
from oms.service.changes import begin_change, go_on
from oms.service.claimed import refunded
from oms.service.follow import follow_change
from oms.service.lines import by_line, quantity_at
from oms.service.reasons import check_reason
from oms.service.stages import gone_units, returning_units
from oms.settings import Settings
from oms.wire import Key, Quantity, Text, Wire

MOST_LINES = 40
"""Lines in one request: their stock is reserved in one transaction."""
Send = Callable[[Order, str, Callable[[str], str]], list[Fault]]
"""Gives a place to what is to be replaced for a cause, and says what has none; it is told where the request names a line."""


class ReshipLine(Wire):
    """Units of one line that are sent again."""

    line_id: Key
    quantity: Quantity
    reason: Text | None = None


class ReshipRequest(Asked):
    """`POST /v1/orders/{id}/reshipments`."""

    lines: list[ReshipLine] = Field(min_length=1, max_length=MOST_LINES)
    reason: Text | None = None


def reship(order: Order, request: ReshipRequest, send: Send, settings: Settings, actor: str) -> Change:
    """Send units that have left once more. Conflict when more is asked than can be sent again, or stock is short; Invalid for lines that
    the order has not, and for a reason that is not in the catalogue."""
    rows = by_line(order, request.lines)
    given = [(row.reason or request.reason, f"/lines/{index}/reason") for index, row in enumerate(request.lines)]
    faults = [fault for reason, at in given for fault in check_reason(settings, "reship", reason, at)]
    if faults:
        raise invalid(*faults)
    pointer = partial(quantity_at, request.lines)
    wanted, faults = with_components(order, {line_id: row.quantity for line_id, row in rows.items()}, pointer)
    for line_id, quantity in wanted.items():
        free = available_to_reship(order.summary.lines[line_id])
        if quantity > free:
            faults.append(Fault(f"{quantity} of line '{line_id}' asked, {free} can be sent again", pointer(line_id)))
    if faults:
        raise Conflict("more than can be sent again", kind="not-reshippable", errors=faults)
    change = begin_change(order, "reshipment", actor, reason=request.reason)
    for line_id, quantity in wanted.items():
        reason = rows[line_id].reason if line_id in rows else None
        units = _which(order, line_id, quantity)
        change.lines.append(ChangeLine(line_id=line_id, units=units, reason=reason))
        replace_units(order, line_id, units, change.id, reason or request.reason)
    send_or_refuse(order, change, send, pointer)
    go_on(order, change)
    follow_change(order)
    return change


def send_or_refuse(order: Order, change: Change, send: Send, pointer: Callable[[str], str]) -> None:
    """Give the change's replacements a place; Conflict, naming each line, where stock is short."""
    faults = send(order, change.id, pointer)
    if faults:
        raise Conflict("stock is short", kind="out-of-stock", errors=faults)


def _which(order: Order, line_id: str, quantity: int) -> list[list[int]]:
    """The lowest units that have left and neither come back nor were sent again; those that were paid back last."""
    free = minus(gone_units(order, line_id), union(returning_units(order, line_id), replaced(order, line_id)))
    fresh = minus(free, refunded(order, line_id))
    first = lowest(fresh, min(quantity, count(fresh)))
    return union(first, lowest(minus(free, first), quantity - count(first)))
