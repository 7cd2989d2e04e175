"""Where an order's money stands, and what a commit changes of it: what the journal is made of."""

from __future__ import annotations

from collections.abc import Mapping

from oms.orders.order import Order
from oms.orders.records import Entry
from oms.payments.funds import open_amount
from oms.payments.ledger import fold, newest
from oms.payments.payouts import kind_of
from oms.payments.records import Payment

Position = Mapping[str, Mapping[str, int]]
"""Figures by the record they belong to: a tender's captured, refunded and charged_back, and what of its refunds went into store_credit or
an exchange; an invoice's open. Minor units."""
_DOCUMENTS = {"invoice.created": "invoice_id", "credit_memo.created": "credit_memo_id"}
"""Facts that a document was made, and where they name it."""


def position(order: Order) -> Position:
    """Where the order's money stands."""
    tenders = {payment.id: fold(payment) for payment in order.payments.values()}
    figures = {
        key: {"captured": sums.captured, "refunded": sums.refunded, "charged_back": sums.charged_back, **_elsewhere(order.payments[key])}
        for key, sums in tenders.items()
    }
    return {**figures, **{invoice.id: {"open": max(0, open_amount(order, invoice))} for invoice in order.invoices.values()}}


def _elsewhere(payment: Payment) -> dict[str, int]:
    sums: dict[str, int] = {}
    for event in newest(payment.events) if any(event.into for event in payment.events) else ():
        if event.into and event.kind == "refund" and event.state == "succeeded":
            sums[kind_of(event.into)] = sums.get(kind_of(event.into), 0) + event.amount
    return sums


def moved(before: Position, after: Position) -> dict[str, dict[str, int]]:
    """What is different afterwards, by how much."""
    changes = {key: {name: amount - before.get(key, {}).get(name, 0) for name, amount in figures.items()} for key, figures in after.items()}
    kept = {key: {name: amount for name, amount in figures.items() if amount} for key, figures in changes.items()}
    return {key: figures for key, figures in kept.items() if figures}


def documents_of(entry: Entry) -> list[str]:
    """Ids of the documents that a commit made."""
    return [str(fact.data[_DOCUMENTS[fact.type]]) for fact in entry.facts if fact.type in _DOCUMENTS]


def concerns_books(entry: Entry) -> bool:
    """Whether a commit moved money or made a document."""
    return bool(entry.moved) or bool(documents_of(entry))
