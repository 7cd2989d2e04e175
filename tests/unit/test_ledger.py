"""A tender's amounts, folded from its events."""

from __future__ import annotations

import pytest

from oms.payments import ledger
from oms.payments.records import Payment, PaymentEvent


def event(kind: str, state: str, amount: int = 100, at: str = "1", key: str | None = None, reference: str | None = None) -> PaymentEvent:
    return PaymentEvent.model_validate({"kind": kind, "state": state, "amount": amount, "at": at, "key": key, "reference": reference})


def tender(*events: PaymentEvent, expires_at: str | None = None) -> Payment:
    dated = [event.model_copy(update={"expires_at": expires_at if event.kind == "authorization" else None}) for event in events]
    return Payment(id="p", method="card", gateway="sandbox", amount=100, events=dated)


@pytest.mark.parametrize(
    ("kind", "state", "bucket"),
    [
        ("authorization", "succeeded", "authorized"),
        ("adjustment", "succeeded", "authorized"),
        ("capture", "succeeded", "captured"),
        ("refund", "succeeded", "refunded"),
        ("void", "succeeded", "voided"),
        ("chargeback", "succeeded", "charged_back"),
        ("authorization", "requested", "pending_authorization"),
        ("adjustment", "requested", "pending_authorization"),
        ("capture", "requested", "pending_capture"),
        ("refund", "requested", "pending_refund"),
        ("void", "requested", "pending_void"),
        ("capture", "failed", "failed"),
    ],
)
def test_each_event_counts_in_its_bucket(kind: str, state: str, bucket: str) -> None:
    assert ledger.fold(tender(event(kind, state, reference="r"))) == ledger.Buckets.model_validate({bucket: 100})


@pytest.mark.parametrize(
    ("kind", "state"), [("chargeback", "requested"), ("refund_reversal", "requested"), ("dispute_opened", "succeeded")]
)
def test_what_moves_no_money_counts_nowhere(kind: str, state: str) -> None:
    assert ledger.fold(tender(event(kind, state, reference="r"))) == ledger.Buckets()


def test_a_reversed_refund_is_given_back() -> None:
    events = [event("refund", "succeeded", 100, reference="r"), event("refund_reversal", "succeeded", 40, reference="v")]
    assert ledger.fold(tender(*events)).refunded == 60


def test_the_newest_by_the_providers_time_wins() -> None:
    old, new = event("capture", "succeeded", 100, "1", reference="r"), event("capture", "failed", 100, "2", reference="r")
    for events in ([old, new], [new, old]):
        assert ledger.fold(tender(*events)).captured == 0


def test_ties_go_to_the_further_state() -> None:
    events = [event("capture", state, reference="r") for state in ("succeeded", "failed", "requested")]
    assert ledger.newest(events) == [events[0]]
    assert ledger.newest(events[1:]) == [events[1]]


def test_references_and_kinds_are_told_apart() -> None:
    events = [event("capture", "succeeded", 30, reference="a"), event("capture", "succeeded", 40, reference="b")]
    sums = ledger.fold(tender(event("authorization", "succeeded", 100, reference="a"), *events))
    assert (sums.authorized, sums.captured, sums.open_authorization) == (100, 70, 30)


def test_an_answer_takes_the_place_of_our_request() -> None:
    payment = tender(event("capture", "requested", key="k/1"))
    assert ledger.add(payment, event("capture", "succeeded", at="2", key="k/1", reference="r"))
    assert ledger.fold(payment) == ledger.Buckets(captured=100)


def test_our_request_is_answered_even_when_newer_news_of_it_is_on_record() -> None:
    asked, answer = event("capture", "requested", key="k/1"), event("capture", "succeeded", at="2", key="k/1", reference="r")
    told = event("capture", "succeeded", at="3", reference="r")
    assert ledger.fold(tender(asked, answer, told)) == ledger.Buckets(captured=100)


def test_the_same_event_twice_is_no_news() -> None:
    payment = tender(event("capture", "succeeded", reference="r"))
    assert not ledger.add(payment, event("capture", "succeeded", reference="r"))
    assert len(payment.events) == 1


def test_a_new_attempt_comes_only_after_a_definitive_failure() -> None:
    payment = tender()
    assert ledger.attempt_key(payment, "base") == "base/1"
    ledger.add(payment, event("capture", "requested", key="base/1"))
    assert ledger.attempt_key(payment, "base") == "base/1"
    ledger.add(payment, event("capture", "failed", key="base/1", reference="r"))
    assert ledger.attempt_key(payment, "base") == "base/2"
    assert ledger.attempt_key(payment, "bas") == "bas/1"


def test_what_was_asked_is_found_by_its_key() -> None:
    asked = event("capture", "requested", key="k/1")
    assert ledger.find(tender(asked), "k/1") == asked
    assert ledger.find(tender(asked), "k/2") is None


AUTHORIZED, CAPTURED = event("authorization", "succeeded", reference="a"), event("capture", "succeeded", reference="c")


@pytest.mark.parametrize(
    ("events", "expires_at", "status"),
    [
        ([], None, "none"),
        ([event("authorization", "failed", reference="a")], None, "failed"),
        ([event("authorization", "requested", key="k")], None, "pending"),
        ([AUTHORIZED], None, "authorized"),
        ([AUTHORIZED], "2", "authorized"),
        ([AUTHORIZED], "1", "expired"),
        ([AUTHORIZED, event("void", "succeeded", reference="v")], None, "voided"),
        ([AUTHORIZED, event("capture", "succeeded", 40, reference="c")], None, "partially_captured"),
        ([AUTHORIZED, CAPTURED], None, "captured"),
        ([AUTHORIZED, CAPTURED, event("refund", "succeeded", 40, reference="r")], None, "partially_refunded"),
        ([AUTHORIZED, CAPTURED, event("refund", "succeeded", reference="r")], None, "refunded"),
        ([AUTHORIZED, CAPTURED, event("chargeback", "succeeded", 1, reference="b")], None, "charged_back"),
    ],
)
def test_where_one_tender_stands(events: list[PaymentEvent], expires_at: str | None, status: str) -> None:
    assert ledger.payment_status(tender(*events, expires_at=expires_at), now="1") == status
