"""A box arrived. What was expected counts as received; more of what may come back is taken with it, as far as who takes it in may give so
much away; the rest is kept on record, pays nothing, and somebody is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from oms.errors import Fault, invalid
from oms.money.units import Units, count, lowest, union
from oms.orders.order import Order, StockChange
from oms.orders.records import PlacedLine
from oms.payments.invoices import credit_memo_for
from oms.returns.records import Receipt, Return, ReturnLine
from oms.returns.requests import USUAL, ReceivedLine, ReceiveRequest
from oms.returns.states import COMING, expect, returnable, shipped_from
from oms.service.opening import exception_about, put_before_somebody
from oms.settings import Settings

KIND = "unexpected_goods"
_HINT = "Ask the customer whose goods these are. Take them back as a return of their order, or send them back; then resolve it."
_HINT_BEYOND = "Take what may come back as a return of this order (mode immediate): above the limit that waits for approval. " + _HINT
MayGive = Callable[[int], bool]
"""Whether who takes the goods in may give so much away by themselves: whole minor units of the order's currency."""


def receive(order: Order, ret: Return, request: ReceiveRequest, settings: Settings, may_give: MayGive | None = None) -> None:
    """Note what was in a box, and count it. Wrong items, and what could not be returned, pay nothing; nor do units that nobody announced,
    where all such units of the return are worth more than `may_give` allows (None: anything). Invalid for unknown names."""
    expect(ret, "receive", *COMING)
    faults = [
        Fault(f"the order has no line '{row.line_id}'", f"/lines/{index}/line_id")
        for index, row in enumerate(request.lines)
        if row.line_id and row.line_id not in order.summary.lines
    ]
    place = request.location_id or ret.location_id
    if place and place not in settings.locations:
        faults.append(Fault(f"there is no location '{place}'", "/location_id"))
    if faults:
        raise invalid(*faults)
    before, surplus, kept = sum(line.received for line in ret.lines), [], 0
    for row in request.lines:
        left, beyond = 0 if row.condition == "wrong_item" else row.quantity, 0
        for line_id in _lines_of(order, ret, row) if left else ():
            taken, refused = _take(order, ret, line_id, left, settings, may_give)
            if taken:
                _note(order, ret, row, line_id, taken, place or shipped_from(order, line_id))
            left, beyond = left - taken, beyond + refused
        beyond = min(beyond, left)
        if beyond:
            # Set apart whatever the row says: it goes on the shelf when it is taken back.
            surplus.append(_note_surplus(order, ret, row.model_copy(update={"disposition": "quarantine"}), beyond, place))
            kept += beyond
        if row.condition == "wrong_item" or left > beyond:
            quantity = row.quantity if row.condition == "wrong_item" else left - beyond
            surplus.append(_note_surplus(order, ret, row, quantity, place))
    if sum(line.received for line in ret.lines) > before:
        ret.status = "received" if not any(line.open for line in ret.lines) else "partially_received"
    told = [row.model_dump(exclude_none=True, exclude={"note"}) for row in request.lines]
    order.record("return.received", return_id=ret.id, lines=told, surplus=sum(each.quantity for each in surplus) or None)
    _call_somebody(order, ret, surplus, kept)


def _lines_of(order: Order, ret: Return, row: ReceivedLine) -> list[str]:
    """The lines that received goods may be of, those that are expected first."""
    if row.line_id:
        return [row.line_id]
    same = [line.id for line in order.every_line if line.sku == row.sku]
    expected = [line.line_id for line in ret.lines if line.open]
    return sorted(same, key=lambda line_id: line_id not in expected)


