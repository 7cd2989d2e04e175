"""Keeping the books: documents get their numbers, then what happened goes into the journal. One order after the other, each once.

The queue hands a channel to one consumer at a time; but nothing rests on that: numbers are given under a condition on the counter, and a
journal entry is written where its commit says. Killed anywhere and run again, it goes on where it was.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from oms.errors import Retryable
from oms.orders.order import Order
from oms.orders.records import Entry
from oms.payments.journal import journal_entry
from oms.payments.numbers import MOST_AT_ONCE, Series, number_of, seller_of, series_of, unnumbered
from oms.payments.positions import concerns_books, documents_of
from oms.storage import journal
from oms.storage.numbers import Numbered, give, given
from oms.storage.orders import load
from oms.storage.settings import settings
from oms.storage.table import Lost
from oms.storage.timeline import timeline

_ATTEMPTS = 8
_TRIES = 2
_SERIES: tuple[Series, ...] = ("invoice", "credit-memo")


def keep_books(order_ids: Sequence[str]) -> dict[str, Exception]:
    """See to the books of these orders. Returns what stopped any of them; the others are done."""
    failed: dict[str, Exception] = {}
    for order_id in dict.fromkeys(order_ids):
        for _ in range(_TRIES):
            try:
                _enter(_numbered(order_id))
                failed.pop(order_id, None)
                break
            except Exception as error:
                # Whatever it is, it must not stop the other orders of the batch; the caller leaves this one in the queue.
                failed[order_id] = error
    return failed


def _numbered(order_id: str) -> Order:
    """The order, all of whose documents have their numbers now."""
    for attempt in range(_ATTEMPTS):
        order = load(order_id)
        try:
            for series in _SERIES:
                _number(order, series)
            return order
        except Lost:
            # Another consumer was first: what it has done is seen on reading again.
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
    raise Lost(f"the documents of {order_id} could not be numbered: too many others number at the same time")


def _number(order: Order, series: Series) -> None:
    """Give numbers to the order's documents that have none, in the table and in memory."""
    documents = [each for each in unnumbered(order) if series_of(each) == series]
    channel = order.placed.channel
    for at in range(0, len(documents), MOST_AT_ONCE):
        before, rules = given(channel, series), settings().channel(channel)
        part = [
            Numbered(order.id, each.id, number_of(series, before + place, rules), seller_of(rules))
            for place, each in enumerate(documents[at : at + MOST_AT_ONCE], start=1)
        ]
        give(channel, series, before, part)
        for document, numbered in zip(documents[at:], part, strict=False):
            document.number, document.seller = numbered.number, numbered.seller


def _enter(order: Order) -> None:
    """Write what the order's commits since the last time mean for the books, as far as they follow each other without a gap."""
    last = order.in_books
    for entry in _entries(order):
        if entry.sequence != last + 1:
            break  # a commit in between is not to be seen yet; its own notice comes
        if concerns_books(entry):
            if not {*documents_of(entry), *entry.moved} <= {*order.invoices, *order.credit_memos, *order.payments}:
                raise Retryable(f"{order.id} has changed since it was read; read it again")
            made = journal_entry(order, entry)
            if made:
                journal.put(made)
        last = entry.sequence + len(entry.facts) - 1
    if last > order.in_books:
        journal.note_booked(order.id, last)


def _entries(order: Order) -> list[Entry]:
    """What is not in the books yet, all that the order as it was read knows of."""
    found = list(timeline(order.id, after=order.in_books, consistent=False))
    facts = sum(len(entry.facts) for entry in found if entry.sequence <= order.summary.sequence)
    return found if facts == order.summary.sequence - order.in_books else list(timeline(order.id, after=order.in_books))
