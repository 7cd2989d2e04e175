"""Authorizing once more what has run out, was too small or allowed one capture only: from what the gateway keeps of the tender."""

from __future__ import annotations

from oms.clock import later, parse
from oms.orders.order import Order
from oms.orders.statuses import totals
from oms.payments.cover import available, to_invoice, uncovered, uncredited
from oms.payments.funds import Part, declared
from oms.payments.ledger import authorizations, fold
from oms.payments.payouts import EXCHANGE
from oms.payments.records import Payment
from oms.payments.transfers import lapse


def to_renew(order: Order, missing: int, until: str) -> list[Part]:
    """Tenders that can be authorized again for `missing` between them, none for more than it was to pay: only what later changes have added
    to the price is put on the first that can take it. Short if they cannot."""
    parts: list[Part] = []
    more = raised(order)
    for payment in declared(order):
        if not payment.source or not _lasts(payment, order.now, until):
            continue
        part = min(missing, _room(payment, until) + more)
        if part > 0:
            parts.append(Part(payment, part))
            missing -= part
        more = 0
    return parts


def raised(order: Order) -> int:
    """What the order costs beyond what all its tenders were to pay. What is still to be credited was paid, or is to be, before that."""
    agreed = sum(payment.amount for payment in order.payments.values() if _is_agreed(payment))
    return max(0, totals(order).grand_total + uncredited(order) - agreed)


def _is_agreed(payment: Payment) -> bool:
    """Whether it was to pay a part of the price: what an exchange brings is one, unless another tender holds that part too."""
    if payment.method == EXCHANGE:
        return not payment.secured
    return bool(fold(payment).authorized or fold(payment).captured)


def missing_for(order: Order, fulfillment_order_id: str) -> int:
    """What the money lacks for this work; 0 when it is covered."""
    return uncovered(order).get(fulfillment_order_id, 0)


def missing_in_all(order: Order, until: str) -> int:
    """What the money lacks for everything that is still to be invoiced."""
    return max(0, to_invoice(order) - available(order, until))


def outdated(order: Order, until: str) -> list[Part]:
    """Authorizations that will have run out by then though another has taken their place: given back, so that nothing is held twice."""
    return [
        Part(payment, each.open, each.reference)
        for payment in order.payments.values()
        if len(known := authorizations(payment)) > 1
        for each in known[:-1]
        if each.open and each.live(order.now) and not each.live(until) and known[-1].live(until)
    ]


def renew_until(order: Order) -> str:
    """How long a renewed authorization has to be good for: until the last open work is to ship, and a day at least."""
    work = [fo for fo in order.fulfillment_orders.values() if not fo.replaces and any(row.open for row in fo.lines.values())]
    return max([later(order.now, days=1), *(fo.ship_by for fo in work)])


def note_expired(order: Order) -> int:
    """Put on record which authorizations have run out. Returns how much went with them."""
    gone = 0
    for payment in order.payments.values():
        for each in authorizations(payment):
            if each.free and not each.live(order.now):
                amount = lapse(order, payment, each.reference, "it ran out")
                if amount:
                    order.record("payment.authorization_expired", payment_id=payment.id, amount=amount)
                gone += amount
    return gone


def _lasts(payment: Payment, now: str, until: str) -> bool:
    """Whether another authorization would be good for so long, going by the last one: otherwise there would be no end of them."""
    last = authorizations(payment)[-1:]
    return not any(each.expires_at and parse(now) + (parse(each.expires_at) - parse(each.at)) < parse(until) for each in last)


def _room(payment: Payment, until: str) -> int:
    """How much of what the tender was to pay is neither captured nor authorized for long enough."""
    sums = fold(payment)
    held = sum(each.open for each in authorizations(payment) if each.live(until))
    return payment.amount - (sums.captured - sums.refunded) - held - sums.pending_authorization - sums.pending_capture
