"""Holds: several at once, each with its reason, what it blocks, who may release it, and when it lets go by itself."""

from __future__ import annotations

from collections.abc import Callable

from oms.clock import later
from oms.errors import Conflict, Forbidden, NotFound
from oms.orders.hold_request import HoldRequest
from oms.orders.order import Order
from oms.orders.records import Hold
from oms.settings import Settings

REMORSE = "remorse"
"""The kind of hold that gives customers time to think better of it."""
CLOCK = "clock"
"""Who releases a hold whose time is over."""


def place_hold(order: Order, request: HoldRequest) -> Hold:
    """Put a hold on the order."""
    hold = Hold(id=order.next_id("hold"), placed_at=order.now, **request.model_dump())
    order.summary.holds.append(hold)
    order.record("hold.placed", hold_id=hold.id, kind=hold.kind, reason=hold.reason, blocks=hold.blocks, expires_at=hold.expires_at)
    return hold


def hold_for_remorse(order: Order, settings: Settings) -> None:
    """Where the channel says so, keep the order from allocation for a while. An order that is submitted again waits from then on."""
    seconds = settings.channel(order.placed.channel).remorse_delay_seconds
    if not seconds:
        return
    until = later(order.now, seconds=seconds)
    known = next((hold for hold in order.summary.holds if hold.kind == REMORSE and not hold.released_at), None)
    if known:
        known.expires_at = until
        return
    place_hold(order, HoldRequest(kind=REMORSE, reason="the customer may still change their mind", expires_at=until))


def release_hold(order: Order, hold_id: str, by: str, has: Callable[[str], bool]) -> Hold:
    """Release one hold by its id; the others stay. `has`: whether who releases it has that scope or role.

    NotFound for a hold that there is not, Conflict for one that is gone, Forbidden for who may not release it.
    """
    hold = next((hold for hold in order.summary.holds if hold.id == hold_id), None)
    if hold is None:
        raise NotFound(f"order {order.placed.order_number} has no hold '{hold_id}'")
    if hold.released_at:
        raise Conflict(f"hold {hold_id} was released at {hold.released_at}")
    if hold.release_by and not has(hold.release_by):
        raise Forbidden(f"hold {hold_id} ({hold.kind}) is released by {hold.release_by}; ask somebody who has that scope or role")
    hold.released_at, hold.released_by = order.now, by
    order.record("hold.released", hold_id=hold.id, kind=hold.kind)
    return hold


def let_go(order: Order, kind: str) -> None:
    """The holds of a kind have served: the system releases them."""
    for hold in order.summary.holds:
        if hold.kind == kind and not hold.released_at:
            hold.released_at, hold.released_by = order.now, kind
            order.record("hold.released", hold_id=hold.id, kind=hold.kind)


def expired(order: Order) -> list[Hold]:
    """Holds whose time is over and that nobody has released."""
    return [hold for hold in order.summary.holds if not hold.released_at and hold.expires_at is not None and hold.expires_at <= order.now]


def expire_holds(order: Order) -> None:
    """Let go of the holds whose time is over."""
    for hold in expired(order):
        hold.released_at, hold.released_by = order.now, CLOCK
        order.record("hold.expired", hold_id=hold.id, kind=hold.kind)
