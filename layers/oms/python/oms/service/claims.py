"""Claims on a shipment: units that are lost, damaged or missing are sent again, or paid back without a return.

What is lost on its way, or missing from what was delivered, is written off: it cannot come back, and counts as the end of its delivery.
What is damaged is with the customer. A refund takes exactly what the units are still worth, so never more than was paid for them.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, Self

from pydantic import Field, model_validator

from oms.errors import Conflict, Fault, NotFound, invalid
from oms.fulfillment.arrivals import follow_parcels, write_off
from oms.fulfillment.records import Shipment
from oms.fulfillment.replacements import replace_units, replaced
from oms.money.units import Units, count, lowest, minus, union
from oms.orders.order import Order
from oms.orders.quantities import available_to_reship
from oms.payments.gift_cards import is_gift_card
from oms.payments.records import Change, ChangeLine, Claim
from oms.service.asking import Asked
from oms.service.changes import begin_change, go_on
from oms.service.claimed import claimed, refunded
from oms.service.closing import close_exception
from oms.service.follow import follow_change
from oms.service.lines import by_line, quantity_at
from oms.service.pay_back import must_be_paid, pay_back
from oms.service.reasons import check_reason
from oms.service.reshipments import MOST_LINES, Send, send_or_refuse
from oms.service.stages import returning_units
from oms.settings import Settings
from oms.wire import Amount, Key, Moment, Name, Quantity, Text, Wire, WrongField

_NEVER_CAME = ("lost", "missing")


class ClaimLine(Wire):
    """Units of one line in the parcel."""

    line_id: Key
    quantity: Quantity
    reason: Text | None = None


class CarrierClaim(Wire):
    """What is known of the claim that the merchant makes on the carrier; `amount` in whole minor units of the order's currency."""

    reference: Name | None = None
    status: Name | None = None
    amount: Amount | None = None
    filed_at: Moment | None = None
    note: Text | None = None


class ClaimRequest(Asked):
    """`POST /v1/shipments/{id}/claims`. `lost`: it has not come; `missing`: it was not in what came; `damaged`. `cost`: what the merchant
    bears, in whole minor units. `reduce_shipping`: a refund gives the units' part of the delivery charge back too."""

    kind: Literal["lost", "damaged", "missing"]
    lines: list[ClaimLine] = Field(min_length=1, max_length=MOST_LINES)
    remedy: Literal["reship", "refund"]
    reason: Text | None = None
    cost: Amount | None = None
    carrier_claim: CarrierClaim | None = None
    reduce_shipping: bool = False

    @model_validator(mode="after")
    def _refund_only(self) -> Self:
        if self.reduce_shipping and self.remedy != "refund":
            raise WrongField("reduce_shipping", "it goes with the remedy refund")
        return self


class ShipmentClaim(ClaimRequest):
    """The same with the shipment that its path names."""

    shipment_id: Key


def claim(order: Order, request: ShipmentClaim, send: Send, settings: Settings, actor: str) -> Change:
    """Write off what never came, and send it again or pay it back. Conflict for a kind that does not fit where the parcel is, for units
    that were claimed before, that come back, or that may not be sent again, and when stock is short; Invalid for lines that the parcel has
    not, and for a reason that is not in the catalogue."""
    parcel = order.shipments.get(request.shipment_id)
    if parcel is None:
        raise NotFound(f"there is no shipment '{request.shipment_id}'")
    _must_fit(order, parcel, request)
    units = _units(order, parcel, request, settings)
    change = begin_change(order, "claim", actor, reason=request.reason)
    told = request.carrier_claim.model_dump(exclude_none=True) if request.carrier_claim else None
    change.claim = Claim(shipment_id=parcel.id, kind=request.kind, remedy=request.remedy, cost=request.cost, carrier_claim=told or None)
    change.lines = [ChangeLine(line_id=row.line_id, units=units[row.line_id], reason=row.reason) for row in request.lines]
    again = {line_id: _to_send(order, parcel, request.kind, line_id, mine) for line_id, mine in units.items()}
    if request.kind in _NEVER_CAME:
        for line_id, mine in units.items():
            write_off(order, parcel, line_id, mine)
    quantities = {line_id: count(mine) for line_id, mine in units.items()}
    order.record("shipment.claimed", shipment_id=parcel.id, change_id=change.id, kind=request.kind, remedy=request.remedy, lines=quantities)
    if request.remedy == "refund":
        change.reduce_shipping = request.reduce_shipping
        pay_back(order, change, units, delivery=request.reduce_shipping)
        must_be_paid(order, change, "/lines")
    else:
        for row in request.lines:
            replace_units(order, row.line_id, again[row.line_id], change.id, row.reason or request.reason)
        send_or_refuse(order, change, send, partial(quantity_at, request.lines))
    _follow(order, parcel)
    go_on(order, change)
    follow_change(order)
    return change


