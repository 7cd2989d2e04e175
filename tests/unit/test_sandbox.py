"""The sandbox gateway: the token's name decides, and what the tender says; asked again it answers the same."""

from __future__ import annotations

import pytest

from oms.clock import later
from oms.errors import Retryable
from oms.payments import ledger
from oms.payments.gateway import Instruction, Kind, Outcome
from oms.payments.records import Payment, PaymentEvent
from oms.payments.requests import ask, conclude, intend
from oms.payments.sandbox import Sandbox

NOW = "2026-11-24T08:00:00.000Z"
GATEWAY = Sandbox()


def card(token: str = "tok_approve") -> Payment:
    return Payment(id="pay_x_1", method="card", gateway="sandbox", amount=1000, token=token)


def do(payment: Payment, kind: Kind, amount: int = 1000, name: str = "1", of: str | None = None, at: str = NOW) -> Outcome:
    """Intend, ask, record, as the flows do; asked twice before the answer is on record."""
    what = Instruction(kind, f"pay_x_1/{kind}/{name}", amount, "EUR", at, of)
    intend(payment, what)
    outcome = ask(GATEWAY, payment, what)
    assert ask(GATEWAY, payment, what) == outcome
    conclude(payment, what, outcome)
    assert GATEWAY.perform(what, payment).state == outcome.state, "asked again later it says the same"
    return outcome


def authorized(token: str = "tok_approve") -> tuple[Payment, str]:
    payment = card(token)
    return payment, do(payment, "authorization").reference


def said(outcome: Outcome) -> tuple[str, str | None]:
    return outcome.state, outcome.reason


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("tok_decline", "card_declined"),
        ("tok_decline_insufficient_funds", "insufficient_funds"),
        ("tok_of_nobody", "unknown_token"),
    ],
)
def test_a_token_that_is_declined(token: str, reason: str) -> None:
    assert said(do(card(token), "authorization")) == ("failed", reason)


def test_a_token_that_cannot_be_reached() -> None:
    with pytest.raises(Retryable):
        do(card("tok_unavailable"), "authorization")


@pytest.mark.parametrize(
    ("token", "hours", "once"), [("tok_approve", 168, False), ("tok_short_authorization", 1, False), ("tok_single_capture", 168, True)]
)
def test_how_long_and_for_what_an_authorization_is_good(token: str, hours: int, once: bool) -> None:
    held = do(card(token), "authorization")
    assert (held.expires_at, held.once) == (later(NOW, hours=hours), once)


def test_the_first_authorization_succeeds_and_later_ones_do_not() -> None:
    payment, _ = authorized("tok_reauthorization_decline")
    assert said(do(payment, "authorization", 400, "2")) == ("failed", "card_declined")
    payment, _ = authorized()
    assert said(do(payment, "authorization", 400, "2")) == ("succeeded", None)


def test_captures_and_refunds_that_are_declined() -> None:
    payment, held = authorized("tok_capture_decline")
    assert [do(payment, "capture", 500, name, held).state for name in ("1", "2")] == ["failed", "failed"]
    payment, held = authorized("tok_capture_decline_once")
    assert [do(payment, "capture", 500, name, held).state for name in ("a/1", "a/2")] == ["failed", "succeeded"]
    payment, held = authorized("tok_refund_decline")
    do(payment, "capture", 1000, "1", held)
    assert said(do(payment, "refund", 500, "1", held)) == ("failed", "refund_declined")


@pytest.mark.parametrize(
    ("token", "kind", "state"),
    [
        ("tok_async", "authorization", "succeeded"),
        ("tok_async_decline", "authorization", "failed"),
        ("tok_async_capture", "capture", "succeeded"),
        ("tok_async_refund", "refund", "succeeded"),
    ],
)
def test_what_the_gateway_thinks_about_for_a_minute(token: str, kind: Kind, state: str) -> None:
    payment, held = (card(token), None) if kind == "authorization" else authorized(token)
    if kind == "refund":
        do(payment, "capture", 1000, "1", held)
    first = do(payment, kind, 1000, "x", held)
    assert first.state == "requested"
    assert do(payment, kind, 1000, "x", held, later(NOW, seconds=59)) == first
    then = do(payment, kind, 1000, "x", held, later(NOW, seconds=60))
    assert (then.state, then.reference, then.at) == (state, first.reference, later(NOW, seconds=60))
    assert do(payment, kind, 1000, "x", held, later(NOW, hours=5)) == then
    assert not any(event.state == "requested" for event in ledger.newest(payment.events))


