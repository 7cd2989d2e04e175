"""Authorization that nobody needs any more, because what it was for was cancelled."""

from __future__ import annotations

from oms.orders.order import Order
from oms.orders.quantities import kept
from oms.orders.records import Payment
from oms.payments.ledger import fold


def to_release(order: Order) -> list[tuple[Payment, int]]:
    """Tenders and what is still authorized on them, once every unit is cancelled or invoiced; nothing before that, nor while a capture is
    under way. What has expired needs no release."""
    if order.summary.status in ("received", "declined"):
        return []
    charged = all(shipment.invoice_id for shipment in order.shipments.values())
    if not charged or any(state.shipped < kept(state) for state in order.summary.lines.values()):
        return []
    sums = {payment.id: fold(payment) for payment in order.payments.values()}
    if any(each.pending_capture + each.pending_authorization for each in sums.values()):
        return []
    live = [payment for payment in order.payments.values() if not payment.expires_at or payment.expires_at > order.now]
    return [(payment, sums[payment.id].open_authorization) for payment in live if sums[payment.id].open_authorization > 0]


def after_release(order: Order) -> str:
    """What comes when neither units nor money need anything more of the order machine."""
    return "allocated" if any(kept(state) for state in order.summary.lines.values()) else "cancelled"


def release_id(order: Order) -> str:
    """Name of the release that is to be done now: the next one begins when this has succeeded."""
    done = sum(event.kind == "void" and event.state == "succeeded" for payment in order.payments.values() for event in payment.events)
    return f"release-{done + 1}"
