"""Authorization that nobody needs any more, because what it was for was cancelled."""

from __future__ import annotations

from oms.orders.order import Order
from oms.orders.quantities import kept
from oms.payments.funds import Part
from oms.payments.ledger import authorizations, fold
from oms.payments.records import Invoice


def to_release(order: Order) -> list[Part]:
    """What is still authorized, once every unit is cancelled or invoiced; nothing before that, nor while money is under way.
    What has run out needs no release."""
    if order.summary.status in ("received", "declined"):
        return []
    charged = all(shipment.invoice_id for shipment in order.shipments.values())
    if not charged or any(state.shipped < kept(state) for state in order.summary.lines.values()):
        return []
    if any(sums.pending_capture + sums.pending_authorization for sums in map(fold, order.payments.values())):
        return []
    return [
        Part(payment, each.open, each.reference)
        for payment in order.payments.values()
        for each in authorizations(payment)
        if each.open and each.live(order.now)
    ]


def is_last(order: Order, invoice: Invoice) -> bool:
    """Whether nothing more will be captured after this invoice, as things stand."""
    rest = [parcel for parcel in order.shipments.values() if not parcel.invoice_id and parcel.id != invoice.shipment_id]
    return not rest and all(state.shipped >= kept(state) for state in order.summary.lines.values())


def after_release(order: Order) -> str:
    """What comes when neither units nor money need anything more of the order machine."""
    return "allocated" if any(kept(state) for state in order.summary.lines.values()) else "cancelled"


def release_id(order: Order) -> str:
    """Name of the release that is to be done now: the next one begins when this has succeeded."""
    done = sum(event.kind == "void" and event.state == "succeeded" for payment in order.payments.values() for event in payment.events)
    return f"release-{done + 1}"
