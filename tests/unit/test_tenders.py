"""Tenders: what goes together, what they cover, in which order they pay, and what was done elsewhere taken over."""

from __future__ import annotations

from typing import Any

import pytest

from oms.clock import later
from oms.errors import Conflict, Invalid
from oms.orders import statuses
from oms.orders.order import Order
from oms.orders.placing import content_digest, read_order
from oms.payments.account_settings import AccountSettings
from oms.payments.accounts import Account
from oms.payments.funds import ensure_funds
from oms.payments.ledger import authorizations, fold
from oms.payments.tender_request import read_tender
from oms.payments.tenders import add_tender
from oms.settings import ChannelSettings
from tests.support.orders import a_card, a_line, an_order
from tests.unit.memory import GATEWAYS, NOW, World

TERMS = {"method": "terms", "terms": {"net_days": 30}}
ELSEWHERE = {"reference": "a-1", "amount": 2000}


def taken(*payments: dict[str, Any], world: World | None = None, **more: Any) -> Order:
    """An order of 20.00 EUR paid so, as it is before any gateway is asked. The credit gateway is not needed for that."""
    return (world or World()).take(an_order(payments=list(payments)), **more)


def faults(*payments: dict[str, Any]) -> dict[str, str]:
    """What is wrong with an order of 20.00 EUR paid so: where, and in what words."""
    with pytest.raises(Invalid) as caught:
        World().take(an_order(payments=list(payments)))
    return {fault.pointer.removeprefix("/payments"): fault.detail for fault in caught.value.errors}


def a_tender(method: str = "card", amount: int = 2000, **more: Any) -> dict[str, Any]:
    return {"method": method, "amount": amount, **more}


@pytest.mark.parametrize(
    ("tender", "pointers"),
    [
        pytest.param(a_tender(), {"/0/token"}, id="a card without token"),
        pytest.param({"method": "card", "token": "t"}, {"/0/amount"}, id="no amount"),
        pytest.param(a_tender(token="t", account_id="x"), {"/0/account_id"}, id="a card with a credit account"),
        pytest.param(a_tender(token="t", terms={"net_days": 3}), {"/0/terms"}, id="a card with terms"),
        pytest.param(a_tender(token="t", authorization=ELSEWHERE), {"/0/token"}, id="both token and authorization"),
        pytest.param(a_tender(token="t", gateway="credit"), {"/0/gateway"}, id="a card at the credit gateway"),
        pytest.param(a_tender("gift_card"), {"/0/account_id"}, id="a gift card without its number"),
        pytest.param(a_tender("store_credit", token="t"), {"/0/account_id", "/0/token"}, id="store credit with a token"),
        pytest.param(a_tender("gift_card", account_id="x", gateway="sandbox"), {"/0/gateway"}, id="a gift card elsewhere"),
        pytest.param(a_tender("gift_card", account_id="x", capture=ELSEWHERE), {"/0/capture"}, id="a gift card captured elsewhere"),
        pytest.param({**TERMS, "token": "t"}, {"/0/token"}, id="terms with a token"),
        pytest.param({**TERMS, "authorization": ELSEWHERE}, {"/0/authorization"}, id="terms with an authorization"),
        pytest.param(a_tender("wire", token="t"), {"/0/token"}, id="a token that nobody knows"),
        pytest.param(
            a_tender(authorization=ELSEWHERE, capture={"reference": "c", "amount": 2001}),
            {"/0/capture/amount"},
            id="capture above authorization and tender",
        ),
        pytest.param(a_tender(authorization={**ELSEWHERE, "amount": 1999}), {"/0/authorization/amount"}, id="authorization too small"),
        pytest.param(a_tender(capture={**ELSEWHERE, "amount": 1999}), {"/0/capture/amount"}, id="capture too small"),
        pytest.param(a_tender(authorization={**ELSEWHERE, "amount": 0}), {"/0/authorization/amount"}, id="authorization of nothing"),
    ],
)
def test_what_does_not_go_together_is_named(tender: dict[str, Any], pointers: set[str]) -> None:
    assert set(faults(tender)) == pointers
    with pytest.raises(Invalid) as caught:
        read_tender(tender)
    assert {fault.pointer for fault in caught.value.errors} == {pointer.removeprefix("/0") for pointer in pointers}