def test_an_answer_that_is_lost_is_heard_by_the_next_try() -> None:
    payment = card("tok_timeout_after")
    what = Instruction("authorization", "a/1", 1000, "EUR", NOW)
    intend(payment, what)
    for _ in range(2):
        with pytest.raises(Retryable):
            GATEWAY.perform(what, payment)
    again = Instruction("authorization", "a/1", 1000, "EUR", later(NOW, seconds=1))
    outcome = GATEWAY.perform(again, payment)
    assert (outcome.state, outcome.at) == ("succeeded", NOW), "it happened the first time"
    conclude(payment, again, outcome)
    with pytest.raises(Retryable):
        do(payment, "capture", 1000, "1", outcome.reference)


def test_above_what_is_there_is_declined() -> None:
    payment, held = authorized()
    assert said(do(payment, "capture", 1001, "1", held)) == ("failed", "amount_too_large")
    assert said(do(payment, "capture", 600, "2", held)) == ("succeeded", None)
    assert said(do(payment, "capture", 401, "3", held)) == ("failed", "amount_too_large")
    assert said(do(payment, "void", 401, "1", held)) == ("failed", "amount_too_large")
    assert said(do(payment, "refund", 601, "1", held)) == ("failed", "amount_too_large")
    assert said(do(payment, "refund", 350, "2", held)) == ("succeeded", None)
    assert said(do(payment, "refund", 251, "3", held)) == ("failed", "amount_too_large")
    assert said(do(payment, "refund", 250, "4", held)) == ("succeeded", None)


def test_an_authorization_that_has_run_out_is_never_captured() -> None:
    payment, held = authorized("tok_short_authorization")
    assert said(do(payment, "capture", 100, "1", held, later(NOW, minutes=59))) == ("succeeded", None)
    assert said(do(payment, "capture", 100, "2", held, later(NOW, hours=1))) == ("failed", "authorization_expired")
    assert said(do(payment, "void", 900, "1", held, later(NOW, hours=1))) == ("succeeded", None)


def test_an_authorization_for_one_capture_allows_one() -> None:
    payment, held = authorized("tok_single_capture")
    assert said(do(payment, "capture", 100, "1", held)) == ("succeeded", None)
    assert said(do(payment, "capture", 100, "2", held)) == ("failed", "already_captured")


def test_a_gateway_that_gives_back_whole_authorizations_only() -> None:
    payment, held = authorized("tok_no_partial_void")
    assert said(do(payment, "void", 400, "1", held)) == ("failed", "partial_void_not_supported")
    do(payment, "capture", 300, "1", held)
    assert said(do(payment, "void", 700, "2", held)) == ("succeeded", None), "all that is left is the whole"


def test_an_unknown_reference_is_declined() -> None:
    payment, _ = authorized()
    for kind in ("capture", "void"):
        assert said(do(payment, kind, 1, "1", "sbx_auth_of_nobody")) == ("failed", "unknown_reference")
    assert said(do(card(), "capture", 1)) == ("failed", "unknown_reference")


def test_an_authorization_made_elsewhere_is_captured_by_its_own_name() -> None:
    event = PaymentEvent(kind="authorization", state="succeeded", amount=1000, at=NOW, reference="AUTH-1")
    payment = card().model_copy(update={"token": None, "events": [event]})
    assert said(do(payment, "capture", 1000, "1", "AUTH-1")) == ("succeeded", None)


def test_an_authorization_whose_answer_is_not_on_record_yet_can_be_voided() -> None:
    """Capture voids what was authorized when another tender is declined, before it records anything."""
    payment = card()
    what = Instruction("authorization", "a/1", 1000, "EUR", NOW)
    intend(payment, what)
    held = GATEWAY.perform(what, payment)
    assert GATEWAY.perform(Instruction("void", "v/1", 1000, "EUR", NOW, held.reference), payment).state == "succeeded"
    assert GATEWAY.perform(Instruction("void", "v/2", 1001, "EUR", NOW, held.reference), payment).state == "failed"


def test_what_was_never_asked_is_not_found() -> None:
    payment, _ = authorized()
    assert GATEWAY.look_up(Instruction("capture", "never", 1, "EUR", NOW), payment) is None
