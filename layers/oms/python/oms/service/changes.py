"""Changes: what was done to an order after it was placed. Their money is moved by the change machine; an edge never does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from oms.errors import NotFound
from oms.money.units import both, count
from oms.orders.order import Order
from oms.orders.statuses import totals
from oms.payments.cover import surplus
from oms.payments.invoices import change_invoice, change_memo
from oms.payments.payouts import EXCHANGE
from oms.payments.records import Change
from oms.payments.releases import unneeded

Status = Literal["done", "partial", "refused"]
Stage = Literal["pre_fulfillment", "in_fulfillment", "post_fulfillment"]


def open_change(order: Order, kind: str, *, worth: int = 0, payment_id: str | None = None, reason: str | None = None) -> Change:
    """A change whose money is to be moved. `worth`: by how much it lowered what the order costs; no more is paid back for it."""
    change = Change(
        id=order.next_id("chg"), kind=kind, worth=worth, payment_id=payment_id, reason=reason, requested_at=order.now, started=True
    )
    order.changes[change.id] = change
    order.record("change.requested", change_id=change.id, kind=kind, worth=worth or None, payment_id=payment_id)
    return change


@contextmanager
def measured(order: Order, change: Change) -> Iterator[None]:
    """What happens within lowers what the order costs, or raises it: that is what the change is worth."""
    before = totals(order).grand_total
    yield
    change.worth += before - totals(order).grand_total


def go_on(order: Order, change: Change) -> None:
    """The change machine moves what there is to move, in a run of its own if it had been told before; with nothing to move it is over. A
    cancellation for an exchange is not over before its new order is captured, or declined."""
    change.moves = moves_money(order, change) or (change.into == EXCHANGE and not change.asks)
    if change.moves:
        change.run += change.started
        change.started = True
        if not any(fact.type == "change.requested" and fact.data["change_id"] == change.id for fact in order.facts):
            order.record("change.settling", change_id=change.id, kind=change.kind, worth=change.worth or None)
    elif not change.asks:
        close_change(order, change, outcome_of(change))


def moves_money(order: Order, change: Change) -> bool:
    """Whether something is to be refunded, captured or voided for a change."""
    if change_memo(order, change) or (not change.asks and change_invoice(order, change)):
        return True
    return min(change.worth, surplus(order)) > 0 or bool(unneeded(order, lambda payment: True))


def begin_change(order: Order, kind: str, actor: str, *, reason: str | None = None, stage: Stage | None = None) -> Change:
    """A change whose effects, and whether they move money, are still to be seen to (`go_on`). One that was approved has its id already."""
    asked = order.changes.get(order.approving)
    change = Change(
        id=asked.id if asked else order.next_id("chg"),
        kind=kind,
        actor=actor,
        cause=asked.cause if asked else None,
        reason=reason,
        stage=stage,
        requested_at=order.now,
        moves=False,
        v=asked.v if asked else 0,
        approval=asked.approval if asked else None,
    )
    order.approving = ""
    order.changes[change.id] = change
    order.record("change.requested", change_id=change.id, kind=kind, reason=reason, stage=stage)
    return change


def close_change(order: Order, change: Change, status: str) -> None:
    """Its money has moved, or cannot: done, partial or refused."""
    if change.status != "pending":
        return
    order.changes[change.id] = change.model_copy(update={"status": status, "closed_at": order.now, "moves": False})
    order.record(f"change.{status}", change_id=change.id, kind=change.kind)


def settled_change(order: Order, change: Change, run: int, status: str) -> None:
    """The money of one run has moved. A change that still asks locations stays open, and its next run moves what they say."""
    if change.run != run:
        return
    if change.asks:
        order.changes[change.id] = change.model_copy(update={"moves": False})
    else:
        close_change(order, change, status if status != "done" else outcome_of(change))


def outcome_of(change: Change) -> Status:
    """How a change ends of which everything is decided: done, or what its locations could not stop is left out."""
    if not any(line.refused for line in change.lines):
        return "done"
    kept = sum(line.refused for line in change.lines)
    return "refused" if kept == sum(count(line.units) + line.refused for line in change.lines) else "partial"


def uninvoiced_parcels(order: Order, change: Change) -> list[str]:
    """Parcels with units whose price the change altered after they had left, and which are not invoiced yet; none that was abandoned."""
    touched = [(layer.line_id, [[band.first, band.last] for band in layer.bands]) for layer in change.layers if layer.apart]
    coming = [parcel for parcel in order.uninvoiced if parcel.fulfillment_order_id not in order.given_up]
    return [parcel.id for parcel in coming if any(both(units, parcel.lines.get(line_id, [])) for line_id, units in touched)]


def find(order: Order, change_id: str) -> Change:
    """One change, or NotFound."""
    if change_id not in order.changes:
        raise NotFound(f"there is no change '{change_id}'")
    return order.changes[change_id]


def change_view(change: Change) -> dict[str, Any]:
    """As the API shows it."""
    hidden = {"v", "run", "moves", "started", "decided", "layers", "added", "groups", "lines", "fees", "prices", "approval"}
    lines = [
        {
            "line_id": line.line_id,
            "quantity": count(line.units) + count(line.held) + line.refused,
            "reason": line.reason,
            "fulfillment_order_id": line.fulfillment_order_id,
            "requested": count(line.held),
            "refused": line.refused,
        }
        for line in change.lines
    ]
    fees = [{"code": fee.code, "delivery_group": fee.delivery_group, "total_amount": fee.frozen.total} for fee in change.fees]
    shown = change.model_dump(exclude=hidden, exclude_none=True)
    if change.exchange:
        shown |= shown.pop("exchange")
        del shown["told"]
    return {
        **shown,
        "lines": [{key: row[key] for key in row if row[key] is not None} for row in lines],
        "fees": [{key: row[key] for key in row if row[key] is not None} for row in fees],
        "added_lines": [line.id for line in change.added],
        **({"requested": change.approval.model_dump(exclude={"route"})} if change.approval else {}),
    }
