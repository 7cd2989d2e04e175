"""Changes: what was done to an order after it was placed that moves money. The change machine moves it; an edge never does."""

from __future__ import annotations

from typing import Any

from oms.errors import NotFound
from oms.orders.order import Order
from oms.payments.records import Change


def open_change(order: Order, kind: str, *, worth: int = 0, payment_id: str | None = None, reason: str | None = None) -> Change:
    """A change whose money is to be moved. `worth`: by how much it lowered what the order costs; no more is paid back for it."""
    change = Change(id=order.next_id("chg"), kind=kind, worth=worth, payment_id=payment_id, reason=reason, requested_at=order.now)
    order.changes[change.id] = change
    order.record("change.requested", change_id=change.id, kind=kind, worth=worth or None, payment_id=payment_id)
    return change


def close_change(order: Order, change: Change, status: str) -> None:
    """Its money has moved, or cannot: done, partial or refused."""
    if change.status != "pending":
        return
    order.changes[change.id] = change.model_copy(update={"status": status, "closed_at": order.now})
    order.record(f"change.{status}", change_id=change.id, kind=change.kind)


def find(order: Order, change_id: str) -> Change:
    """One change, or NotFound."""
    if change_id not in order.changes:
        raise NotFound(f"there is no change '{change_id}'")
    return order.changes[change_id]


def change_view(change: Change) -> dict[str, Any]:
    """As the API shows it."""
    return change.model_dump(exclude={"v", "run"}, exclude_none=True)
