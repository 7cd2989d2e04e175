"""Credit accounts in memory: the same decisions as the real gateway, kept in a dictionary. One contract test proves both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oms.payments import credit
from oms.payments.credit import Book, CreditAccount, CreditAccountRequest, CreditEntry
from oms.payments.gateway import Instruction, Outcome
from oms.payments.records import Payment

NOW = "2026-11-23T08:00:00.000Z"


class CreditBooks:
    """The gateway `credit` without a database."""

    key_hours: int | None = None
    voids_parts = True

    def __init__(self) -> None:
        self.accounts: dict[str, CreditAccount] = {}
        self.entries: dict[tuple[str, str], CreditEntry] = {}

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """Once per key."""
        account_id = payment.account_id or ""
        return credit.outcome_of(self.once(account_id, what.key, lambda book: credit.instruct(book, what, payment), what.of))

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """The entry of the key."""
        entry = self.entries.get((payment.account_id or "", what.key))
        return credit.outcome_of(entry) if entry else None

    def once(self, account_id: str, key: str, decide: Callable[[Book], None], of: str | None = None) -> CreditEntry:
        """Decide on copies, and keep them if the key is new: what `decide` raises leaves everything as it was."""
        known = self.entries.get((account_id, key))
        if known:
            return known
        account, hold = self.accounts.get(account_id), self.entries.get((account_id, of or ""))
        book = Book(account_id, account.model_copy() if account else None, hold.model_copy() if hold else None)
        decide(book)
        assert book.entry
        if book.entry.state == "done":
            assert book.account
            self.accounts[account_id] = book.account
            if book.hold:
                self.entries[account_id, book.hold.key] = book.hold
        self.entries[account_id, key] = book.entry
        return book.entry

    def open(self, account_id: str, balance: int, **more: Any) -> None:
        """A new gift card in EUR, or what `more` says."""
        request = CreditAccountRequest.model_validate({"kind": "gift_card", "currency": "EUR", "balance": balance, **more})
        self.once(account_id, credit.OPENING, lambda book: credit.open_account(book, request, NOW, None, "test"))


def a_credit_tender(account_id: str = "g1", amount: int = 1000, method: str = "gift_card", customer_id: str = "c-1") -> Payment:
    """A tender that a credit account pays."""
    return Payment(id="pay_x_1", method=method, gateway="credit", amount=amount, account_id=account_id, customer_id=customer_id)
