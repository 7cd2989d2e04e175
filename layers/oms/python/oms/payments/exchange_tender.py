"""What comes back in an exchange, as a tender of the new order: a promise at first, then money that moves over from the old order.

Until it comes it is like terms: work may go out on it, and what is invoiced on it is owed. What comes is counted once, by the reference of
the refund that the old order gave into the exchange. `secured`: the new goods go first, so other tenders hold as much, in case it does not
come. Once nothing more comes the tender is `closed`, and what it lacks is owed by the customer.
"""

from __future__ import annotations

from dataclasses import dataclass

from oms.orders.order import Order
from oms.orders.records import Origin
from oms.orders.statuses import buckets, totals
from oms.payments import ledger
from oms.payments.funds import open_amount
from oms.payments.payouts import EXCHANGE
from oms.payments.records import Payment, PaymentEvent

LONGEST_DAYS = 90
"""How long a return is waited for at most: until then what is invoiced on it is not overdue."""


@dataclass(frozen=True)
class Brought:
    """What an exchange brings to its new order: how much at most, and from where. `secured`: the other tenders pay for the whole order,
    should nothing come."""

    origin: Origin
    worth: int
    secured: bool = False

    def pays(self, total: int) -> int:
        """What of the new order's total the other tenders need not hold."""
        return 0 if self.secured else min(self.worth, total)


def promise(order: Order, brought: Brought, total: int) -> None:
    """The tender that what comes back pays: of a new order of that total, before its other tenders. Nothing, no tender."""
    order.placed.exchange_of = brought.origin
    amount = min(brought.worth, total)
    if amount:
        payment = Payment(
            id=order.next_id("pay"), method=EXCHANGE, gateway=EXCHANGE, amount=amount, net_days=LONGEST_DAYS, secured=brought.secured
        )
        order.payments[payment.id] = payment


def still_to_come(payment: Payment) -> int:
    """What an exchange is still to bring to a tender."""
    if payment.method != EXCHANGE or payment.closed:
        return 0
    return max(0, payment.amount - ledger.fold(payment).captured)


def backed(order: Order) -> int:
    """What is still to come of exchanges, and is held by other tenders meanwhile."""
    return sum(still_to_come(payment) for payment in order.payments.values() if payment.secured)


def room(order: Order, payment: Payment) -> int:
    """How much the tender can still take: no more than it was to pay, nor than the order still needs to be paid."""
    if order.summary.status == "declined":
        return 0
    sums = buckets(order)
    held = sums.captured - sums.refunded - sums.charged_back
    return min(still_to_come(payment), max(0, totals(order).grand_total - held))


def has_taken(payment: Payment, reference: str) -> bool:
    """Whether what was moved by that reference has been counted."""
    return any(event.kind == "capture" and (event.key or "").partition("|")[0] == reference for event in payment.events)


def take_in(order: Order, payment: Payment, reference: str, amount: int) -> None:
    """Count what has come, once: for invoices that were made on the promise first, the rest for those to come."""
    if has_taken(payment, reference):
        return
    left = amount
    for invoice in sorted(order.invoices.values(), key=lambda each: (each.issued_at, each.id)):
        promised = sum(row["amount"] for row in invoice.receivables if row["payment_id"] == payment.id)
        part = min(left, promised, max(0, open_amount(order, invoice)))
        if part > 0:
            _note(order, payment, f"{reference}|{invoice.id}", part, invoice.id)
            left -= part
            if not open_amount(order, invoice):
                order.record("invoice.paid", invoice_id=invoice.id, open_amount=0)
    if left:
        _note(order, payment, reference, left, None)


def _note(order: Order, payment: Payment, key: str, amount: int, document: str | None) -> None:
    event = PaymentEvent(kind="capture", state="succeeded", amount=amount, at=order.now, key=key, reference=key, document=document)
    ledger.add(payment, event)
    order.record("payment.captured", payment_id=payment.id, amount=amount, document_id=document)
