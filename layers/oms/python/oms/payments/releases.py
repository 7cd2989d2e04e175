"""Authorization that nobody needs any more, because what it was for was cancelled."""

from __future__ import annotations

from collections.abc import Callable

from oms.orders.order import Order
from oms.orders.quantities import kept
from oms.payments.cover import available, to_invoice
from oms.payments.exchange_tender import backed
from oms.payments.funds import Part, declared, excess, open_to_pay
from oms.payments.ledger import authorizations, fold, newest
from oms.payments.records import Invoice, Payment

_RELEASE = "release-"


def to_release(order: Order) -> list[Part]:
    """What is still authorized, once every unit is cancelled or invoiced, and every fee and upcharge; nothing before that, nor while money
    is under way, nor what secures the goods of an exchange that are still to come, or may pay an invoice that is open. What has run out
    needs no release."""
    if order.summary.status in ("received", "declined"):
        return []
    if order.uninvoiced or any(state.shipped < kept(state) for state in order.summary.lines.values()):
        return []
    if to_invoice(order) > 0 or any(sums.pending_capture + sums.pending_authorization for sums in map(fold, order.payments.values())):
        return []  # a change that is not settled yet will invoice the rest
    keep, parts = backed(order) + open_to_pay(order), []
    for payment in order.payments.values():
        for each in authorizations(payment):
            if each.free and each.live(order.now):
                if keep <= 0:
                    parts.append(Part(payment, each.free, each.reference))
                keep -= each.free
    return parts


def unneeded(order: Order, voids_parts: Callable[[Payment], bool]) -> list[Part]:
    """What is authorized beyond all that is still to be invoiced, or open on invoices, the last tenders first; a part of an authorization
    only where its gateway can give parts back, otherwise the rest goes with the last capture. A declined order needs nothing."""
    if order.summary.status == "received":
        return []
    declined = order.summary.status == "declined"
    over = available(order, order.now) - (0 if declined else max(to_invoice(order) + open_to_pay(order), excess(order)))
    parts: list[Part] = []
    for payment in reversed(declared(order)):
        for each in reversed(authorizations(payment)):
            part = min(over, each.free) if each.live(order.now) else 0
            if part > 0 and (part == each.open or voids_parts(payment)):
                parts.append(Part(payment, part, each.reference))
                over -= part
    return parts


def is_last(order: Order, invoice: Invoice) -> bool:
    """Whether nothing more will be captured after this invoice, as things stand."""
    if backed(order):
        return False
    rest = [parcel for parcel in order.uninvoiced if parcel.id != invoice.shipment_id]
    return not rest and all(state.shipped >= kept(state) for state in order.summary.lines.values())


def after_release(order: Order) -> str:
    """What comes when neither units nor money need anything more of the order machine."""
    return "allocated" if any(kept(state) for state in order.summary.lines.values()) else "cancelled"


def release_id(order: Order) -> str:
    """Name of the release that is to be done now: the one under way, or the next after those that are over."""
    voids = [event for payment in order.payments.values() for event in newest(payment.events) if event.kind == "void"]
    under_way = [event.document for event in voids if event.state == "requested" and (event.document or "").startswith(_RELEASE)]
    return min(filter(None, under_way), default=f"{_RELEASE}{1 + sum(event.state == 'succeeded' for event in voids)}")
