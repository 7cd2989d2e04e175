"""Carrier news: to the parcel it is about (on its way to a customer, or back), or kept until that parcel is known."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from oms.carriers.tracking import Tracking, apply
from oms.errors import Retryable
from oms.orders.order import Order, tracking_key
from oms.storage.claims import claim_of, keep_for_later
from oms.storage.orders import Cause, update
from oms.storage.table import Lost

_KEPT_SECONDS = 30 * 24 * 3600
_ATTEMPTS = 6


def track(news: Tracking, cause: str) -> bool:
    """Apply the news. False when it changed nothing now: repeated, old, or about a parcel not known yet (kept 30 days)."""
    name = tracking_key(news.tracking_number)
    for attempt in range(_ATTEMPTS):
        holder = claim_of(name, consistent=attempt > 0)
        if holder and holder.get("order_id"):
            return _apply(holder, news, cause)
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


def _apply(holder: Mapping[str, Any], news: Tracking, cause: str) -> bool:
    changed = False

    def move(order: Order) -> None:
        nonlocal changed
        if "return_id" in holder:
            from oms.returns.labels import follow  # noqa: PLC0415 most parcels are on their way to a customer

            changed = follow(order, order.returns[holder["return_id"]], news)
        else:
            changed = apply(order, order.shipments[holder["shipment_id"]], news)

    update(holder["order_id"], move, Cause(f"carrier:{news.carrier or 'unknown'}", cause))
    return changed
