"""Which tender pays and which is paid back, exact to the cent: in the order they were declared, or in a sequence that the caller gives.

Money that was captured before comes first. What is captured counts for the invoices it was taken for or applied to; the rest is excess, and
goes back when what it was for is cancelled. Refunds under way count as done, so nothing is given back twice (design sections 5 and 6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oms.errors import Conflict
from oms.money.currencies import show
from oms.orders.order import Order
from oms.payments.ledger import authorizations, captures, fold, newest
from oms.payments.payouts import EXCHANGE
from oms.payments.records import TERMS, Invoice, Payment, PaymentEvent

TenderSequence = Sequence[tuple[str, int]]
"""Tenders by id with what each gives at most; 0: all it has."""
PROMISES = (TERMS, EXCHANGE)
"""Methods of tenders that pay after the invoice: until then what is invoiced on them is owed."""
_NO_LIMIT = 10**15


@dataclass(eq=False)
class FundsMissing(Conflict):
    """No tender covers what is needed: a process exception whose remedies are another tender, a payment link, or somebody's word."""

    kind: str = "funds-missing"


@dataclass(eq=False)
class Unpaid(Conflict):
    """An invoice is on record and nobody pays it: no tender has the money, or its gateway said no."""

    kind: str = "unpaid"


@dataclass(frozen=True)
class Part:
    """An amount of one tender, drawn on one of its authorizations (None: it has none of its own)."""

    payment: Payment
    amount: int
    of: str | None = None


@dataclass
class Funds:
    """Where the money for an invoice comes from: captured before, to be captured now, owed by terms; and what nobody gives."""

    applied: list[Part] = field(default_factory=list)
    captures: list[Part] = field(default_factory=list)
    receivables: list[Part] = field(default_factory=list)
    missing: int = 0


def ensure_funds(order: Order, amount: int, sequence: TenderSequence = (), document: str | None = None) -> Funds:
    """Where `amount` comes from. An authorization that has run out is never captured; a tender that was declined for this very document
    comes last, so that another one pays where there is one."""
    funds, left = Funds(), amount
    refused = {payment.id for payment in order.payments.values() if document and was_declined(payment, document)}
    for payment, most in _in_order(order, sequence):
        part = min(left, unapplied(order, payment), most)
        if part > 0:
            funds.applied.append(Part(payment, part))
            left -= part
    given = {part.payment.id: part.amount for part in funds.applied}
    for payment, most in sorted(_in_order(order, sequence), key=lambda row: row[0].id in refused):
        for limit, of in _open(order, payment):
            part = min(left, limit, most - given.get(payment.id, 0))
            if part > 0:
                (funds.receivables if payment.method in PROMISES else funds.captures).append(Part(payment, part, of))
                given[payment.id] = given.get(payment.id, 0) + part
                left -= part
    funds.missing = left
    return funds


def was_declined(payment: Payment, document: str) -> bool:
    """Whether the gateway's last word on a capture for this document was no."""
    captures_ = [event for event in newest(payment.events) if event.kind == "capture" and event.document == document]
    return bool(captures_) and max(captures_, key=lambda event: event.at).state == "failed"


def ensure_refunds(order: Order, amount: int, sequence: TenderSequence = ()) -> list[Part]:
    """Tenders that paid for goods, to pay `amount` of it back to. Conflict if they did not pay as much."""
    return _give_back(order, amount, {payment.id: paid(order, payment) for payment in order.payments.values()}, sequence)


def ensure_excess(order: Order, amount: int, sequence: TenderSequence = ()) -> list[Part]:
    """Tenders with captured money that no invoice has used, to pay `amount` of it back to. Conflict if there is not as much."""
    return _give_back(order, amount, {payment.id: unapplied(order, payment) for payment in order.payments.values()}, sequence)


def unapplied(order: Order, payment: Payment) -> int:
    """What was captured of a tender for no invoice so far; what is being paid back of it, and what was charged back, is taken off. So is
    a capture that is most likely the one we asked for and had no answer to: its invoice needs it."""
    sums = fold(payment)
    spoken_for = _used(order, payment) + sum(event.amount for event in _answers(payment, "capture"))
    return max(0, sums.captured - sums.charged_back - spoken_for - _refunds(payment, of_memos=False))


def paid(order: Order, payment: Payment) -> int:
    """What a tender paid for goods and has not got back; refunds under way count as done."""
    return max(0, _used(order, payment) - _refunds(payment, of_memos=True))


def excess(order: Order) -> int:
    """Captured money that no invoice has used, of all tenders."""
    return sum(unapplied(order, payment) for payment in order.payments.values())


def open_amount(order: Order, invoice: Invoice) -> int:
    """What of an invoice is neither paid nor credited against it: owed by terms, or because it was let go without money."""
    captured = sum(e.amount for p in order.payments.values() for e in newest(p.events) if _is_capture(e) and e.document == invoice.id)
    offsets = [row for memo in order.credit_memos.values() for row in memo.offsets if row["invoice_id"] == invoice.id]
    return invoice.total_amount - captured - _sum(invoice.applied) - _sum(offsets)


