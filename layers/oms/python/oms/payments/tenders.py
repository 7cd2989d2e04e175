"""Tenders of an order: whether they cover it, in which order they pay, and what was authorized or captured elsewhere taken over as fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oms.errors import Conflict, Fault, invalid
from oms.orders.order import Order
from oms.payments import ledger
from oms.payments.accounts import Account
from oms.payments.gateway import Gateways, Instruction
from oms.payments.records import TERMS, Payment, PaymentEvent
from oms.payments.requests import intend
from oms.payments.tender_request import CREDIT_METHODS, DEFAULT_PRIORITY, MANUAL, Tender, gateway_name

ELSEWHERE = "made elsewhere"


def cover_faults(tenders: Sequence[Tender], total: int) -> list[Fault]:
    """Tenders add up to the grand total; one on terms takes what the others leave, so these must not exceed it (contract: payments)."""
    others = sum(tender.amount or 0 for tender in tenders if tender.method != TERMS)
    terms = next((tender for tender in tenders if tender.method == TERMS), None)
    if terms is None:
        words = f"the payments add up to {others} and the grand total is {total}; they must be equal"
        return [Fault(words, "/payments")] if others != total else []
    if others > total:
        return [Fault(f"the payments beside terms add up to {others} and the grand total is {total}; they must not exceed it", "/payments")]
    if terms.amount is not None and others + terms.amount < total:
        words = f"the payments add up to {others + terms.amount} with terms and the grand total is {total}; nobody pays the rest"
        return [Fault(words, "/payments")]
    return []


def difference(tenders: Sequence[Tender], total: int) -> int:
    """How much more (or, negative, less) the tenders come to than the grand total. One on terms takes what the others leave."""
    others = sum(tender.amount or 0 for tender in tenders if tender.method != TERMS)
    terms = next((tender for tender in tenders if tender.method == TERMS), None)
    if terms is None or others > total:
        return others - total
    return 0 if terms.amount is None else min(0, others + terms.amount - total)


def known_faults(tenders: Sequence[Tender], gateways: Gateways, account: Account | None, pointer: str = "/payments") -> list[Fault]:
    """Gateways that this installation does not have, and terms of which nobody says when they are due."""
    faults = []
    for index, tender in enumerate(tenders):
        place = f"{pointer}/{index}" if pointer else ""
        if tender.method == TERMS and due_days(tender, account) is None:
            faults.append(Fault("required, because no account says in how many days its invoices are due", f"{place}/terms/net_days"))
        elif tender.method != TERMS and gateway_name(tender) not in gateways:
            faults.append(Fault(f"there is no payment gateway '{gateway_name(tender)}'", f"{place}/gateway"))
    return faults


def due_days(tender: Tender, account: Account | None) -> int | None:
    """In how many days after the invoice a tender on terms is due."""
    if tender.terms and tender.terms.net_days is not None:
        return tender.terms.net_days
    return account.settings.net_days if account else None


def add_tenders(
    order: Order,
    tenders: Sequence[Tender],
    total: int,
    *,
    first: Sequence[str] = CREDIT_METHODS,
    priorities: Mapping[str, int] | None = None,
    account: Account | None = None,
) -> None:
    """The order's tenders, numbered in the order in which they pay: the methods of `first`, then as listed; of several store credits
    that of the lowest priority. What is to be authorized is noted as asked for."""

    def place(numbered: tuple[int, Tender]) -> tuple[int, int, int]:
        index, tender = numbered
        rank = first.index(tender.method) if tender.method in first else len(first)
        credit = (priorities or {}).get(tender.account_id or "", DEFAULT_PRIORITY) if tender.method == "store_credit" else 0
        return rank, credit, index

    rest = max(0, total - sum(tender.amount or 0 for tender in tenders if tender.method != TERMS))
    for _, tender in sorted(enumerate(tenders), key=place):
        amount = rest if tender.amount is None else tender.amount
        if amount:
            _add(order, tender, amount, account)


def add_tender(
    order: Order, tender: Tender, due: int, gateways: Gateways, *, account: Account | None = None, document: str | None = None
) -> Payment:
    """Another tender of an order that owes `due`; its authorization is noted as asked for (for the change `document`), not asked.

    Invalid for more than is due, an unknown gateway or terms without a due date; Conflict when nothing is due. What was authorized or
    captured elsewhere is taken over at once.
    """
    order.must_be_live()
    if due <= 0:
        raise Conflict(f"order {order.placed.order_number} owes nothing; it needs no other tender")
    faults = known_faults([tender], gateways, account, pointer="")
    amount = due if tender.amount is None else tender.amount
    if amount > due:
        faults.append(Fault(f"the tender is {amount} and {due} is due", "/amount"))
    if not amount:
        faults.append(Fault("a tender pays something", "/amount"))
    if faults:
        raise invalid(*faults)
    return _add(order, tender, amount, account, document)


def _add(order: Order, tender: Tender, amount: int, account: Account | None, document: str | None = None) -> Payment:
    payment = Payment(
        id=order.next_id("pay"),
        method=tender.method,
        gateway=gateway_name(tender),
        amount=amount,
        account_id=tender.account_id,
        customer_id=order.placed.customer_id if tender.account_id else None,
        net_days=due_days(tender, account) if tender.method == TERMS else None,
        token=tender.token,
    )
    order.payments[payment.id] = payment
    if tender.authorization or tender.capture:
        _take_over(order, payment, tender, document)
    elif payment.gateway not in (TERMS, MANUAL):
        key = ledger.attempt_key(payment, f"{order.id}/authorize/{payment.id}")
        intend(payment, Instruction("authorization", key, amount, order.placed.currency, order.now), document)
    return payment


def _take_over(order: Order, payment: Payment, tender: Tender, document: str | None) -> None:
    """What happened elsewhere becomes events, without asking anybody."""
    at = min(order.placed.placed_at, order.now) if order.summary.status == "received" else order.now
    if tender.authorization:
        given = tender.authorization
        event = PaymentEvent(
            kind="authorization",
            state="succeeded",
            amount=given.amount,
            at=at,
            reference=given.reference,
            expires_at=given.expires_at,
            document=document,
            reason=ELSEWHERE,
        )
        ledger.add(payment, event)
        order.record("payment.authorized", payment_id=payment.id, amount=given.amount, document_id=document, reason=ELSEWHERE)
    if tender.capture:
        of = tender.authorization.reference if tender.authorization else None
        taken = tender.capture
        capture = PaymentEvent(
            kind="capture", state="succeeded", amount=taken.amount, at=at, reference=taken.reference, of=of, reason=ELSEWHERE
        )
        ledger.add(payment, capture)
        order.record("payment.captured", payment_id=payment.id, amount=taken.amount, document_id=document, reason=ELSEWHERE)
