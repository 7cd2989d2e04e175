"""What locations report of their work: parcels, and what they do not do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oms.carriers.tracking import Tracking, apply
from oms.errors import Conflict, invalid
from oms.fulfillment.late import late_units, reclaim, told_before
from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.requests import RejectRequest, ShipRequest
from oms.fulfillment.work import reject, ship
from oms.orders.order import Claim, Order, tracking_key
from oms.service.reasons import check_reason
from oms.storage.claims import claim_of
from oms.storage.inventory import stock_at
from oms.storage.settings import settings


def effects() -> dict[str, str]:
    """What each reason that a merchant has set says of the stock of what it is given for."""
    return {reason: rule.effect for reason, rule in settings().reasons.items()}


def check_reasons(given: Iterable[tuple[str, str]]) -> None:
    """Invalid for a reason (with its pointer) that a location may not give for what it does not do."""
    picture = settings()
    faults = [fault for reason, pointer in given for fault in check_reason(picture, "reject", reason.strip(), pointer)]
    if faults:
        raise invalid(*faults)


def reject_work(order: Order, fo: FulfillmentOrder, request: RejectRequest) -> None:
    """A location does not do (a part of) the work; its reason is one of the catalogue's, if there is one."""
    check_reasons([(request.reason, "/reason")])
    reject(order, fo, request, effects())


def ship_packages(order: Order, fulfillment_order_id: str, request: ShipRequest) -> None:
    """Record shipments; carrier news that came before its parcel was known is applied in the same commit. What was taken back from the
    location and has left all the same counts too."""
    fo = order.fulfillment_order(fulfillment_order_id)
    if told_before(order, fo, request):
        return
    late = late_units(order, fo, request)
    if late:
        skus = {order.line(line_id)[0].sku for line_id in late}
        rest = reclaim(order, fo, request, late, {sku: row for sku in skus if (row := stock_at(sku, fo.location_id))})
        if rest is None:
            return
        request = rest
    known = {parcel.tracking_number for parcel in order.shipments.values()}
    kept: dict[str, list[dict[str, Any]]] = {}
    tracked: dict[str, Claim] = {}
    for package in request.packages:
        number = package.tracking_number
        if number and number not in known:
            name = tracking_key(number)
            holder = claim_of(name, consistent=order.again) or {}
            if holder.get("order_id"):
                raise Conflict(
                    f"tracking number {number} belongs to {holder.get('return_id') or 'shipment ' + holder['shipment_id']}",
                    kind="duplicate-tracking-number",
                )
            tracked[number] = Claim(name, {}, seen=int(holder.get("v", 0)))
            kept[number] = holder.get("kept", [])
    if request.short:
        check_reasons((row.reason, f"/short/{index}/reason") for index, row in enumerate(request.short))
    ship(order, fo, request, tracked, effects() if request.short else None)
    for parcel in order.shipments_of(fo.id):
        for news in sorted(kept.get(parcel.tracking_number or "", []), key=lambda item: item["occurred_at"]):
            apply(order, parcel, Tracking(**news))
