"""What every gateway keeps of the protocol, the same tests for each: one answer per key, nothing beyond what was authorized or captured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from oms.clock import later
from oms.flows.gateways import GATEWAYS
from oms.payments.gateway import Gateway, Instruction, Kind, Outcome
from oms.payments.records import Payment
from oms.payments.requests import conclude, intend
from oms.payments.sandbox import Sandbox
from oms.payments.stripe_gateway import StripeGateway
from tests.support.credit import NOW, CreditBooks, a_credit_tender
from tests.support.stripe import KEY, a_card
from tests.support.world import World

Fresh = Callable[[], Payment]


@dataclass(frozen=True)
class Case:
    """A gateway, and tenders of 10.00 EUR that it accepts and that it declines."""

    gateway: Gateway
    good: Fresh
    bad: Fresh
    name: str = "x"


def card(token: str) -> Payment:
    return Payment(id="pay_x_1", method="card", gateway="sandbox", amount=1000, token=token, source=token)


def in_memory(_: World) -> Case:
    books = CreditBooks()
    books.open("g1", 1000)
    return Case(books, a_credit_tender, lambda: a_credit_tender("g9"))


def credit(world: World) -> Case:
    world.done("PUT", "/v1/credit-accounts/g1", {"kind": "gift_card", "currency": "EUR", "balance": 1000})
    return Case(GATEWAYS["credit"], a_credit_tender, lambda: a_credit_tender("g9"))


def sandbox(_: World) -> Case:
    return Case(Sandbox(), lambda: card("tok_approve"), lambda: card("tok_decline"))


CASES: dict[str, Callable[[World], Case]] = {"sandbox": sandbox, "credit": credit, "credit in memory": in_memory}


@pytest.fixture(params=[*CASES, "stripe"])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "stripe":
        gateway = StripeGateway(KEY, api_base=request.getfixturevalue("stripe_address"))
        test = request.node.name  # what it keeps outlives a test, and so do its keys
        return Case(gateway, lambda: a_card(test=test), lambda: a_card("pm_card_chargeCustomerFail", test=test), name=test)
    return CASES[request.param](request.getfixturevalue("world"))


def an_instruction(case: Case, kind: Kind, amount: int, key: str, of: str | None) -> Instruction:
    return Instruction(kind, f"{case.name}/{kind}/{key}", amount, "EUR", NOW, of)


def ask(case: Case, payment: Payment, kind: Kind, amount: int = 1000, key: str = "1", of: str | None = None) -> Outcome:
    """As the product does it: note the intent, ask, and put the answer in its place. Asked twice, as if the first answer had been lost."""
    what = an_instruction(case, kind, amount, key, of)
    intend(payment, what)
    outcome = case.gateway.perform(what, payment)
    assert case.gateway.perform(what, payment) == outcome, "the same key is the same answer"
    conclude(payment, what, outcome)
    return outcome


def test_authorize_capture_refund(case: Case) -> None:
    payment = case.good()
    held = ask(case, payment, "authorization")
    assert (held.state, held.amount) == ("succeeded", 1000)
    assert NOW <= held.at < later(NOW, days=3650), "by the gateway's own clock"
    taken = ask(case, payment, "capture", 600, of=held.reference)
    assert (taken.state, taken.amount) == ("succeeded", 600)
    back = ask(case, payment, "refund", 200, of=held.reference)
    assert (back.state, back.amount) == ("succeeded", 200)
    assert len({held.reference, taken.reference, back.reference}) == 3


def test_an_authorization_is_given_back_in_part_where_the_gateway_can(case: Case) -> None:
    payment = case.good()
    held = ask(case, payment, "authorization")
    part = 400 if case.gateway.voids_parts else 1000
    assert ask(case, payment, "void", part, of=held.reference).state == "succeeded"
    if part == 400:
        assert ask(case, payment, "capture", 600, of=held.reference).state == "succeeded"


def test_a_decline_is_definitive_and_says_why(case: Case) -> None:
    said = ask(case, case.bad(), "authorization")
    assert said.state == "failed"
    assert said.reason


def test_what_was_asked_is_found_by_its_key_and_nothing_else(case: Case) -> None:
    payment = case.good()
    held = ask(case, payment, "authorization")
    assert case.gateway.look_up(an_instruction(case, "authorization", 1000, "1", None), payment) == held
    assert case.gateway.look_up(an_instruction(case, "authorization", 1000, "2", None), payment) is None


def test_nothing_beyond_what_was_authorized_or_captured(case: Case) -> None:
    payment = case.good()
    held = ask(case, payment, "authorization", 800)
    assert ask(case, payment, "capture", 801, of=held.reference).state == "failed"
    assert ask(case, payment, "refund", 1, of=held.reference).state == "failed"
    assert ask(case, payment, "void", 801, of=held.reference).state == "failed"
    assert ask(case, payment, "capture", 800, "2", of=held.reference).state == "succeeded"
