"""Credit accounts of our own, gift cards and store credit: what each effect does to balance and holds, decided without storage.

    balance     what the account is worth
    held        what open holds (authorizations) keep for orders; 0 <= held <= balance
    available   balance - held, nothing once the account has expired or is closed

Every effect is an entry with a key made of its cause, and there is one entry per key: what was done, or refused, once, is the answer for
ever. A hold keeps what is still `open` of it, and what of its captures is still `refundable`.
"""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from oms.errors import Conflict, NotFound
from oms.money.currencies import show
from oms.orders.records import Record
from oms.payments.gateway import Instruction, Outcome
from oms.payments.records import Payment
from oms.payments.shown import masked
from oms.payments.tender_request import DEFAULT_PRIORITY
from oms.wire import Amount, Currency, Moment, Number, SignedAmount, Text, Wire

OPENING = "opening"
"""Key of an account's first entry."""
THERE = "credit-account-exists"
"""Kind of the conflict with an account that exists already."""


class CreditAccountRequest(Wire):
    """`PUT /v1/credit-accounts/{id}`. `balance` is what the account begins with; of several store credits the lowest `priority` is spent
    first."""

    kind: Literal["gift_card", "store_credit"]
    currency: Currency
    balance: Amount
    customer_id: Number | None = None
    expires_at: Moment | None = None
    priority: int = Field(DEFAULT_PRIORITY, ge=0, le=1000, strict=True)


class CreditEntryRequest(Wire):
    """`POST /v1/credit-accounts/{id}/entries`: a correction by hand, up or down."""

    amount: SignedAmount
    reason: Text = Field(min_length=1)


class CreditAccount(Record):
    """An account. `customer_id`: only that customer's orders may spend it. `entries` counts its entries."""

    id: str
    kind: str
    currency: str
    balance: int = 0
    held: int = 0
    customer_id: str | None = None
    expires_at: str | None = None
    priority: int = DEFAULT_PRIORITY
    opened_at: str = ""
    closed_at: str | None = None
    entries: int = 0

    def available(self, now: str) -> int:
        """What can be spent at that time."""
        return self.balance - self.held if self.status(now) == "active" else 0

    def status(self, now: str) -> str:
        """active, expired or closed."""
        if self.closed_at:
            return "closed"
        return "expired" if self.expires_at and self.expires_at <= now else "active"


class CreditEntry(Record):
    """One effect, or one refusal (`reason`, nothing moved). `balance` and `held` are by how much it changed them.

    `of`: the hold (its key) that a capture, release or refund belongs to. `cause`: the order or document it was for.
    """

    key: str
    kind: str
    state: Literal["done", "refused"] = "done"
    amount: int
    at: str
    number: int = 0
    balance: int = 0
    held: int = 0
    open: int = 0
    refundable: int = 0
    of: str | None = None
    cause: str | None = None
    reason: str | None = None
    actor: str | None = None


@dataclass
class Book:
    """An account as it was read, with the hold that the effect belongs to; then the entry that the effect made."""

    account_id: str
    account: CreditAccount | None
    hold: CreditEntry | None = None
    entry: CreditEntry | None = None


def instruct(book: Book, what: Instruction, payment: Payment) -> None:
    """What a gateway instruction does: hold, capture, release or refund, or a refusal that says why."""
    reason = {"authorization": _not_held, "capture": _not_drawn, "void": _not_drawn, "refund": _not_refunded}[what.kind](
        book, what, payment
    )
    account, hold, amount = book.account, book.hold, what.amount
    kind = {"authorization": "hold", "void": "release"}.get(what.kind, what.kind)
    about = {"key": what.key, "kind": kind, "amount": amount, "at": what.at, "of": what.of, "cause": what.key.partition("/")[0]}
    if reason or account is None:
        book.entry = CreditEntry.model_validate({**about, "state": "refused", "reason": reason})
        return
    entry = CreditEntry.model_validate(about)
    if what.kind == "authorization":
        entry.held, entry.open = amount, amount
    elif hold and what.kind == "capture":
        entry.balance, entry.held = -amount, -amount
        hold.open, hold.refundable = hold.open - amount, hold.refundable + amount
    elif hold and what.kind == "void":
        entry.held = -amount
        hold.open -= amount
    elif hold:
        entry.balance = amount
        hold.refundable -= amount
    _enter(book, account, entry)


def grant(book: Book, what: Instruction) -> None:
    """Money that is paid back as store credit; the first of it opens the account. Refused when the account is closed, or has run out."""
    account = book.account
    about = {"key": what.key, "kind": "grant", "amount": what.amount, "at": what.at, "cause": what.key.partition("/")[0]}
    if account is None:
        account = CreditAccount(id=book.account_id, kind="store_credit", currency=what.currency, customer_id=what.owner, opened_at=what.at)
        book.account = account
    status = account.status(what.at)
    if status != "active":
        book.entry = CreditEntry.model_validate({**about, "state": "refused", "reason": f"{status}_credit"})
        return
    _enter(book, account, CreditEntry.model_validate({**about, "balance": what.amount}))


