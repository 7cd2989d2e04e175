"""Credit accounts: holds, captures, releases, refunds, corrections and their refusals."""

from __future__ import annotations

from typing import Any

import pytest

from oms.clock import later
from oms.errors import Conflict, NotFound
from oms.payments import credit
from oms.payments.credit import CreditAccount, CreditEntryRequest
from oms.payments.gateway import Instruction, Kind, Outcome
from oms.payments.shown import shown
from tests.support.credit import NOW, CreditBooks, a_credit_tender


class Till:
    """One gift card of 50.00 EUR, and instructions about it."""

    def __init__(self, balance: int = 5000, **account: Any) -> None:
        self.books = CreditBooks()
        self.books.open("g1", balance, **account)

    def ask(self, kind: Kind, amount: int, key: str, *, of: str | None = None, at: str = NOW, currency: str = "EUR", **who: Any) -> Outcome:
        return self.books.perform(Instruction(kind, key, amount, currency, at, of), a_credit_tender(**who))

    def figures(self) -> tuple[int, int]:
        """Balance and held."""
        account = self.books.accounts["g1"]
        return account.balance, account.held

    def correct(self, amount: int, key: str = "correction/1") -> None:
        request = CreditEntryRequest(amount=amount, reason="test")
        self.books.once("g1", key, lambda book: credit.correct(book, request, key, NOW, "test"))

    def close(self, worth: int, key: str = "closure/cm_1") -> None:
        self.books.once("g1", key, lambda book: credit.close(book, key, worth, "EUR", NOW))


@pytest.fixture
def till() -> Till:
    return Till()


def test_a_hold_keeps_and_a_capture_spends(till: Till) -> None:
    assert till.ask("authorization", 3000, "h1").state == "succeeded"
    assert till.figures() == (5000, 3000)
    assert till.ask("capture", 2000, "c1", of="h1").state == "succeeded"
    assert till.figures() == (3000, 1000)
    assert till.ask("void", 400, "v1", of="h1").state == "succeeded"
    assert till.figures() == (3000, 600)
    assert till.ask("refund", 1500, "r1", of="h1").state == "succeeded"
    assert till.figures() == (4500, 600)


def test_a_key_has_one_answer(till: Till) -> None:
    for _ in range(3):
        till.ask("authorization", 3000, "h1")
        till.ask("capture", 3000, "c1", of="h1")
        till.ask("refund", 3000, "r1", of="h1")
    assert till.figures() == (5000, 0)


def test_a_refusal_stays_one_under_its_key_even_when_there_is_enough_later(till: Till) -> None:
    assert till.ask("authorization", 6000, "h1").reason == "insufficient_credit"
    till.correct(2000)
    assert till.ask("authorization", 6000, "h1").state == "failed"
    assert till.ask("authorization", 6000, "h2").state == "succeeded"


@pytest.mark.parametrize(
    ("account", "asked", "reason"),
    [
        ({}, {"amount": 5001}, "insufficient_credit"),
        ({"expires_at": NOW}, {}, "expired_credit"),
        ({}, {"currency": "USD"}, "wrong_currency"),
        ({"customer_id": "c-2"}, {}, "wrong_customer"),
        ({}, {"method": "store_credit"}, "wrong_kind"),
        ({}, {"account_id": "nobody's"}, "unknown_account"),
    ],
)
def test_what_cannot_be_held_is_declined_with_its_reason(account: dict[str, Any], asked: dict[str, Any], reason: str) -> None:
    till = Till(**account)
    outcome = till.ask("authorization", asked.pop("amount", 1000), "h1", **asked)
    assert (outcome.state, outcome.reason) == ("failed", reason)
    assert till.figures() == (5000, 0)


def test_two_holds_never_keep_the_same_money(till: Till) -> None:
    assert till.ask("authorization", 3000, "h1").state == "succeeded"
    assert till.ask("authorization", 2001, "h2").reason == "insufficient_credit"
    assert till.ask("authorization", 2000, "h3").state == "succeeded"


@pytest.mark.parametrize(
    ("kind", "amount", "of", "reason"),
    [
        ("capture", 3001, "h1", "above_hold"),
        ("void", 3001, "h1", "above_hold"),
        ("capture", 1, "h9", "unknown_hold"),
        ("capture", 1, None, "unknown_hold"),
        ("refund", 1, "h1", "above_captured"),
        ("refund", 1, "opening", "unknown_hold"),
    ],
)
def test_nothing_beyond_the_hold(till: Till, kind: Kind, amount: int, of: str | None, reason: str) -> None:
    till.ask("authorization", 3000, "h1")
    assert till.ask(kind, amount, "x", of=of).reason == reason
    assert till.figures() == (5000, 3000)