def _must_fit(order: Order, parcel: Shipment, request: ClaimRequest) -> None:
    """What has come cannot be lost on its way; what is on its way cannot be damaged or missing, as far as anybody says when it comes."""
    if request.kind == "lost" and parcel.delivered_at:
        detail = f"shipment {parcel.id} was delivered at {parcel.delivered_at}; what was not in it is missing"
    elif request.kind != "lost" and not parcel.delivered_at and _is_confirmed(order, parcel):
        detail = f"shipment {parcel.id} is not delivered yet; what does not come is lost"
    else:
        return
    raise Conflict(detail, kind="not-claimable", errors=[Fault(detail, "/kind")])


def _is_confirmed(order: Order, parcel: Shipment) -> bool:
    return order.fulfillment_orders[parcel.fulfillment_order_id].assume_delivered_after_days is None


def _units(order: Order, parcel: Shipment, request: ClaimRequest, settings: Settings) -> dict[str, list[list[int]]]:
    """The lowest units of the parcel that may be claimed so, per line."""
    rows = by_line(order, request.lines)
    wrong: list[Fault] = []
    over: list[Fault] = []
    units: dict[str, list[list[int]]] = {}
    for index, (line_id, row) in enumerate(rows.items()):
        wrong += check_reason(settings, "claim", row.reason or request.reason, f"/lines/{index}/reason")
        if line_id not in parcel.lines:
            wrong.append(Fault(f"shipment {parcel.id} has no line '{line_id}'", f"/lines/{index}/line_id"))
            continue
        if is_gift_card(order.line(line_id)[0]) and _may_be_spent(parcel, request):
            detail = "the gift card may have been spent; return it (mode immediate), which closes the card before its price is paid back"
            over.append(Fault(detail, f"/lines/{index}/line_id"))
        settled = refunded(order, line_id) if request.remedy == "refund" else []
        free = minus(parcel.lines[line_id], union(claimed(order, parcel.id, line_id), returning_units(order, line_id), settled))
        at = f"/lines/{index}/quantity"
        if row.quantity > count(free):
            over.append(Fault(f"{row.quantity} of line '{line_id}' asked, {count(free)} can be claimed", at))
            continue
        units[line_id] = lowest(free, row.quantity)
        room = available_to_reship(order.summary.lines[line_id])
        room += row.quantity if parcel.replaces and request.kind in _NEVER_CAME else 0
        again = count(_to_send(order, parcel, request.kind, line_id, units[line_id]))
        if request.remedy == "reship" and again > room:
            over.append(Fault(f"{again} of line '{line_id}' would be sent again, {room} can be", at))
    if wrong:
        raise invalid(*wrong)
    if over:
        raise Conflict("more than can be claimed", kind="not-claimable", errors=over)
    return units


def _may_be_spent(parcel: Shipment, request: ClaimRequest) -> bool:
    """Whether a gift card that is paid back could be spent all the same: it comes alive when its parcel is delivered, unless it is written
    off by then."""
    return request.remedy == "refund" and (bool(parcel.delivered_at) or request.kind not in _NEVER_CAME)


def _to_send(order: Order, parcel: Shipment, kind: str, line_id: str, units: Units) -> list[list[int]]:
    """Units that need a replacement: what has never come and was sent again meanwhile has one."""
    there = replaced(order, line_id) if kind in _NEVER_CAME and not parcel.replaces else []
    return minus(units, there)


def _follow(order: Order, parcel: Shipment) -> None:
    """Work whose parcels have all come or are written off is over, and so is what somebody was asked about its delivery."""
    fo = order.fulfillment_orders[parcel.fulfillment_order_id]
    follow_parcels(order, fo)
    if fo.status != "delivered":
        return
    for problem in list(order.exceptions.values()):
        if problem.status == "open" and problem.subject == fo.id and problem.step == "Deliver" and problem.execution:
            close_exception(order, problem, "resolved", "claimed", None)