def outcome_of(entry: CreditEntry) -> Outcome:
    """An entry as the gateway's answer. Its key is its reference, so that later instructions find the hold. A hold never runs out."""
    return Outcome("succeeded" if entry.state == "done" else "failed", entry.amount, entry.at, entry.key, entry.reason)


def open_account(book: Book, request: CreditAccountRequest, now: str, cause: str | None, actor: str) -> None:
    """A new account with its opening balance. Conflict of the kind `THERE` if it exists."""
    if book.account:
        raise Conflict(f"there is a credit account {masked(book.account_id)}", kind=THERE)
    account = book.account = CreditAccount(id=book.account_id, opened_at=now, **request.model_dump(exclude={"balance"}))
    entry = CreditEntry(key=OPENING, kind="opening", amount=request.balance, at=now, balance=request.balance, cause=cause, actor=actor)
    _enter(book, account, entry)


def change_account(account: CreditAccount, opened: int, request: CreditAccountRequest) -> None:
    """Change what is no money of an account that began with the balance `opened`. Conflict for another kind, currency or balance."""
    if account.closed_at:
        raise Conflict(f"this credit account was closed at {account.closed_at}; open another one")
    for name in ("kind", "currency"):
        if getattr(account, name) != getattr(request, name):
            raise Conflict(f"this credit account's {name} is {getattr(account, name)} and stays it; open another one")
    if request.balance != opened:
        raise Conflict(
            f"this credit account was opened with {show(opened, account.currency)} and has entries; "
            "send that balance again to change the rest, and correct the balance by POST .../entries"
        )
    account.customer_id, account.expires_at, account.priority = request.customer_id, request.expires_at, request.priority


def correct(book: Book, request: CreditEntryRequest, key: str, now: str, actor: str) -> None:
    """A correction by hand. NotFound without the account; Conflict when it is closed, or would have less than it holds."""
    account = book.account
    if account is None:
        raise NotFound("there is no such credit account")
    if account.closed_at:
        raise Conflict(f"this credit account was closed at {account.closed_at}")
    if account.balance + request.amount < account.held:
        free = show(account.balance - account.held, account.currency)
        raise Conflict(
            f"only {free} of it are free: {show(account.held, account.currency)} are held for orders", kind="insufficient-credit"
        )
    entry = CreditEntry(
        key=key, kind="correction", amount=request.amount, at=now, balance=request.amount, reason=request.reason, actor=actor
    )
    _enter(book, account, entry)


def close(book: Book, key: str, worth: int, currency: str, now: str) -> None:
    """End a gift card whose purchase is paid back; one that is not there yet is noted as closed, so that it never comes to life.

    Conflict when it has been spent from: it would be paid twice.
    """
    account = book.account
    if account is None:
        account = book.account = CreditAccount(id=book.account_id, kind="gift_card", currency=currency, opened_at=now)
    elif account.closed_at is None and (account.balance < worth or account.held):
        left = show(account.balance - account.held, account.currency)
        raise Conflict(
            f"gift card {masked(account.id)} was spent from: {left} of {show(worth, currency)} are left. Give its spender the money back "
            "first, or correct its balance, then try again",
            kind="gift-card-spent",
        )
    entry = CreditEntry(key=key, kind="closure", amount=account.balance, at=now, balance=-account.balance, cause=key)
    account.closed_at = account.closed_at or now
    _enter(book, account, entry)


def _enter(book: Book, account: CreditAccount, entry: CreditEntry) -> None:
    account.balance, account.held = account.balance + entry.balance, account.held + entry.held
    account.entries += 1
    entry.number = account.entries
    book.entry = entry


def _not_held(book: Book, what: Instruction, payment: Payment) -> str | None:
    account = book.account
    if account is None:
        return "unknown_account"
    if account.kind != payment.method:
        return "wrong_kind"
    if account.currency != what.currency:
        return "wrong_currency"
    if account.customer_id and account.customer_id != payment.customer_id:
        return "wrong_customer"
    status = account.status(what.at)
    if status != "active":
        return f"{status}_credit"
    return None if account.available(what.at) >= what.amount else "insufficient_credit"


def _not_drawn(book: Book, what: Instruction, payment: Payment) -> str | None:
    """A hold that was made in time stays good after the account's expiry: the goods were promised for it."""
    if book.account is None or book.hold is None or book.hold.kind != "hold":
        return "unknown_hold"
    return None if book.hold.open >= what.amount else "above_hold"


def _not_refunded(book: Book, what: Instruction, payment: Payment) -> str | None:
    """An expired account takes its money back all the same (it can be spent when somebody sets a later expiry); a closed one does not."""
    if book.account is None or book.hold is None or book.hold.kind != "hold":
        return "unknown_hold"
    if book.account.closed_at:
        return "closed_credit"
    return None if book.hold.refundable >= what.amount else "above_captured"
