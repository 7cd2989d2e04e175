"""Goodwill: money back without a return. It is always a credit memo, for units that have left, were invoiced and are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, Strict, StringConstraints

from oms.errors import Conflict, Fault, Refused, invalid
from oms.money.rounding import spread
from oms.money.shares import Share
from oms.money.units import count, minus, union
from oms.orders.layers import MOST_UNITS, Unit, changed, each_unit, layers_of
from oms.orders.order import Order
from oms.orders.worth import worth
from oms.payments.records import Change, ChangeLine
from oms.service.asking import Asked
from oms.service.changes import begin_change, go_on, measured
from oms.service.follow import follow_change
from oms.service.pay_back import must_be_paid
from oms.service.reasons import check_reason
from oms.service.stages import stages
from oms.settings import Settings
from oms.wire import MAX_AMOUNT, Key, Text, Wire

MOST_LINES = 80
Money = Annotated[int, Strict(), Field(ge=1, le=MAX_AMOUNT)]
"""Whole minor units, more than none."""


class GoodwillLine(Wire):
    """A line that money is given back for, and how much if that is known."""

    line_id: Key
    amount: Money | None = None


class GoodwillRequest(Asked):
    """`POST /v1/orders/{id}/refunds`. `amount` (with tax, whole minor units): none is all that the units are still worth. `lines`: ids, or
    rows with amounts of their own; without them every line that has such units. `to`: the tenders that paid, or store credit."""

    amount: Money | None = None
    lines: list[Key | GoodwillLine] | None = Field(None, min_length=1, max_length=MOST_LINES)
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    to: Literal["original", "store_credit"] = "original"
    note: Text | None = None


def refund(order: Order, request: GoodwillRequest, settings: Settings, actor: str) -> Change:
    """Give money back for goodwill. Invalid for lines that the order has not and amounts that do not add up; Conflict where nothing can be
    given back, or more than the units are worth or were paid."""
    faults = check_reason(settings, "refund", request.reason, "/reason")
    if faults:
        raise invalid(*faults)
    given = _given(order, request)
    units = {line_id: runs for line_id in given if (runs := credited(order, line_id))}
    if not units or any(line_id not in units for line_id in given if request.lines):
        nothing = [f"/lines/{index}" for index, line_id in enumerate(given) if line_id not in units] if request.lines else ["/lines"]
        raise Conflict(
            "only what has left, was invoiced and is kept can be given money back for",
            kind="not-refundable",
            errors=[Fault("no such unit", at) for at in nothing],
        )
    parts = _parts(order, request, {line_id: given[line_id] for line_id in units}, units)
    change = begin_change(order, "goodwill", actor, reason=request.reason, stage="post_fulfillment")
    change.note, change.into = request.note, "store_credit" if request.to == "store_credit" else None
    shares: dict[Unit, Share] = {}
    for line_id, part in parts.items():
        shares |= changed(order, each_unit(line_id, units[line_id]), -part, "with_tax")
        change.lines.append(ChangeLine(line_id=line_id, units=units[line_id], reason=request.reason))
    with measured(order, change):
        change.layers += layers_of(shares, apart=True)
    must_be_paid(order, change, "/amount")
    go_on(order, change)
    follow_change(order)
    return change


def credited(order: Order, line_id: str) -> list[list[int]]:
    """Units of a line that a credit memo may be about: they have left, were invoiced, and are kept."""
    uninvoiced = union(*(parcel.lines.get(line_id, []) for parcel in order.uninvoiced))
    return minus(stages(order, line_id).after, uninvoiced)


def _given(order: Order, request: GoodwillRequest) -> dict[str, int | None]:
    """The lines that money is given for, each with its amount if it has one. Invalid for lines that the order has not or named twice."""
    if request.lines is None:
        return {line.id: None for line in order.every_line}
    out: dict[str, int | None] = {}
    faults: list[Fault] = []
    for index, row in enumerate(request.lines):
        line_id, amount = (row, None) if isinstance(row, str) else (row.line_id, row.amount)
        at = f"/lines/{index}" if isinstance(row, str) else f"/lines/{index}/line_id"
        if line_id in out:
            faults.append(Fault("this line is named twice", at))
        elif line_id not in order.summary.lines:
            faults.append(Fault(f"the order has no line '{line_id}'", at))
        out[line_id] = amount
    if faults:
        raise invalid(*faults)
    return out


def _parts(order: Order, request: GoodwillRequest, given: Mapping[str, int | None], units: Mapping[str, list[list[int]]]) -> dict[str, int]:
    """How much each line is given: its own amount, the rest spread over the others by what they are worth now (largest remainder)."""
    if sum(map(count, units.values())) > MOST_UNITS:
        raise Refused(f"at most {MOST_UNITS} units in one go; name lines", kind="too-large", status=422)
    now = {line_id: max(0, worth(order, line_id, runs).total) for line_id, runs in units.items()}
    fixed = {line_id: amount for line_id, amount in given.items() if amount is not None}
    free = [line_id for line_id in given if line_id not in fixed]
    rest = sum(now[line_id] for line_id in free) if request.amount is None else request.amount - sum(fixed.values())
    if rest < 0 or (rest and not free):
        raise invalid(Fault(f"the lines' amounts come to {sum(fixed.values())}", "/amount"))
    weights = [now[line_id] for line_id in free]
    over = [line_id for line_id, amount in fixed.items() if amount > now[line_id]]
    if over:
        places = list(given)
        faults = [Fault(f"line '{line_id}' is worth {now[line_id]}", f"/lines/{places.index(line_id)}/amount") for line_id in over]
        raise Conflict("more than the goods are worth", kind="not-refundable", errors=faults)
    if rest > sum(weights) or not rest + sum(fixed.values()):
        worth_ = sum(weights) + sum(fixed.values())
        raise Conflict("more than the goods are worth", kind="not-refundable", errors=[Fault(f"they are worth {worth_}", "/amount")])
    parts = fixed | dict(zip(free, spread(rest, weights), strict=True)) if free else fixed
    return {line_id: parts[line_id] for line_id in given if parts[line_id]}
