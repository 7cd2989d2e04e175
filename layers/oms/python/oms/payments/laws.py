"""The laws of money, as `reconcile` proves them of orders at rest (design section 7). Tests prove them another way, of every move."""

from __future__ import annotations

from oms.orders.order import Order
from oms.orders.quantities import broken_laws
from oms.payments.funds import receivable, unapplied
from oms.payments.ledger import authorizations, fold, newest
from oms.payments.records import Payment, PaymentEvent


def broken(order: Order) -> list[str]:
    """What of an order does not add up, in words; nothing of an order whose money is under way, or was taken back by others."""
    found = [f"line {line_id}: {law}" for line_id, state in order.summary.lines.items() for law in broken_laws(state)]
    events = [event for payment in order.payments.values() for event in newest(payment.events)]
    if any(event.state == "requested" or event.kind == "chargeback" for event in events):
        return found
    for payment in order.payments.values():
        found += _above_ceilings(payment)
    there = sum(fold(payment).captured - fold(payment).refunded - unapplied(order, payment) for payment in order.payments.values())
    documents = sum(each.total_amount for each in order.invoices.values()) - sum(each.total_amount for each in order.credit_memos.values())
    owed = receivable(order)
    if there - _in_flight(order, events) != documents - owed:
        found.append(f"{there} was paid for documents that come to {documents}, of which {owed} are open")
    if order.summary.status in ("completed", "cancelled") and order.held():
        found.append(f"it is {order.summary.status}, and stock is reserved for it")
    return found


def _above_ceilings(payment: Payment) -> list[str]:
    """What we asked for beyond what there was; facts from outside may go beyond, and raise an exception when they come. A refund that came
    back may be paid once more."""
    done = [event for event in newest(payment.events) if event.state == "succeeded"]
    asked = [event for event in done if event.key]
    again = sum(event.amount for event in done if event.kind == "refund_reversal")
    back, captured = sum(event.amount for event in asked if event.kind == "refund") - again, fold(payment).captured
    found = [f"{payment.id}: {back} was paid back of {captured}"] if back > captured else []
    for each in authorizations(payment):
        drawn = sum(event.amount for event in asked if event.kind in ("capture", "void", "expiry") and event.of == each.reference)
        if drawn > each.amount:
            found.append(f"{payment.id}: {drawn} was drawn on an authorization of {each.amount}")
    return found


def _in_flight(order: Order, events: list[PaymentEvent]) -> int:
    """What has moved for documents that are not on record yet, because their step has not come to its end."""
    total = 0
    for event in events:
        document = event.document or ""
        if event.kind == "capture" and event.state == "succeeded" and document.startswith("inv_") and document not in order.invoices:
            total += event.amount
        if event.kind == "refund" and event.state == "succeeded" and document.startswith("cm_") and document not in order.credit_memos:
            total -= event.amount
    return total