def test_faults_of_one_tender_do_not_hide_those_of_another() -> None:
    assert set(faults(a_tender(pin=1), a_tender("gift_card", 1))) == {"/0/pin", "/1/account_id"}


def test_a_method_known_only_by_name_needs_neither_token_nor_gateway() -> None:
    order = World().place(an_order(payments=[a_tender("bank_transfer")]))
    (payment,) = order.payments.values()
    assert (payment.gateway, payment.events, order.summary.status) == ("manual", [], "open")
    assert statuses.money_owed(order) == "balance_due"


@pytest.mark.parametrize(
    ("payments", "words"),
    [
        ([TERMS, TERMS], {"/1": "one tender on terms is enough; add them up"}),
        ([a_card(2001), TERMS], {"": "the payments beside terms add up to 2001 and the grand total is 2000; they must not exceed it"}),
        (
            [a_card(1000), {**TERMS, "amount": 999}],
            {"": "the payments add up to 1999 with terms and the grand total is 2000; nobody pays the rest"},
        ),
        ([{"method": "terms"}], {"/0/terms/net_days": "required, because no account says in how many days its invoices are due"}),
        ([a_card(2000) | {"gateway": "acme"}], {"/0/gateway": "there is no payment gateway 'acme'"}),
    ],
)
def test_what_does_not_cover_the_order_is_named(payments: list[dict[str, Any]], words: dict[str, str]) -> None:
    assert faults(*payments) == words


def test_terms_take_what_the_others_leave() -> None:
    order = World().place(an_order(payments=[TERMS, a_card(500)]))
    assert [(payment.method, payment.amount, payment.net_days) for payment in order.payments.values()] == [
        ("terms", 1500, 30),
        ("card", 500, None),
    ]
    assert statuses.money_owed(order) == "none"


def test_terms_that_are_left_nothing_are_no_tender() -> None:
    assert [payment.method for payment in taken(TERMS, a_card(2000)).payments.values()] == ["card"]


def test_terms_follow_the_account() -> None:
    account = Account("acme", AccountSettings(net_days=14))
    (payment,) = taken({"method": "terms"}, account=account).payments.values()
    assert payment.net_days == 14
    (named,) = taken(TERMS, account=account).payments.values()
    assert named.net_days == 30


def test_credit_is_spent_first_and_by_priority_d13() -> None:
    stores = [a_tender("store_credit", 100, account_id=name) for name in ("c1", "c2", "c3")]
    gift = a_tender("gift_card", 200, account_id="g1")
    order = taken(a_card(1500), *stores, gift, priorities={"c1": 30, "c2": 20, "c3": 10})
    assert [payment.account_id for payment in order.payments.values()] == ["g1", "c3", "c2", "c1", None]
    assert [payment.id[-1] for payment in order.payments.values()] == ["1", "2", "3", "4", "5"]


def test_a_channel_may_spend_in_another_order() -> None:
    world = World()
    world.settings.channels["web"] = ChannelSettings(tender_order=["card"])
    order = taken(a_tender("gift_card", 500, account_id="g1"), a_card(1500), world=world)
    assert [payment.method for payment in order.payments.values()] == ["card", "gift_card"]


def test_an_authorization_made_elsewhere_is_taken_over_without_asking() -> None:
    order = World().place(an_order(payments=[a_tender(authorization={**ELSEWHERE, "expires_at": "2026-12-01T00:00:00Z"})]))
    (payment,) = order.payments.values()
    [known] = authorizations(payment)
    assert (known.reference, known.amount, known.expires_at) == ("a-1", 2000, "2026-12-01T00:00:00.000Z")
    assert payment.events[0].key is None, "nobody asked for it"
    assert (order.summary.status, statuses.payment_status(order), statuses.money_owed(order)) == ("open", "authorized", "none")
    assert [part.of for part in ensure_funds(order, 500).captures] == ["a-1"]


