"""Carrier news: to the parcel it is about, or kept until that parcel is known."""

from __future__ import annotations

import time

from oms.carriers.tracking import Tracking, apply
from oms.errors import Retryable
from oms.fulfillment.work import tracking_key
from oms.orders.order import Order
from oms.storage.orders import Cause, claim_of, keep_for_later, update
from oms.storage.table import Lost

_KEPT_SECONDS = 30 * 24 * 3600
_ATTEMPTS = 6


def track(news: Tracking, cause: str) -> bool:
    """Apply the news. False when it changed nothing now: repeated, old, or about a parcel not known yet (kept 30 days)."""
    name = tracking_key(news.tracking_number)
    for _ in range(_ATTEMPTS):
        holder = claim_of(name)
        if holder and holder.get("order_id"):
            return _apply(holder["order_id"], holder["shipment_id"], news, cause)
        kept = list((holder or {}).get("kept", []))
        row = news.model_dump(exclude_none=True)
        if row in kept:
            return False
        try:
            keep_for_later(name, holder, {"kept": [*kept, row][-50:]}, int(time.time()) + _KEPT_SECONDS)
        except Lost:
            continue
        return False
    raise Retryable("too many news of one parcel at the same moment; send it again")


def _apply(order_id: str, shipment_id: str, news: Tracking, cause: str) -> bool:
    changed = False

    def move(order: Order) -> None:
        nonlocal changed
        changed = apply(order, order.shipments[shipment_id], news)

    update(order_id, move, Cause(f"carrier:{news.carrier or 'unknown'}", cause))
    return changed
