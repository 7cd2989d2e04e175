"""Returns: request, approve, receive, settle. What is paid back is the frozen value of exactly the units that arrived (design 4, 5)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from oms.errors import Conflict, Fault, Forbidden, NotFound, invalid
from oms.ids import memo_of
from oms.money.units import lowest, minus, union
from oms.orders.order import Order, StockChange
from oms.orders.quantities import available_to_return
from oms.orders.records import Override, PlacedLine, Receipt, Return, ReturnLine
from oms.payments.invoices import credit_memo_for
from oms.payments.records import CreditMemo
from oms.service.reasons import check_reason
from oms.service.stages import returning_units
from oms.settings import Settings
from oms.wire import Key, Quantity, Text, Wire


class ReturnLineRequest(Wire):
    """Units of one line to be sent back."""

    line_id: Key
    quantity: Quantity
    reason: Text = ""
    resolution: Literal["refund"] = "refund"


class OverrideRequest(Wire):
    """Why a return is taken though the rules are against it."""

    reason: Text = Field(min_length=1)


class ReturnRequest(Wire):
    """`POST /v1/orders/{id}/returns`. `override`: an agent takes it though the rules are against it."""

    lines: list[ReturnLineRequest] = Field(min_length=1, max_length=200)
    mode: Literal["rma"] = "rma"
    reduce_shipping: bool = False
    override: OverrideRequest | None = None


class ReceivedLine(Wire):
    """What was in the box."""

    line_id: Key
    quantity: Quantity
    condition: Literal["resellable", "damaged", "wrong_item"] = "resellable"
    disposition: Literal["restock", "quarantine", "discard"] | None = None
    note: Text | None = None


class ReceiveRequest(Wire):
    """`POST /v1/returns/{id}/receive`."""

    lines: list[ReceivedLine] = Field(min_length=1, max_length=200)
    location_id: Key | None = None


class ReasonRequest(Wire):
    """Approve, reject, cancel, close: why."""

    reason: Text | None = None


def request_return(order: Order, request: ReturnRequest, settings: Settings, *, by: str = "", self_service: bool = False) -> Return:
    """Announce a return of delivered units (shipped ones, where nobody confirms delivery). It is approved at once where the rule of every
    line says so. `by`: who asks; `self_service`: a customer.

    Conflict if more than can come back, or the rules are against it and no agent overrides them; Invalid for a reason not in the
    catalogue; Forbidden for a customer who overrides.
    """
    if self_service and request.override:
        raise Forbidden("only the shop may take a return that the rules are against; leave /override out")
    wanted: dict[str, ReturnLineRequest] = {}
    faults: list[Fault] = []
    for index, row in enumerate(request.lines):
        if row.line_id in wanted:
            faults.append(Fault("this line is named twice; add the quantities up", f"/lines/{index}/line_id"))
        elif row.line_id not in order.summary.lines:
            faults.append(Fault(f"the order has no line '{row.line_id}'", f"/lines/{index}/line_id"))
        wanted[row.line_id] = row
        faults += check_reason(settings, "return", row.reason, f"/lines/{index}/reason", self_service=self_service)
    if faults:
        raise invalid(*faults)
    lines = []
    against: list[Fault] = []
    automatic = True
    for index, row in enumerate(request.lines):
        line, state = order.line(row.line_id)
        free = available_to_return(state, confirmed(order, line, settings))
        if row.quantity > free:
            faults.append(Fault(f"{row.quantity} asked, {free} can be returned", f"/lines/{index}/quantity"))
            continue
        returnable = minus(_arrived(order, line, settings), returning_units(order, line.id))
        units, found, at_once = _by_rule(order, line, returnable, row, f"/lines/{index}")
        against, automatic = against + found, automatic and at_once
        lines.append(ReturnLine(line_id=line.id, units=units, reason=row.reason, resolution=row.resolution, quantity=row.quantity))
    if faults:
        raise Conflict("more than can be returned", kind="not-returnable", errors=faults)
    if against and not request.override:
        hint = "" if self_service else "; an agent may take it all the same with override"
        raise Conflict(f"the return rules do not allow this{hint}", kind="not-returnable", errors=against)
    ret = Return(id=order.next_id("ret"), lines=lines, reduce_shipping=request.reduce_shipping, requested_at=order.now)
    if against and request.override:
        ret.override = Override(reason=request.override.reason, by=by, against=[fault.detail for fault in against])
    order.returns[ret.id] = ret
    for coming in lines:
        order.summary.lines[coming.line_id].return_initiated += coming.quantity
    order.record(
        "return.requested",
        return_id=ret.id,
        lines={line.line_id: line.quantity for line in lines},
        overridden=ret.override.against if ret.override else None,
    )
    if automatic and not ret.override:
        approve(order, ret)
    return ret


def approve(order: Order, ret: Return) -> None:
    """The goods may come."""
    _expect(ret, "approve", "requested")
    ret.status = "approved"
    order.record("return.approved", return_id=ret.id)


def reject(order: Order, ret: Return, reason: str | None) -> None:
    """The goods may not come; their units are free again."""
    _expect(ret, "reject", "requested")
    _free_rest(order, ret)
    ret.status, ret.reason = "rejected", reason
    order.record("return.rejected", return_id=ret.id, reason=reason)


def cancel(order: Order, ret: Return) -> None:
    """Nothing comes after all; possible until something is received."""
    _expect(ret, "cancel", "requested", "approved", "in_transit")
    _free_rest(order, ret)
    ret.status = "cancelled"
    order.record("return.cancelled", return_id=ret.id)


def receive(order: Order, ret: Return, request: ReceiveRequest, settings: Settings) -> None:
    """A box arrived. Resellable and damaged units count as received; a wrong item is noted and pays nothing."""
    _expect(ret, "receive", "approved", "in_transit", "partially_received")
    by_line = {line.line_id: line for line in ret.lines}
    faults: list[Fault] = []
    counted: dict[str, int] = {}
    for index, row in enumerate(request.lines):
        if row.line_id not in by_line:
            faults.append(Fault(f"return {ret.id} has no line '{row.line_id}'", f"/lines/{index}/line_id"))
        elif row.condition != "wrong_item":
            counted[row.line_id] = counted.get(row.line_id, 0) + row.quantity
            if counted[row.line_id] > by_line[row.line_id].open:
                faults.append(Fault(f"{counted[row.line_id]} received, {by_line[row.line_id].open} expected", f"/lines/{index}/quantity"))
    if request.location_id and request.location_id not in settings.locations:
        faults.append(Fault(f"there is no location '{request.location_id}'", "/location_id"))
    if faults:
        raise invalid(*faults)
    for row in request.lines:
        place = request.location_id or _shipped_from(order, row.line_id)
        disposition = row.disposition or {"resellable": "restock", "damaged": "quarantine", "wrong_item": "quarantine"}[row.condition]
        ret.receipts.append(
            Receipt(
                line_id=row.line_id,
                quantity=row.quantity,
                condition=row.condition,
                disposition=disposition,
                location_id=place,
                note=row.note,
                at=order.now,
                settled=row.condition == "wrong_item",
            )
        )
        if row.condition != "wrong_item":
            by_line[row.line_id].received += row.quantity
    if counted:
        ret.status = "received" if not any(line.open for line in ret.lines) else "partially_received"
    order.record("return.received", return_id=ret.id, lines=[row.model_dump(exclude_none=True, exclude={"note"}) for row in request.lines])


def close(order: Order, ret: Return) -> None:
    """Nothing more is expected: what has not arrived is free again."""
    _expect(ret, "close", "approved", "in_transit", "partially_received")
    _free_rest(order, ret)
    ret.status = "received" if unsettled(ret) else "settled" if any(line.settled for line in ret.lines) else "cancelled"
    order.record("return.closed", return_id=ret.id)


def expire(order: Order, ret: Return) -> None:
    """The goods did not come in time."""
    if ret.status in ("requested", "approved", "in_transit", "partially_received"):
        _free_rest(order, ret)
        ret.status = "expired"
        order.record("return.expired", return_id=ret.id)


def unsettled(ret: Return) -> dict[str, list[list[int]]]:
    """Units that have arrived and are not paid back yet, per line."""
    return {
        line.line_id: minus(lowest(line.units, line.received), lowest(line.units, line.settled))
        for line in ret.lines
        if line.received > line.settled
    }


def credit(order: Order, ret: Return) -> CreditMemo | None:
    """The credit memo for what has arrived and is not settled, None if nothing. Its id is derived from how much was settled before.

    What it covers is noted on the return: asked again before it is settled, the answer is the same, even if more has arrived by then.
    """
    if not any(line.settling > line.settled for line in ret.lines):
        for line in ret.lines:
            line.settling = line.received
    units = {
        line.line_id: minus(lowest(line.units, line.settling), lowest(line.units, line.settled))
        for line in ret.lines
        if line.settling > line.settled
    }
    if not units:
        return None
    settled = sum(line.settled for line in ret.lines)
    return credit_memo_for(order, memo_of(ret.id, settled), ret.id, units, ret.reduce_shipping)


def settle(order: Order, ret: Return, memo: CreditMemo) -> None:
    """Credit, count and restock what the memo covers; the refund itself is on the tenders. What arrived meanwhile is settled next."""
    order.credit_memos[memo.id] = memo
    covered = {row["line_id"]: row["quantity"] for row in memo.lines}
    for line in ret.lines:
        line.settled = line.settling = line.settled + covered.get(line.line_id, 0)
        order.summary.lines[line.line_id].returned += covered.get(line.line_id, 0)
    for receipt in ret.receipts:
        if receipt.settled or receipt.quantity > covered.get(receipt.line_id, 0):
            continue
        covered[receipt.line_id] -= receipt.quantity
        receipt.settled = True
        if receipt.disposition == "restock":
            line_placed, _ = order.line(receipt.line_id)
            order.stock.append(StockChange(line_placed.sku, receipt.location_id, on_hand=receipt.quantity))
    if not any(line.open or line.received > line.settled for line in ret.lines):
        ret.status = "settled"
    order.record("credit_memo.created", credit_memo_id=memo.id, return_id=ret.id, total_amount=memo.total_amount)
    order.record("return.settled", return_id=ret.id, lines={row["line_id"]: row["quantity"] for row in memo.lines})


def change_status(ret: Return) -> str:
    """A return as a change to the order: pending until it is settled or over."""
    return {"settled": "done", "rejected": "refused", "cancelled": "refused", "expired": "refused"}.get(ret.status, "pending")


def confirmed(order: Order, line: PlacedLine, settings: Settings) -> bool:
    """Whether somebody confirms delivery of this line's group."""
    group = order.group_of(line)
    return settings.method(group.method).delivery_confirmation == "carrier"


