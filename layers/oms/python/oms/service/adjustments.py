"""Adjustments after the sale: a discount (appeasement) or an upcharge, with or without tax in the amount, or a percentage.

They are layers over the live units of a line, or over a group's delivery charge. Units before, in and after fulfillment change by a
change of their own each: what has left stands in a credit memo or an invoice, what has not is invoiced with its parcel.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from oms.errors import Conflict, Fault, invalid
from oms.money.rounding import percent
from oms.money.shares import Share
from oms.money.units import runs
from oms.orders.layers import Basis, Unit, changed, each_unit, layers_of
from oms.orders.order import Order
from oms.orders.worth import delivery_worth, worth
from oms.payments.records import Change, ChangeLine
from oms.service.asking import Asked
from oms.service.changes import Stage, begin_change, go_on, measured
from oms.service.follow import follow_change
from oms.service.reasons import check_reason
from oms.service.stages import stages
from oms.settings import Settings
from oms.wire import Key, SignedAmount, Text, Wire


def _percentage(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not (number.is_finite() and -100 <= number <= 1000):
        raise ValueError('percent as a decimal string from "-100" (all of it off) to "1000"')
    return text


class AdjustLine(Wire):
    """An adjustment of one line, or of one group's delivery charge; negative is off."""

    line_id: Key | None = None
    delivery_group: Key | None = None
    type: Literal["amount_with_tax", "amount_without_tax", "percentage"]
    amount: SignedAmount | None = None
    percent: Annotated[str, AfterValidator(_percentage)] | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.line_id is None) == (self.delivery_group is None):
            raise ValueError("name a line_id or a delivery_group")
        if (self.type == "percentage") != (self.percent is not None) or (self.type == "percentage") == (self.amount is not None):
            raise ValueError("a percentage has a percent, any other adjustment an amount")
        if not self.amount and not (self.percent and Decimal(self.percent)):
            raise ValueError("an adjustment of nothing")
        return self


class AdjustRequest(Asked):
    """`POST /v1/orders/{id}/adjustments`."""

    lines: list[AdjustLine] = Field(min_length=1, max_length=80)
    in_fulfillment: Literal["refuse", "include"] = "refuse"
    reason: Text | None = None


def adjust(order: Order, request: AdjustRequest, settings: Settings, actor: str) -> list[Change]:
    """Put the adjustments on the units they concern: one change for each stage that has any. Conflict where a line has no unit that may be
    adjusted, Invalid for what the order has not, or more off than there is."""
    given = [(row.reason or request.reason, f"/lines/{index}/reason") for index, row in enumerate(request.lines)]
    faults = [fault for reason, at in given for fault in check_reason(settings, "adjust", reason, at)]
    if faults:
        raise invalid(*faults)
    made: dict[Stage, Change] = {}
    for index, row in enumerate(request.lines):
        at = f"/lines/{index}"
        where = _units(order, row, at, include=request.in_fulfillment == "include")
        delivery = row.delivery_group is not None
        place = {line.id: index for index, line in enumerate(order.every_line)}
        units_ = sorted((unit for units in where.values() for unit in units), key=lambda unit: (place[unit[0]], unit[1]))
        shares = _shares(order, row, units_, at, delivery=delivery)
        for stage, units in where.items():
            if units:
                change = made.get(stage) or begin_change(order, "adjustment", actor, reason=request.reason or row.reason, stage=stage)
                made[stage] = change
                _put(order, change, {unit: shares[unit] for unit in units}, row.reason, delivery=delivery)
    order_of = ("pre_fulfillment", "in_fulfillment", "post_fulfillment")
    changes = [made[stage] for stage in order_of if stage in made]
    for change in changes:
        go_on(order, change)
    follow_change(order)
    return changes


def _units(order: Order, row: AdjustLine, at: str, *, include: bool) -> dict[Stage, list[Unit]]:
    if row.line_id is not None and row.line_id not in order.summary.lines:
        raise invalid(Fault(f"the order has no line '{row.line_id}'", f"{at}/line_id"))
    if row.delivery_group is not None and row.delivery_group not in {group.id for group in order.groups}:
        raise invalid(Fault(f"the order has no delivery group '{row.delivery_group}'", f"{at}/delivery_group"))
    lines = [row.line_id] if row.line_id else [line.id for line, _ in order.lines_of(order.group(row.delivery_group or ""))]
    found: dict[Stage, list[Unit]] = {"pre_fulfillment": [], "in_fulfillment": [], "post_fulfillment": []}
    for line_id in lines:
        there = stages(order, line_id)
        found["pre_fulfillment"] += each_unit(line_id, there.before)
        found["in_fulfillment"] += each_unit(line_id, there.within)
        found["post_fulfillment"] += each_unit(line_id, there.after)
    if not include and found["in_fulfillment"] and not found["pre_fulfillment"] and not found["post_fulfillment"]:
        detail = 'every unit is with a location; say "in_fulfillment": "include" to adjust it all the same'
        raise Conflict(detail, kind="in-fulfillment", errors=[Fault(detail, at)])
    kept: dict[Stage, list[Unit]] = {stage: units for stage, units in found.items() if include or stage != "in_fulfillment"}
    if not any(kept.values()):
        raise Conflict("it has no unit left that could be adjusted", kind="not-adjustable", errors=[Fault("no live unit", at)])
    return kept


def _shares(order: Order, row: AdjustLine, units: Sequence[Unit], at: str, *, delivery: bool) -> dict[Unit, Share]:
    basis: Basis = "without_tax" if row.type == "amount_without_tax" else "with_tax"
    amount = row.amount or 0
    if row.percent is not None:
        basis = "with_tax" if order.placed.tax_mode == "gross" else "without_tax"
        value = delivery_worth if delivery else worth
        whole = sum((value(order, line_id, [[number, number]]) for line_id, number in units), Share())
        amount = percent(whole.total if basis == "with_tax" else whole.net, Decimal(row.percent))
    try:
        return changed(order, units, amount, basis, delivery=delivery)
    except ValueError as error:
        raise invalid(Fault(f"more off than there is: {error}", f"{at}/{'percent' if row.percent else 'amount'}")) from None


def _put(order: Order, change: Change, shares: dict[Unit, Share], reason: str | None, *, delivery: bool) -> None:
    with measured(order, change):
        change.layers += layers_of(shares, delivery=delivery, apart=change.stage == "post_fulfillment")
    for line_id in dict.fromkeys(line_id for line_id, _ in shares):
        units = runs(number for line, number in shares if line == line_id)
        change.lines.append(ChangeLine(line_id=line_id, units=units, reason=reason))