def being_collected(order: Order) -> dict[str, int]:
    """What of invoices' open amounts gateways have been asked for and have not answered yet, by invoice."""
    asked: dict[str, int] = {}
    for payment in order.payments.values():
        for event in newest(payment.events):
            if (event.kind, event.state) == ("capture", "requested") and event.document in order.invoices:
                asked[event.document] = asked.get(event.document, 0) + event.amount
    return asked


def unsecured(order: Order, invoice: Invoice) -> int:
    """What of an invoice's open amount nobody owes by terms: the goods were let go on somebody's word."""
    by_terms = _sum([row for row in invoice.receivables if row["payment_id"] and not order.payments[row["payment_id"]].closed])
    return max(0, open_amount(order, invoice) - by_terms)


def open_to_pay(order: Order) -> int:
    """What is open on invoices that nobody owes by terms: any tender may pay it at once."""
    return sum(unsecured(order, invoice) for invoice in order.invoices.values())


def receivable(order: Order) -> int:
    """What is owed for goods that were invoiced."""
    return sum(max(0, open_amount(order, invoice)) for invoice in order.invoices.values())


def terms_left(order: Order, payment: Payment) -> int:
    """What may still be invoiced on terms, or on what an exchange is to bring."""
    if payment.method not in PROMISES or payment.closed:
        return 0
    rows = [row for invoice in order.invoices.values() for row in invoice.receivables if row["payment_id"] == payment.id]
    came = sum(event.amount for event in payment.events if _is_capture(event) and not (event.document or "").startswith("inv_"))
    return max(0, payment.amount - _sum(rows) - came)


def declared(order: Order) -> list[Payment]:
    """The tenders in the order in which they pay: as they were declared when the order was taken, later ones after them."""
    return sorted(order.payments.values(), key=lambda payment: int(payment.id.rpartition("_")[2]) if payment.id[-1].isdigit() else 0)


def _in_order(order: Order, sequence: TenderSequence) -> Iterator[tuple[Payment, int]]:
    """Each tender once with what it may give: those of the sequence first; what it leaves open falls to the declared order."""
    named = {payment_id: amount or _NO_LIMIT for payment_id, amount in sequence or order.summary.tender_sequence}
    for payment_id, most in named.items():
        if payment_id in order.payments:
            yield order.payments[payment_id], most
    for payment in declared(order):
        if payment.id not in named:
            yield payment, _NO_LIMIT


def _open(order: Order, payment: Payment) -> list[tuple[int, str | None]]:
    if payment.method in PROMISES:
        return [(terms_left(order, payment), None)]
    return [(each.free, each.reference) for each in authorizations(payment) if each.live(order.now)]


def _give_back(order: Order, amount: int, limits: Mapping[str, int], sequence: TenderSequence) -> list[Part]:
    parts: list[Part] = []
    left = amount
    for payment, most in _in_order(order, sequence):
        limit = min(limits[payment.id], fold(payment).refundable, most)
        for of, captured in captures(payment):
            part = min(left, limit, captured)
            if part > 0:
                parts.append(Part(payment, part, of))
                limit, left = limit - part, left - part
    if left > 0:
        currency = order.placed.currency
        raise FundsMissing(f"{show(amount, currency)} is needed and only {show(amount - left, currency)} is captured")
    return parts


def _used(order: Order, payment: Payment) -> int:
    """What invoices took of a tender."""
    captured = sum(e.amount for e in newest(payment.events) if _is_capture(e) and (e.document or "").startswith("inv_"))
    return captured + _sum([row for invoice in order.invoices.values() for row in invoice.applied if row["payment_id"] == payment.id])


def _answers(payment: Payment, kind: str) -> list[PaymentEvent]:
    """What a gateway tells without our key, and is like something that we asked for and have no answer to: most likely that is the answer.
    The instruction counts until it is known."""
    events = [event for event in newest(payment.events) if event.kind == kind]
    asked = [(event.of, event.amount) for event in events if event.state == "requested" and not event.reference]
    found: list[PaymentEvent] = []
    for told in (event for event in events if event.state == "succeeded" and not event.key):
        if (told.of, told.amount) in asked:
            asked.remove((told.of, told.amount))
            found.append(told)
    return found


def _sum(rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(int(row["amount"]) for row in rows)


def _is_capture(event: PaymentEvent) -> bool:
    return event.kind == "capture" and event.state == "succeeded"


def _refunds(payment: Payment, *, of_memos: bool) -> int:
    """Refunds done or under way: of credit memos (goods that were paid for), or of money that no invoice has used."""
    answers = _answers(payment, "refund")
    rows = [each for each in newest(payment.events) if each.kind == "refund" and each.state != "failed" and each not in answers]
    back = sum(event.amount for event in newest(payment.events) if event.kind == "refund_reversal" and event.state == "succeeded")
    total = sum(event.amount for event in rows if (event.document or "").startswith("cm_") is of_memos)
    return total if of_memos else total - back