def test_an_authorization_that_has_run_out_elsewhere_counts_for_nothing() -> None:
    order = World().place(an_order(payments=[a_tender(authorization={**ELSEWHERE, "expires_at": later(NOW, seconds=-1)})]))
    assert (order.summary.status, statuses.money_owed(order)) == ("open", "balance_due")
    assert ensure_funds(order, 500).missing == 500


def test_a_capture_made_elsewhere_pays_the_first_invoices() -> None:
    capture = {"reference": "c-1", "amount": 1200}
    order = World().place(an_order(payments=[a_tender(authorization=ELSEWHERE, capture=capture)]))
    (payment,) = order.payments.values()
    assert (fold(payment).captured, fold(payment).open_authorization) == (1200, 800)
    funds = ensure_funds(order, 1500)
    assert ([part.amount for part in funds.applied], [part.amount for part in funds.captures]) == ([1200], [300])


def test_what_was_made_elsewhere_is_told_once() -> None:
    world = World()
    order = taken(a_tender(authorization=ELSEWHERE, capture={"reference": "c-1", "amount": 700}), world=world)
    assert [(fact.type, fact.data["amount"]) for fact in order.facts] == [("payment.authorized", 2000), ("payment.captured", 700)]
    assert world.commit(order) == ["payment.authorized", "payment.captured"]


def test_a_decline_gives_back_what_was_made_elsewhere_too() -> None:
    elsewhere = a_tender(amount=1500, authorization={**ELSEWHERE, "amount": 1500}, capture={"reference": "c-1", "amount": 600})
    order = World().place(an_order(payments=[elsewhere, a_card(500, "tok_decline")]))
    sums = statuses.buckets(order)
    assert (order.summary.status, sums.captured, sums.refunded, sums.voided) == ("declined", 600, 600, 900)
    assert sums.open_authorization == 0


def test_the_digest_leaves_out_tokens_only() -> None:
    def digest(**more: Any) -> str:
        return content_digest(read_order(an_order(payments=[a_card(2000) | more])))

    assert digest(token="tok_other") == digest()
    others = [digest(gateway="stripe"), digest(amount=1), digest(id="p1")]
    assert len({digest(), *others}) == 4


def test_another_tender_is_asked_for_under_its_change() -> None:
    order = World().place(an_order(payments=[a_tender("bank_transfer")]))
    payment = add_tender(order, read_tender(a_card(800)), 2000, GATEWAYS, document="chg_x_1")
    [event] = payment.events
    assert (payment.id[-1], event.kind, event.state, event.amount, event.document) == ("2", "authorization", "requested", 800, "chg_x_1")


def test_another_tender_that_was_captured_elsewhere_is_there_at_once() -> None:
    order = World().place(an_order(payments=[a_tender("bank_transfer")]))
    paid = a_tender("bank_transfer", capture={"reference": "statement 7", "amount": 2000})
    add_tender(order, read_tender(paid), 2000, GATEWAYS)
    assert (statuses.payment_status(order), statuses.money_owed(order)) == ("captured", "none")
    assert order.facts[-1].type == "payment.captured"


def test_another_tender_pays_what_is_due_and_no_more() -> None:
    order = World().place(an_order(payments=[a_tender("bank_transfer")]))
    for amount in (2001, 0):
        with pytest.raises(Invalid) as caught:
            add_tender(order, read_tender(a_card(amount)), 2000, GATEWAYS)
        assert [fault.pointer for fault in caught.value.errors] == ["/amount"]
    with pytest.raises(Conflict, match="owes nothing"):
        add_tender(order, read_tender(a_card(1)), 0, GATEWAYS)
    assert add_tender(order, read_tender(TERMS), 700, GATEWAYS).amount == 700


@pytest.mark.parametrize(("quantity", "price", "words"), [(501, 100, "at most 500 gift cards"), (1, 0, "worth its unit_price, which is 0")])
def test_gift_cards_are_few_and_worth_something(quantity: int, price: int, words: str) -> None:
    line = a_line(quantity=quantity, unit_price=price, product={"gift_card": True})
    with pytest.raises(Invalid, match=words):
        read_order(an_order(line, payments=[]))
