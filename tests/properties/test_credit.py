"""Credit accounts under any sequence of effects, each asked any number of times: the figures always add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from oms.clock import later
from oms.errors import OmsError
from oms.payments import credit
from oms.payments.credit import CreditEntryRequest
from oms.payments.gateway import Instruction
from tests.support.credit import NOW, CreditBooks, a_credit_tender

KINDS = ("authorization", "capture", "void", "refund", "correct", "close")
STEPS = st.tuples(
    st.sampled_from(KINDS),
    st.integers(1, 12),  # the number in its key: the same number is the same instruction again
    st.integers(1, 400),
    st.integers(1, 4),  # which hold
    st.integers(0, 3),  # the day: the account expires on the second
)


def play(books: CreditBooks, step: tuple[str, int, int, int, int]) -> None:
    """One effect; its amount belongs to its key, as with every caller."""
    kind, number, amount, hold, day = step
    key, at = f"{kind}/{number}/{amount}/{hold}", later(NOW, days=day)
    try:
        if kind == "correct":
            signed = amount if number % 2 else -amount
            request = CreditEntryRequest(amount=signed, reason="x")
            books.once("g1", key, lambda book: credit.correct(book, request, key, at, "test"))
        elif kind == "close":
            books.once("g1", key, lambda book: credit.close(book, key, 500, "EUR", at))
        else:
            holds = [entry.key for entry in books.entries.values() if entry.kind == "hold" and entry.state == "done"]
            of = holds[hold % len(holds)] if holds and kind != "authorization" else None
            known: Any = kind
            books.perform(Instruction(known, f"{key}/{of}", amount, "EUR", at, of), a_credit_tender())
    except OmsError:
        return


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1000), st.lists(STEPS, max_size=40))
def test_balance_is_the_sum_of_entries_and_held_the_sum_of_open_holds(
    opening: int, steps: Sequence[tuple[str, int, int, int, int]]
) -> None:
    books = CreditBooks()
    books.open("g1", opening, expires_at=later(NOW, days=2))
    for step in steps:
        for _ in range(1 + step[1] % 2):
            play(books, step)
        account = books.accounts["g1"]
        done = [entry for entry in books.entries.values() if entry.state == "done"]
        assert account.balance == sum(entry.balance for entry in done)
        assert account.held == sum(entry.held for entry in done) == sum(entry.open for entry in done)
        assert 0 <= account.held <= account.balance
        assert account.entries == len(done) == len({entry.number for entry in done})
        assert all(0 <= entry.open <= entry.amount and 0 <= entry.refundable <= entry.amount for entry in done if entry.kind == "hold")
        spent = -sum(entry.balance for entry in done if entry.kind in ("capture", "refund"))
        assert spent == sum(entry.refundable for entry in done)


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=20), st.randoms(use_true_random=False))
def test_whatever_is_asked_again_changes_nothing(steps: Sequence[tuple[str, int, int, int, int]], random: Any) -> None:
    books = CreditBooks()
    books.open("g1", 800)
    for step in steps:
        play(books, step)
    before = ({key: entry.model_copy() for key, entry in books.entries.items()}, books.accounts["g1"].model_copy())
    asked = [(name, entry) for name, entry in books.entries.items() if entry.kind in ("hold", "capture", "release", "refund")]
    random.shuffle(asked)
    kinds: dict[str, Any] = {"hold": "authorization", "release": "void"}
    for (_, key), entry in asked:
        again = Instruction(kinds.get(entry.kind, entry.kind), key, entry.amount, "EUR", later(NOW, days=9), entry.of)
        assert books.perform(again, a_credit_tender()) == credit.outcome_of(entry)
    assert (books.entries, books.accounts["g1"]) == before
