"""The steps of an order's fulfillment: Allocate, Expire; and what locations report."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from typing import Any

from oms.carriers.tracking import Tracking, apply
from oms.errors import Conflict, invalid
from oms.flows.capacity import capacity_ahead, capacity_left
from oms.fulfillment.allocate import allocate, needs_stock
from oms.fulfillment.arrivals import arrive
from oms.fulfillment.late import late_units, reclaim, told_before
from oms.fulfillment.work import RejectRequest, ShipRequest, expire, reject, ship, tracking_key
from oms.machines.outcomes import after_shipping, go, seconds_left
from oms.orders.order import Claim, Order
from oms.orders.records import FulfillmentOrder
from oms.service.reasons import check_reason
from oms.storage.claims import claim_of
from oms.storage.inventory import stock_at, stock_of
from oms.storage.orders import Cause, StockShort, commit, load, update
from oms.storage.settings import settings
from oms.storage.table import Lost

_ATTEMPTS = 6


def allocate_step(order_id: str, execution: str, entered: str = "", seconds_left: Callable[[], float] = lambda: 25) -> dict[str, Any]:
    """The Allocate state: hand out all that can be handed out, and say what comes next."""
    for attempt in range(_ATTEMPTS):
        order = load(order_id)
        if order.placed.chunks:
            from oms.flows.large_work import allocate_large  # noqa: PLC0415 most orders are small: they do not pay for it

            return {"next": allocate_large(order, execution, entered, seconds_left)}
        skus, picture = needs_stock(order), settings()
        stock = stock_of(skus) if skus else {}
        next_ = allocate(order, stock, picture, capacity_left(picture, stock, order.now), capacity_ahead, entered)
        try:
            commit(order, Cause("allocate", execution))
        except (Lost, StockShort):
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
            continue
        return {"next": next_}
    raise AssertionError("unreachable")


def expire_step(order_id: str, fulfillment_order_id: str, execution: str) -> dict[str, Any]:
    """The Expire state: what nobody shipped in time goes back to be routed again."""
    order = update(order_id, lambda o: expire(o, o.fulfillment_order(fulfillment_order_id)), Cause("ship", execution))
    return (after_shipping(order, order.fulfillment_order(fulfillment_order_id)) or go("expired")).output or {}


def clock_has_run_out(order: Order, fo: FulfillmentOrder) -> bool:
    """Whether nobody confirms this delivery and its time has come."""
    return fo.assume_delivered_after_days is not None and bool(order.under_way(fo.id)) and not seconds_left(order, fo)


def deliver_by_clock(order_id: str, fulfillment_order_id: str, execution: str) -> None:
    """The parcels count as delivered."""

    def assume(order: Order) -> None:
        fo = order.fulfillment_order(fulfillment_order_id)
        if clock_has_run_out(order, fo):
            arrive(order, order.under_way(fo.id), order.now, assumed=True)

    update(order_id, assume, Cause("deliver", execution))


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
            holder = claim_of(name) or {}
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
