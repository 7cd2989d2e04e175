"""Holds: several at once, each with its reason and what it blocks."""

from __future__ import annotations

from oms.errors import Conflict, NotFound
from oms.orders.order import Order
from oms.orders.placing import HoldRequest
from oms.orders.records import Hold


def place_hold(order: Order, request: HoldRequest) -> Hold:
    """Put a hold on the order."""
    hold = Hold(id=order.next_id("hold"), placed_at=order.now, **request.model_dump())
    order.summary.holds.append(hold)
    order.record("order.held", hold_id=hold.id, kind=hold.kind, reason=hold.reason, blocks=hold.blocks)
    return hold


def release_hold(order: Order, hold_id: str) -> Hold:
    """Release one hold by its id; the others stay."""
    hold = next((hold for hold in order.summary.holds if hold.id == hold_id), None)
    if hold is None:
        raise NotFound(f"order {order.placed.order_number} has no hold '{hold_id}'")
    if hold.released_at:
        raise Conflict(f"hold {hold_id} was released at {hold.released_at}")
    hold.released_at = order.now
    order.record("order.hold_released", hold_id=hold.id, kind=hold.kind)
    return hold
