"""Numbers of documents: one series of invoices and one of credit memos per channel, each without gaps, given once.

Who gives them is one serial consumer (flows/bookkeeping.py); a number is made in the transaction that numbers the document.
"""

from __future__ import annotations

from typing import Any, Literal

from oms.orders.order import Order
from oms.payments.records import CreditMemo, Invoice
from oms.settings import ChannelSettings

Series = Literal["invoice", "credit-memo"]
Document = Invoice | CreditMemo
MOST_AT_ONCE = 40
"""Documents numbered in one transaction: each is two writes, DynamoDB takes a hundred."""


def series_of(document: Document) -> Series:
    """The series that a document is numbered in."""
    return "invoice" if isinstance(document, Invoice) else "credit-memo"


def unnumbered(order: Order) -> list[Document]:
    """The order's documents that have no number yet, oldest first."""
    documents: list[Document] = [*order.invoices.values(), *order.credit_memos.values()]
    return sorted((each for each in documents if not each.number), key=lambda each: (each.issued_at, each.id))


def number_of(series: Series, place: int, channel: ChannelSettings) -> str:
    """The `place`-th number of a channel's series, e.g. INV-17. A prefix never ends with a digit, so no two places give the same."""
    return f"{channel.invoice_prefix if series == 'invoice' else channel.credit_memo_prefix}{place}"


def seller_of(channel: ChannelSettings) -> dict[str, Any] | None:
    """Who sells in a channel, as a document keeps it from the day it is numbered."""
    return channel.legal_entity.model_dump(exclude_none=True) if channel.legal_entity else None
