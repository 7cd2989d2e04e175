"""The authorization clock: warn before an authorization runs out, renew it by policy, and never count on one that has run out."""

from __future__ import annotations

from oms.clock import later
from oms.orders.order import Order
from oms.payments.cover import hold_uncovered, to_invoice
from oms.payments.exchange_tender import backed
from oms.payments.ledger import authorizations
from oms.payments.records import Payment
from oms.payments.releases import to_release
from oms.payments.renewal import missing_in_all, note_expired, renew_until
from oms.service.changes import open_change

WARN_HOURS = 24


def authorization_news(order: Order) -> bool:
    """Whether time, or something that was left undone, calls for anything here."""
    if order.summary.status in ("received", "declined"):
        return False
    expired = any(each.free and not each.live(order.now) for payment in order.payments.values() for each in authorizations(payment))
    return expired or bool(_to_warn(order)) or (bool(to_release(order)) and not _pending(order))


def watch_authorizations(order: Order) -> None:
    """Warn once for each authorization that runs out within a day while something is still to be invoiced, and have it renewed; put on
    record what has run out, and hold the work that it covered; have given back what nothing needs."""
    for payment, reference, expires_at in _to_warn(order):
        payment.warned = reference
        order.record("payment.authorization_expiring", payment_id=payment.id, expires_at=expires_at)
    if note_expired(order):
        hold_uncovered(order)
    if _pending(order):
        return
    work = backed(order) or any(row.open for fo in order.fulfillment_orders.values() for row in fo.lines.values())
    if work and any(payment.warned for payment in order.payments.values()) and missing_in_all(order, renew_until(order)):
        open_change(order, "renewal", reason="an authorization runs out")
    elif to_release(order):
        open_change(order, "release", reason="nothing needs the authorization any more")


def _to_warn(order: Order) -> list[tuple[Payment, str, str]]:
    if not to_invoice(order) and not backed(order):
        return []
    soon = later(order.now, hours=WARN_HOURS)
    return [
        (payment, each.reference, each.expires_at or "")
        for payment in order.payments.values()
        for each in authorizations(payment)[-1:]
        if each.open and each.live(order.now) and not each.live(soon) and payment.warned != each.reference
    ]


def _pending(order: Order) -> bool:
    return any(change.status == "pending" and (change.moves or not change.exchange) for change in order.changes.values())
