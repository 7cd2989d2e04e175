"""Credit accounts at work: the gateway `credit` that tenders go through, and what callers do with an account by hand.

Decide on what was read, write it if that is still so, else begin again: the entry's key says what was done, whoever did it.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from oms.clock import stamp
from oms.errors import Conflict, NotFound
from oms.flows.idempotency import Request
from oms.ids import new_id
from oms.payments import credit
from oms.payments.credit import OPENING, Book, CreditAccount, CreditAccountRequest, CreditEntry, CreditEntryRequest
from oms.payments.gateway import Instruction, Outcome
from oms.payments.records import Payment
from oms.payments.tender_request import Tender
from oms.storage.codec import encode
from oms.storage.credit import entries, keep, read_account, read_book, read_entry
from oms.storage.environment import environment
from oms.storage.table import Lost, Write

_ATTEMPTS = 10


class Credit:
    """The gateway of gift cards and store credit: an authorization holds, a capture spends, a void releases, a refund gives back. What
    is paid back `into` store credit, whatever tender paid, is granted."""

    key_hours: int | None = None
    voids_parts = True

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """Once per key; the same key has the same answer for ever."""
        if what.into:
            return credit.outcome_of(once(what.into, what.key, lambda book: credit.grant(book, what)))
        account_id = payment.account_id or ""
        entry = once(account_id, what.key, lambda book: credit.instruct(book, what, payment), of=what.of)
        return credit.outcome_of(entry)

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """The entry of the key, if there is one."""
        entry = read_entry(what.into or payment.account_id or "", what.key)
        return credit.outcome_of(entry) if entry else None


def once(
    account_id: str, key: str, decide: Callable[[Book], None], *, of: str | None = None, also: Callable[[], Sequence[Write]] = tuple
) -> CreditEntry:
    """The entry of `key`: made now by `decide`, or the one that is there. What `decide` raises, writes nothing."""
    for attempt in range(_ATTEMPTS):
        book = read_book(account_id, of)
        try:
            decide(book)
            keep(book, also())
        except Lost:
            known = read_entry(account_id, key)
            if known:
                return known
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
            continue
        if book.entry is None:
            raise AssertionError("an effect has an entry")
        return book.entry
    raise Lost("the credit account changes too often; try again")


def put_account(account_id: str, request: CreditAccountRequest, actor: str) -> CreditAccount:
    """Open an account, or change of one what is no money. The same again changes nothing. Conflict as `open_account` says."""
    try:
        once(account_id, OPENING, lambda book: credit.open_account(book, request, stamp(), None, actor))
    except Conflict as error:
        if error.kind != credit.THERE:
            raise
    for attempt in range(_ATTEMPTS):
        account, opening = found_account(account_id), read_entry(account_id, OPENING)
        before = account.model_copy()
        credit.change_account(account, opening.amount if opening else 0, request)
        try:
            if account != before:
                keep(Book(account_id, account))
        except Lost:
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
            continue
        return account
    raise Lost("the credit account changes too often; try again")


def add_entry(account_id: str, request: CreditEntryRequest, asked: Request) -> tuple[CreditEntry, bool]:
    """Correct an account by hand; and whether this Idempotency-Key was used before. NotFound and Conflict as `correct` says."""
    name = hashlib.sha256(asked.name.encode()).hexdigest()[:32] if asked.key else new_id("by-hand")
    key = f"correction/{name}"
    if asked.earlier():
        known = read_entry(account_id, key)
        if known:
            return known, True
    claim = asked.record(status=201)

    def decide(book: Book) -> None:
        credit.correct(book, request, key, stamp(), f"client:{asked.client}")

    def claimed() -> list[Write]:
        return [Write(environment().orders_table, encode(claim), "attribute_not_exists(pk)")] if claim else []

    return once(account_id, key, decide, also=claimed), False


def found_account(account_id: str) -> CreditAccount:
    """One account; NotFound if there is none."""
    account = read_account(account_id)
    if account is None:
        raise NotFound("there is no such credit account")
    return account


def account_view(account: CreditAccount) -> dict[str, Any]:
    """An account as its owner sees it."""
    now = stamp()
    fields = account.model_dump(exclude={"v", "entries", "closed_at"})
    return {**fields, "status": account.status(now), "available": account.available(now), "closed_at": account.closed_at}


def entry_view(entry: CreditEntry) -> dict[str, Any]:
    """An entry: what it was, by how much it changed balance and holds, and for what."""
    return entry.model_dump(include={"number", "kind", "amount", "balance", "held", "at", "cause", "reason", "actor"}, exclude_none=True)


def page_of_entries(account_id: str, before: int, limit: int) -> tuple[list[dict[str, Any]], int]:
    """Entries newest first, and the number to go on before (0: there are no more)."""
    page = entries(account_id, before, limit)
    more = page[-1].number if len(page) == limit and page[-1].number > 1 else 0
    return [entry_view(entry) for entry in page], more


def priorities_of(tenders: Sequence[Tender]) -> dict[str, int]:
    """The priority of each store credit, where several are to pay and somebody must be first."""
    named = {tender.account_id for tender in tenders if tender.method == "store_credit" and tender.account_id}
    if len(named) < 2:
        return {}
    found = [account for account_id in sorted(named) if (account := read_account(account_id))]
    return {account.id: account.priority for account in found}
