"""Cancel units of an order at any stage: what no location has at once, the rest by asking it back.

Whole-order cancel does what can be done and tells the rest. What was paid for cancelled units goes back by the change machine.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from oms.clock import parse, stamp
from oms.errors import Conflict, Fault, Refused, invalid
from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.work import close_work, reopen
from oms.money.units import count, highest, minus
from oms.orders.order import Order, StockChange
from oms.orders.quantities import available_to_cancel, cancel_units, kept, open_units, reserved, restore_units
from oms.payments.records import Change, ChangeLine, Into
from oms.service import recalls
from oms.service.asking import Asked
from oms.service.bundles import whole_only, with_components
from oms.service.changes import begin_change, close_change, go_on, measured
from oms.service.charges import settle_charge
from oms.service.fee_requests import FeeRequest, fees_of
from oms.service.follow import follow_change
from oms.service.reasons import check_reason
from oms.service.stages import free_units
from oms.settings import Settings
from oms.wire import Key, Quantity, Text, Wire, WrongField

MOST_LINES = 80
"""Lines in one cancellation: they change in one transaction."""


class CancelLine(Wire):
    """Units of one line."""

    line_id: Key
    quantity: Quantity
    reason: Text | None = None


class CancelRequest(Asked):
    """`POST /v1/orders/{id}/cancellations`: lines with quantities, or all that can still be cancelled; or a `replacement` that has not
    left, by the fulfillment order that was to send it."""

    lines: list[CancelLine] | None = Field(None, min_length=1, max_length=MOST_LINES)
    all: bool = False
    replacement: Key | None = None
    reason: Text | None = None
    reduce_shipping: bool | None = None
    fees: list[FeeRequest] = Field([], max_length=10)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.lines is not None) + self.all + (self.replacement is not None) != 1:
            raise WrongField("lines", 'name lines, or say "all": true')
        if self.replacement and (self.fees or self.reduce_shipping is not None):
            raise WrongField("replacement", "a replacement costs nothing: neither fees nor reduce_shipping go with it")
        return self


class StoppedLine(Wire):
    """Units of a line that a location could still stop."""

    line_id: Key
    quantity: int = Field(ge=0, le=10**6)


class CancelResponse(Wire):
    """`POST /v1/fulfillment-orders/{id}/cancel-response`: what could still be stopped; lines that are not named could not."""

    change_id: Key
    lines: list[StoppedLine] = Field([], max_length=200)


def cancel(
    order: Order, request: CancelRequest, settings: Settings, actor: str, *, self_service: bool = False, into: Into | None = None
) -> Change:
    """Cancel what is asked. Conflict when more is asked than can be cancelled, Invalid for lines that the order has not, and for a reason
    that is not in the catalogue (`self_service`: among those for customers). `into`: where its money goes, if not to the tenders."""
    if request.replacement:
        from oms.service.unsent import cancel_replacement  # noqa: PLC0415 it is seldom, and every cold start would pay for it

        must_have_reason(request, settings)
        return cancel_replacement(order, request.replacement, request.reason, actor)
    wanted = _wanted(order, request)
    must_have_reason(request, settings, self_service=self_service)
    change = begin_change(order, "cancellation", actor, reason=request.reason)
    change.reduce_shipping, change.into = request.reduce_shipping, into
    change.fees = fees_of(order, request.fees)  # due once it is decided
    if request.all:
        change.lines += [
            ChangeLine(line_id=line.id, refused=kept(state) - available_to_cancel(state), reason="it has left")
            for line, state in order.lines()
            if kept(state) > available_to_cancel(state)
        ]
    for line_id, (quantity, reason) in wanted.items():
        with measured(order, change):
            _cancel(order, change, line_id, quantity, reason or request.reason)
    if change.asks:
        set_deadline(order, change, settings)
        go_on(order, change)
    else:
        recalls.decide(order, change)
    follow_change(order)
    return change


def take_back(order: Order, change: Change) -> None:
    """As if it had not been asked for, as long as none of its money has moved: cancelled units are ordered again under their numbers and
    look for a place, and locations keep what was asked back of them. Where it moved a delivery charge to units that have left, or were
    changed since, it stays, and says so: documents may hold that charge."""
    since = [each for each in order.changes.values() if each.requested_at > change.requested_at and each.layers]
    left = [parcel for parcel in order.shipments.values() if parcel.shipped_at >= change.requested_at]
    if change.layers and (since or left):
        change.note = "it stays though its exchange was declined: the delivery charge that it moved is on its way"
        return
    for line in change.lines:
        if line.held:
            recalls.refuse(order, line, line.held)
        if line.units:
            restore_units(order.summary.lines[line.line_id], line.units)
            order.record("order.units_restored", line_id=line.line_id, quantity=count(line.units), units=line.units)
            line.refused, line.units = line.refused + count(line.units), []
    change.layers, change.fees, change.worth = [], [], 0
    close_change(order, change, "refused")
    reopen(order)
    follow_change(order)


def cancel_line(order: Order, change: Change, line_id: str, quantity: int, reason: str | None, at: str) -> None:
    """Cancel units of one line as a part of a change that is measured as a whole. Conflict if there are not as many."""
    free = available_to_cancel(order.summary.lines[line_id])
    if quantity > free:
        fault = Fault(f"{quantity} units less, and {free} can be cancelled", at)
        raise Conflict("more than can be cancelled", kind="not-cancellable", errors=[fault])
    _cancel(order, change, line_id, quantity, reason)


def set_deadline(order: Order, change: Change, settings: Settings) -> None:
    """Until when locations may answer."""
    hours = settings.channel(order.placed.channel).recall_hours
    change.due_at = stamp(parse(order.now) + timedelta(hours=hours))


def must_have_reason(request: CancelRequest, settings: Settings, *, self_service: bool = False) -> None:
    """Invalid where the catalogue has reasons to cancel, and the request gives another or none."""
    if request.lines and not request.reason:
        given = [(row.reason, f"/lines/{index}/reason") for index, row in enumerate(request.lines)]
    else:
        given = [(request.reason, "/reason")]
    faults = [fault for reason, at in given for fault in check_reason(settings, "cancel", reason, at, self_service=self_service)]
    if faults:
        raise invalid(*faults)


def answer(order: Order, fo: FulfillmentOrder, response: CancelResponse) -> None:
    """A location says what it could stop of what a change asked back. Said again, nothing changes. Conflict when it stops more."""
    change = order.changes.get(response.change_id)
    mine = [line for line in change.lines if line.fulfillment_order_id == fo.id] if change else []
    if change is None or not mine:
        raise invalid(Fault(f"nothing was asked back of {fo.id} by this change", "/change_id"))
    stopped: dict[str, int] = {}
    for row in response.lines:
        stopped[row.line_id] = stopped.get(row.line_id, 0) + row.quantity
    asked = {line.line_id: count(line.held) for line in mine if line.held}
    if not asked:
        return
    over = [f"line {key}: {units} stopped, {asked.get(key, 0)} asked" for key, units in stopped.items() if units > asked.get(key, 0)]
    if over:
        raise Conflict(f"more than was asked back of {fo.id}: {'; '.join(over)}")
    for line in mine:
        if line.held:
            recalls.stop(order, change, line, stopped.get(line.line_id, 0))
            recalls.refuse(order, line, line.held)
    close_work(order, fo)
    recalls.decide(order, change)
    follow_change(order)


def _wanted(order: Order, request: CancelRequest) -> dict[str, tuple[int, str | None]]:
    if request.lines is None:
        free = {line.id: available_to_cancel(state) for line, state in order.lines()}
        wanted: dict[str, tuple[int, str | None]] = {line_id: (units, None) for line_id, units in whole_only(order, free).items()}
        if not wanted:
            raise Conflict(f"nothing of order {order.placed.order_number} can be cancelled any more", kind="not-cancellable")
        if len(wanted) > MOST_LINES:
            raise Refused(f"{len(wanted)} lines at once; name at most {MOST_LINES} of them at a time", kind="too-large", status=422)
        return wanted
    wanted, faults = {}, []
    for index, row in enumerate(request.lines):
        if row.line_id in wanted:
            faults.append(Fault("this line is named twice; add the quantities up", f"/lines/{index}/line_id"))
        elif row.line_id not in order.summary.lines:
            faults.append(Fault(f"the order has no line '{row.line_id}'", f"/lines/{index}/line_id"))
        wanted[row.line_id] = (row.quantity, row.reason)
    if faults:
        raise invalid(*faults)
    at = {row.line_id: f"/lines/{index}/quantity" for index, row in enumerate(request.lines)}
    together, faults = with_components(order, {line_id: units for line_id, (units, _) in wanted.items()}, lambda line_id: at[line_id])
    wanted = {line_id: (units, wanted.get(line_id, (0, None))[1]) for line_id, units in together.items()}
    for line_id, (units, _) in wanted.items():
        free_ = available_to_cancel(order.summary.lines[line_id])
        if units > free_:
            faults.append(Fault(f"{units} of line '{line_id}' asked, {free_} can be cancelled", at.get(line_id, "/lines")))
    if faults:
        raise Conflict("more than can be cancelled", kind="not-cancellable", errors=faults)
    return wanted


def _cancel(order: Order, change: Change, line_id: str, quantity: int, reason: str | None) -> None:
    """At once what no location works on, the highest numbers; then the next ones by asking the latest work first."""
    numbers = highest(free_units(order, line_id), quantity)
    loose = _let_go(order, line_id, quantity)
    if loose:
        units = highest(numbers, loose)
        cancel_units(order.summary.lines[line_id], units)
        change.lines.append(ChangeLine(line_id=line_id, units=units, reason=reason))
        order.record("order.units_cancelled", line_id=line_id, quantity=loose, units=units, reason=reason)
        settle_charge(order, change, line_id, units)
        numbers = minus(numbers, units)
    for fo in sorted(_work(order), key=lambda fo: (fo.created_at, fo.id), reverse=True):
        row = fo.lines.get(line_id)
        asked = min(count(numbers), row.open - row.cancel_requested) if row else 0
        if asked > 0:
            units = highest(numbers, asked)
            recalls.ask_back(order, change, fo, line_id, units, reason)
            numbers = minus(numbers, units)


def _let_go(order: Order, line_id: str, quantity: int) -> int:
    """Take up to so many units from wherever no location works on them: without a place, waiting for stock, reserved, on work that was held
    before anybody began. Returns how many; they are the caller's to count as cancelled."""
    line, state = order.line(line_id)
    left = quantity - min(quantity, open_units(state) - reserved(state))
    waiting = min(left, state.backordered)
    if waiting:
        state.backordered -= waiting
        order.stock.append(StockChange(line.sku, "", queue=-waiting))
    if not state.backordered:
        state.promise = None
    left -= waiting
    for place in sorted(state.pins, key=lambda place: (state.pins[place], place)):
        part = min(left, state.pins[place])
        if part:
            order.stock.append(StockChange(line.sku, place, reserve=-part))
            left -= part
            state.pins = {at: units - (part if at == place else 0) for at, units in state.pins.items() if units > part or at != place}
    for fo in _work(order):
        row = fo.lines.get(line_id)
        part = min(left, row.open - row.cancel_requested) if row and _untouched(fo) else 0
        if row and part > 0:
            row.cancelled += part
            state.allocated -= part
            order.stock.append(StockChange(line.sku, fo.location_id, reserve=-part))
            left -= part
            close_work(order, fo)
    return quantity - left


def _work(order: Order) -> list[FulfillmentOrder]:
    """Work on units that were ordered; what is sent once more has left before, and is not cancelled."""
    return [fo for fo in order.fulfillment_orders.values() if not fo.replaces]


def _untouched(fo: FulfillmentOrder) -> bool:
    """Held by its order or for want of money before its location began: nobody there works on it."""
    return fo.status == "on_hold" and fo.held_by in ("order", "payment") and fo.held_from in (None, "released")
