"""The journal: every commit that moves money or makes a document, as double-entry lines that add up to zero.

What a customer has paid stands in `customer_deposits` until an invoice takes it; what is credited comes back there until it is paid out.
So that account is the money we hold and have not earned (law 2's unapplied money), and `receivable` is what invoices still have open.

    captured          cash:<gateway or method>  to   customer_deposits         (gift cards, store credit: store_credit_liability)
    refunded          customer_deposits         to   cash             (as store credit: store_credit_liability; into an exchange: exchanges)
    charged back      chargebacks               to   cash
    invoice           customer_deposits, receivable  to   revenue, shipping, fees, tax:<name>@<rate>
    paid later        customer_deposits         to   receivable
    credit memo       refunds (goodwill), shipping, fees, tax   to   customer_deposits, receivable

A gift card sold is owed, not earned: what it is worth goes to store_credit_liability, a discount on it stays in revenue. Amounts are
signed minor units: debits positive, credits negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oms.money.currencies import show
from oms.orders.order import Order
from oms.orders.records import Entry
from oms.payments.gift_cards import is_gift_card
from oms.payments.invoices import row_taxes, whole_value
from oms.payments.payouts import EXCHANGE, STORE_CREDIT
from oms.payments.positions import documents_of
from oms.payments.records import CreditMemo, Invoice, Payment
from oms.stored import Stored

_CREDIT = ("gift_card", "store_credit")
_GOODWILL = ("adjustment", "goodwill")
_LIABILITY = "store_credit_liability"
_EXCHANGES = "exchanges"
"""What returns have moved into exchanges that the new orders have not taken yet: nothing, in the end."""


class Posting(Stored):
    """One line: an account and what is put to it, debits positive, credits negative, minor units."""

    account: str
    amount: int


class JournalEntry(Stored):
    """What one commit of an order means for the books. Its lines add up to zero."""

    order_id: str
    sequence: int
    at: str
    order_number: str
    channel: str
    currency: str
    facts: list[str]
    documents: list[dict[str, Any]] = []
    payments: list[str] = []
    lines: list[Posting]


def journal_entry(order: Order, entry: Entry) -> JournalEntry | None:
    """The commit in the books; None if it changes nothing there (an invoice of nothing)."""
    lines = journal_lines(order, entry)
    if not lines:
        return None
    documents: Mapping[str, Invoice | CreditMemo] = {**order.invoices, **order.credit_memos}
    return JournalEntry(
        order_id=order.id,
        sequence=entry.sequence,
        at=entry.at,
        order_number=order.placed.order_number,
        channel=order.placed.channel,
        currency=order.placed.currency,
        facts=sorted({fact.type for fact in entry.facts}),
        documents=[{"id": key, "number": documents[key].number} for key in documents_of(entry)],
        payments=[key for key in entry.moved if key in order.payments],
        lines=lines,
    )


def journal_lines(order: Order, entry: Entry) -> list[Posting]:
    """The commit's lines, one per account. They depend on nothing that changes after the commit: written again they are the same.

    ValueError if they do not add up: then a document's rows are not worth its total.
    """
    sums: dict[str, int] = {}
    for account, amount in [*_moved(order, entry), *_made(order, entry)]:
        sums[account] = sums.get(account, 0) + amount
    lines = [Posting(account=account, amount=amount) for account, amount in sorted(sums.items()) if amount]
    if sum(line.amount for line in lines):
        off = show(sum(line.amount for line in lines), order.placed.currency)
        raise ValueError(f"the journal lines of {order.id} {entry.sequence} are off by {off}: {sums}")
    return lines


def _moved(order: Order, entry: Entry) -> Iterator[tuple[str, int]]:
    for key, figures in entry.moved.items():
        yield "receivable", figures.get("open", 0)
        yield "customer_deposits", -figures.get("open", 0) - figures.get("captured", 0) + figures.get("refunded", 0)
        yield "chargebacks", figures.get("charged_back", 0)
        if key in order.payments:
            elsewhere = {_LIABILITY: figures.get(STORE_CREDIT, 0), _EXCHANGES: figures.get(EXCHANGE, 0)}
            cash = figures.get("captured", 0) - figures.get("refunded", 0) - figures.get("charged_back", 0)
            yield _account(order.payments[key]), cash + sum(elsewhere.values())
            yield from ((account, -amount) for account, amount in elsewhere.items())


def _made(order: Order, entry: Entry) -> Iterator[tuple[str, int]]:
    for fact in entry.facts:
        if fact.type == "invoice.created":
            invoice = order.invoices[fact.data["invoice_id"]]
            yield "customer_deposits", invoice.total_amount
            yield from _rows(order, invoice, "revenue", sign=-1)
        elif fact.type == "credit_memo.created":
            memo = order.credit_memos[fact.data["credit_memo_id"]]
            yield "customer_deposits", -memo.total_amount
            change = order.changes.get(memo.change_id or "")
            yield from _rows(order, memo, "goodwill" if change and change.kind in _GOODWILL else "refunds", sign=1)


def _rows(order: Order, document: Invoice | CreditMemo, goods: str, sign: int) -> Iterator[tuple[str, int]]:
    for row in document.lines:
        line, _ = order.line(row["line_id"])
        if is_gift_card(line) and whole_value(order, document, row):
            # Owed is what the cards are worth, whatever they were sold for.
            worth = line.unit_price * row["quantity"]
            yield _LIABILITY, sign * worth
            yield goods, -sign * worth
        yield from _row(goods, row, row_taxes(order, row), sign)
        if "delivery" in row:
            yield from _row("shipping", row["delivery"], row_taxes(order, row, delivery=True), sign)
    for row in document.fees:
        yield from _row("shipping" if row.get("delivery_group") else "fees", row, row_taxes(order, row), sign)


def _row(account: str, row: Mapping[str, Any], taxes: list[dict[str, Any]], sign: int) -> Iterator[tuple[str, int]]:
    yield account, sign * row["net_amount"]
    for tax in taxes:
        yield f"tax:{tax['name']}@{tax['rate']}", sign * tax["amount"]


def _account(payment: Payment) -> str:
    """Where a tender's money lies: at its gateway, or with whoever runs a method that we know by name only."""
    if payment.method in _CREDIT:
        return _LIABILITY
    if payment.method == EXCHANGE:
        return _EXCHANGES
    return f"cash:{payment.gateway if payment.method == 'card' else payment.method}"