def test_a_hold_made_in_time_is_captured_after_the_expiry(till: Till) -> None:
    till = Till(expires_at=later(NOW, days=1))
    till.ask("authorization", 3000, "h1")
    assert till.ask("capture", 3000, "c1", of="h1", at=later(NOW, days=2)).state == "succeeded"


def test_an_expired_card_takes_its_money_back_but_it_cannot_be_spent() -> None:
    till, after = Till(expires_at=later(NOW, days=1)), later(NOW, days=2)
    till.ask("authorization", 5000, "h1")
    till.ask("capture", 5000, "c1", of="h1")
    assert till.ask("refund", 5000, "r1", of="h1", at=after).state == "succeeded"
    account = till.books.accounts["g1"]
    assert (account.balance, account.available(after), account.status(after)) == (5000, 0, "expired")
    assert till.ask("authorization", 1, "h2", at=after).reason == "expired_credit"


@pytest.mark.parametrize(("amount", "balance"), [(-2000, 3000), (2000, 7000)])
def test_a_correction_moves_the_balance(till: Till, amount: int, balance: int) -> None:
    till.correct(amount)
    assert till.figures() == (balance, 0)


def test_a_correction_never_takes_what_is_held(till: Till) -> None:
    till.ask("authorization", 4000, "h1")
    with pytest.raises(Conflict, match=r"only 10\.00 EUR of it are free"):
        till.correct(-1001)
    till.correct(-1000)
    assert till.figures() == (4000, 4000)


def test_a_card_whose_purchase_is_paid_back_dies_once(till: Till) -> None:
    for _ in range(2):
        till.close(5000)
    assert till.figures() == (0, 0)
    assert till.ask("authorization", 1, "h1").reason == "closed_credit"
    with pytest.raises(Conflict, match="was closed"):
        till.correct(1)


@pytest.mark.parametrize("captured", [True, False])
def test_a_card_that_was_spent_from_does_not_die(till: Till, captured: bool) -> None:
    till.ask("authorization", 1, "h1")
    if captured:
        till.ask("capture", 1, "c1", of="h1")
    with pytest.raises(Conflict, match="was spent from"):
        till.close(5000)
    assert till.books.accounts["g1"].closed_at is None


def test_a_card_that_was_spent_from_and_filled_again_may_die(till: Till) -> None:
    till.ask("authorization", 5000, "h1")
    till.ask("capture", 5000, "c1", of="h1")
    till.ask("refund", 5000, "r1", of="h1")
    till.close(5000)
    assert till.ask("refund", 0, "r2", of="h1").reason == "closed_credit"


def test_a_card_that_is_not_there_yet_never_comes_to_life() -> None:
    books = CreditBooks()
    books.once("g1", "closure/cm_1", lambda book: credit.close(book, "closure/cm_1", 5000, "EUR", NOW))
    with pytest.raises(Conflict):
        books.open("g1", 5000)
    assert books.accounts["g1"].status(NOW) == "closed"


def test_who_has_no_account_has_nothing_to_correct() -> None:
    with pytest.raises(NotFound):
        credit.correct(credit.Book("g9", None), CreditEntryRequest(amount=1, reason="x"), "k", NOW, "test")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"balance": 4999}, "was opened with 50.00 EUR and has entries"),
        ({"currency": "USD"}, "currency is EUR and stays it"),
        ({"kind": "store_credit"}, "kind is gift_card and stays it"),
    ],
)
def test_what_an_account_is_does_not_change(till: Till, change: dict[str, Any], words: str) -> None:
    request = credit.CreditAccountRequest.model_validate({"kind": "gift_card", "currency": "EUR", "balance": 5000, **change})
    with pytest.raises(Conflict, match=words):
        credit.change_account(till.books.accounts["g1"], 5000, request)


def test_who_may_spend_it_and_until_when_may_change() -> None:
    account = CreditAccount(id="g1", kind="gift_card", currency="EUR", balance=10)
    fields = {"kind": "gift_card", "currency": "EUR", "balance": 5000, "expires_at": NOW, "customer_id": "c-9", "priority": 3}
    credit.change_account(account, 5000, credit.CreditAccountRequest.model_validate(fields))
    assert (account.balance, account.expires_at, account.customer_id, account.priority) == (10, NOW, "c-9", 3)


def test_only_the_last_characters_of_a_gift_card_are_shown() -> None:
    assert shown(a_credit_tender("1234567890")) == "...7890"
    assert shown(a_credit_tender("ann", method="store_credit")) == "ann"
