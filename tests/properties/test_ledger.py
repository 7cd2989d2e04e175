"""A tender's events are a set: in any order, and told any number of times, they come to the same amounts (design section 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from oms.payments import ledger
from oms.payments.records import Payment, PaymentEvent

OUTSIDE = ("adjustment", "capture", "refund", "void", "chargeback", "refund_reversal")
STATES = ("requested", "failed", "succeeded")
TIMES = st.sampled_from("123")


def event(kind: str, state: str, amount: int, at: str, **more: Any) -> PaymentEvent:
    return PaymentEvent.model_validate({"kind": kind, "state": state, "amount": amount, "at": at, **more})


@st.composite
def stories(draw: st.DrawFn) -> list[PaymentEvent]:
    """What may be told of one tender: our instructions with their answers and the news of them, one or more authorizations, what draws on
    them, what lapses, and what only the gateway knows of."""
    events: list[PaymentEvent] = []
    granted = [f"auth-{n}" for n in range(draw(st.integers(1, 3)))]
    for number, reference in enumerate(granted):
        events += _instruction(draw, "authorization", f"authorize/{number}", reference, None)
    for number in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["capture", "refund", "void"]))
        events += _instruction(draw, kind, f"{kind}/{number}", f"ref-{number}", draw(st.sampled_from([*granted, None])))
    for reference in draw(st.lists(st.sampled_from(granted), unique=True)):
        events.append(event("expiry", "succeeded", draw(st.integers(1, 300)), draw(TIMES), key=f"expiry/{reference}", of=reference))
    for number in range(draw(st.integers(0, 3))):
        told = event(draw(st.sampled_from(OUTSIDE)), draw(st.sampled_from(STATES)), draw(st.integers(0, 300)), draw(TIMES))
        events.append(told.model_copy(update={"reference": f"out-{number}", "of": draw(st.sampled_from([*granted, None]))}))
    return events


def _instruction(draw: st.DrawFn, kind: str, key: str, reference: str, of: str | None) -> list[PaymentEvent]:
    """Asked; perhaps answered, once or with a wait in between, by the gateway or by a person; perhaps told of by webhook too."""
    amount = draw(st.integers(1, 300))
    ours: dict[str, Any] = {"key": key, "of": of, "document": draw(st.sampled_from([None, f"inv_{key}"]))}
    events = [event(kind, "requested", amount, "0", **ours)]
    answer = {**ours, "reference": reference}
    if kind == "authorization":
        answer |= {"expires_at": draw(st.none() | st.sampled_from("789")), "once": draw(st.booleans())}
    for state in draw(st.lists(st.sampled_from(STATES), max_size=2)):
        events.append(event(kind, state, draw(st.sampled_from([amount, amount + 1])), draw(TIMES), **answer))
    for state in draw(st.lists(st.sampled_from(STATES), max_size=2)):
        # News names our key only where the gateway keeps it; it never knows how long an authorization is good.
        known = ours if draw(st.booleans()) else {}
        events.append(event(kind, state, draw(st.sampled_from([amount, amount - 1])), draw(TIMES), reference=reference, **known))
    if draw(st.booleans()):
        events.append(event(kind, draw(st.sampled_from(["failed", "succeeded"])), amount, "4", **ours, reference=f"by-hand:{key}"))
    return events


def tender(events: list[PaymentEvent]) -> Payment:
    payment = Payment(id="p", method="card", gateway="sandbox", amount=100)
    for each in events:
        ledger.add(payment, each)
    return payment


def picture(payment: Payment) -> dict[str, Any]:
    """Everything that is read off a tender's events."""
    asked = sorted({each.key for each in payment.events if each.key})
    return {
        "amounts": ledger.fold(payment),
        "authorizations": ledger.authorizations(payment),
        "captures": ledger.captures(payment),
        "newest": sorted(each.model_dump_json() for each in ledger.newest(payment.events)),
        "expires_at": ledger.expires_at(payment),
        "open": [ledger.open_at(payment, at) for at in "0689"],
        "status": ledger.payment_status(payment, "5"),
        "asked": {key: ledger.find(payment, key) for key in asked},
        "attempts": {key: ledger.attempt_key(payment, key.partition("/")[0]) for key in asked},
    }


REQUEST, PENDING, DONE = (
    event("capture", state, 100, at, key="capture/1", reference=reference)
    for state, at, reference in (("requested", "0", None), ("requested", "1", "r"), ("succeeded", "2", "r"))
)
TOLD = event("authorization", "succeeded", 100, "3", key="authorize/1", reference="a")
ANSWERED = event("authorization", "succeeded", 100, "1", key="authorize/1", reference="a", expires_at="9", once=True)
TWINS = [event("capture", "succeeded", amount, "1", reference=f"c{amount}") for amount in (100, 200)]
BACK = event("refund", "succeeded", 50, "2", reference="r")


@given(stories().flatmap(lambda events: st.tuples(st.just(events), st.permutations(events * 2))))
@example(([REQUEST, PENDING, DONE], [REQUEST, DONE, PENDING]))
@example(([REQUEST, DONE], [DONE, REQUEST]))
@example(([TOLD, ANSWERED], [ANSWERED, TOLD]))
@example(([*TWINS, BACK], [BACK, *reversed(TWINS)]))
def test_every_permutation_and_repetition_folds_to_the_same(told: tuple[list[PaymentEvent], list[PaymentEvent]]) -> None:
    once, again = told
    assert picture(tender(again)) == picture(tender(once))


@given(stories())
def test_what_is_told_again_is_no_news(events: list[PaymentEvent]) -> None:
    payment = tender(events)
    before = payment.model_copy(deep=True)
    assert not any(ledger.add(payment, each) for each in events)
    assert payment == before


@given(stories())
def test_an_instruction_counts_once_whoever_tells_of_it(events: list[PaymentEvent]) -> None:
    newest = ledger.newest(tender(events).events)
    for same in (lambda each: (each.kind, each.key) if each.key else None, lambda each: (each.kind, each.reference)):
        name: Callable[[PaymentEvent], tuple[str, str | None] | None] = same
        named = [name(each) for each in newest if name(each) and name(each) != (each.kind, None)]
        assert len(named) == len(set(named))


@given(stories())
def test_amounts_of_all_authorizations_are_the_tenders(events: list[PaymentEvent]) -> None:
    """Each capture, void and expiry draws on exactly one authorization, so their sums are the buckets."""
    payment = tender(events)
    sums, granted = ledger.fold(payment), ledger.authorizations(payment)
    if granted:
        drawn = [sum(getattr(each, name) for each in granted) for name in ("amount", "captured", "voided")]
        assert drawn == [sums.authorized, sums.captured, sums.voided]