def find(order: Order, return_id: str) -> Return:
    """One return, or NotFound."""
    if return_id not in order.returns:
        raise NotFound(f"there is no return '{return_id}'")
    return order.returns[return_id]


def _expect(ret: Return, action: str, *statuses: str) -> None:
    if ret.status not in statuses:
        raise Conflict(f"return {ret.id} is {ret.status}; {action} is possible when it is {' or '.join(statuses)}")


def _free_rest(order: Order, ret: Return) -> None:
    for line in ret.lines:
        order.summary.lines[line.line_id].return_initiated -= line.open
        line.closed += line.open


def _by_rule(
    order: Order, line: PlacedLine, returnable: list[list[int]], row: ReturnLineRequest, pointer: str
) -> tuple[list[list[int]], list[Fault], bool]:
    """The units that come back, what the line's rule has against it, and whether the rule approves it by itself."""
    if not line.return_rule and not (line.product or {}).get("final_sale"):
        return lowest(returnable, row.quantity), [], False
    from oms.returns import rules  # noqa: PLC0415 few shops have any, and every cold start would pay for it

    units = rules.choose(order, line, returnable, row.quantity)
    found = rules.against(order, line, units, row.resolution, pointer)
    return units, found, rules.rule_of(line).approval == "automatic"


def _arrived(order: Order, line: PlacedLine, settings: Settings) -> list[list[int]]:
    needs = confirmed(order, line, settings)
    there = [parcel for parcel in order.shipments.values() if parcel.delivered_at or not (needs or parcel.replaces)]
    return union(*(parcel.brings(line.id) for parcel in there))


def _shipped_from(order: Order, line_id: str) -> str:
    parcel = next(parcel for parcel in order.shipments.values() if line_id in parcel.lines)
    return order.fulfillment_orders[parcel.fulfillment_order_id].location_id