def _take(order: Order, ret: Return, line_id: str, quantity: int, settings: Settings, may_give: MayGive | None) -> tuple[int, int]:
    """Count up to so many units of a line: those that are expected, then others that may come back as well. Returns how many, and how many
    more might have come back but are worth more than may be given away."""
    left = quantity
    mine = [line for line in ret.lines if line.line_id == line_id]
    for line in mine:
        part = min(left, line.open)
        line.received += part
        left -= part
    placed, state = order.line(line_id)
    resolution, reason = (mine[0].resolution, mine[0].reason) if mine else ("refund", "")
    units = _also(order, placed, left, resolution, settings) if left else []
    more = count(units)
    if more and may_give and resolution != "replace" and not may_give(_unannounced_worth(order, ret, line_id, units)):
        return quantity - left, more
    if more:
        ret.lines.append(
            ReturnLine(line_id=line_id, units=units, quantity=more, received=more, resolution=resolution, reason=reason, extra=True)
        )
        state.return_initiated += more
        left -= more
    return quantity - left, 0


def _unannounced_worth(order: Order, ret: Return, line_id: str, units: Units) -> int:
    """What credit memos would hold for these units and for all that came unannounced before them, as far as it is paid back."""
    extra: dict[str, Units] = {line_id: units}
    for line in ret.lines:
        if line.extra and line.resolution != "replace":
            extra[line.line_id] = union(extra.get(line.line_id, []), line.units)
    return credit_memo_for(order, "", ret.id, extra, ret.reduce_shipping).total_amount


def _also(order: Order, line: PlacedLine, quantity: int, resolution: str, settings: Settings) -> list[list[int]]:
    """Units beyond what was announced that may come back, as far as the line's rule has nothing against it."""
    units = returnable(order, line, settings)
    if line.return_rule or (line.product or {}).get("final_sale"):
        from oms.returns import rules  # noqa: PLC0415 as in announcing

        units = [] if rules.rule_of(line).final_sale else rules.in_time(order, line, units)
        if resolution not in rules.rule_of(line).resolutions:
            units = []
    return lowest(units, min(quantity, count(units)))


def _note(order: Order, ret: Return, row: ReceivedLine, line_id: str, quantity: int, place: str) -> None:
    ret.receipts.append(
        Receipt(
            line_id=line_id,
            quantity=quantity,
            condition=row.condition,
            disposition=row.disposition or USUAL[row.condition],
            location_id=place,
            note=row.note,
            at=order.now,
        )
    )


def _note_surplus(order: Order, ret: Return, row: ReceivedLine, quantity: int, place: str | None) -> Receipt:
    """Goods that pay nothing. Whose they are is not known: they are set apart, unless somebody says that they go on the shelf."""
    line_id = row.line_id or next(iter(_lines_of(order, ret, row)), "")
    sku = row.sku or (order.line(line_id)[0].sku if row.condition != "wrong_item" else None)
    receipt = Receipt(
        line_id=line_id,
        sku=sku,
        quantity=quantity,
        condition=row.condition,
        disposition=row.disposition or "quarantine",
        location_id=place or shipped_from(order, ret.lines[0].line_id),
        note=row.note,
        at=order.now,
        settled=True,
        surplus=True,
    )
    ret.receipts.append(receipt)
    if receipt.disposition == "restock" and sku:
        order.stock.append(StockChange(sku, receipt.location_id, on_hand=quantity))
    return receipt


def _call_somebody(order: Order, ret: Return, surplus: Sequence[Receipt], beyond: int) -> None:
    """An exception about what came unexpectedly; what the box should have held instead, a wrong item, is named by its line. `beyond`: how
    many units of it may come back, but not by the word of who took them in."""
    if not surplus:
        return
    details: list[dict[str, Any]] = [
        each.model_dump(include={"line_id", "sku", "quantity", "condition", "location_id"}, exclude_none=True) for each in surplus
    ]
    what = ", ".join(f"{each.quantity} of {each.sku or f'something else instead of line {each.line_id}'}" for each in surplus)
    limit = f"; {beyond} of it may come back, but is worth more than who took it in may give away" if beyond else ""
    put_before_somebody(
        order,
        exception_about(order, f"{ret.id}/{KIND}/{len(ret.receipts)}"),
        kind=KIND,
        step="Wait for goods",
        cause=f"{ret.id} brought {what}, which nothing is paid for{limit}",
        hint=_HINT_BEYOND if beyond else _HINT,
        actions=["resolve:accept", "abandon"],
        subject=ret.id,
        details=details,
    )
