"""Stripe's webhooks: verified by its scheme, folded into the tender they belong to, in any order; what contradicts our books is shown."""

from __future__ import annotations

import json
import time
from itertools import permutations
from typing import Any

import pytest
import stripe as sdk

from oms.payments.records import PaymentEvent
from oms.storage.clients import client
from oms.storage.orders import Cause, update
from tests.support.world import SECRETS, Answer, World, order_body

PATH = "/v1/webhooks/payments/stripe"
TOTAL = 3500
START = 1_800_000_000
JSON = dict[str, Any]


@pytest.fixture
def order(world: World) -> JSON:
    """An order of 35.00 whose card the storefront has authorized at Stripe, as pi_1."""
    client("secretsmanager").create_secret(Name="oms/gateways/stripe", SecretString='{"api_key": "sk_test_1"}')
    tender = {"method": "card", "gateway": "stripe", "amount": TOTAL, "authorization": {"reference": "pi_1", "amount": TOTAL}}
    placed: JSON = world.place(order_body(payments=[tender]))
    return placed


def tell(world: World, type_: str, what: JSON, *, created: int = START, secret: str = SECRETS["payments/stripe"], age: int = 0) -> Answer:
    """An event, signed as Stripe signs it."""
    body = json.dumps({"id": "evt_1", "type": type_, "created": created, "data": {"object": {"currency": "eur", **what}}})
    header = sdk.WebhookSignature.generate_signature_header(body, secret, int(time.time()) - age)
    return world.call("POST", PATH, body, headers={"Stripe-Signature": header})


def intent(order: JSON, **more: Any) -> JSON:
    return {"id": "pi_1", "amount": TOTAL, "latest_charge": "ch_1", "metadata": {"payment": order["payments"][0]["id"]}, **more}


def refund(order: JSON, amount: int, name: str = "re_1", status: str = "succeeded", **metadata: str) -> JSON:
    return {"id": name, "amount": amount, "status": status, "payment_intent": "pi_1", "metadata": metadata}


def money(world: World, order: JSON) -> tuple[int, int, int, int]:
    """authorized, captured, refunded, charged back."""
    sums = world.order(order["id"])["payment"]
    return sums["authorized"], sums["captured"], sums["refunded"], sums["charged_back"]


def problems(world: World) -> list[JSON]:
    found: list[JSON] = world.done("GET", "/v1/exceptions", query={"status": "open"})["data"]
    return found


def test_a_capture_by_hand_is_taken_over_once_however_it_is_told(world: World, order: JSON) -> None:
    told = [
        tell(world, "payment_intent.amount_capturable_updated", intent(order)),
        tell(world, "payment_intent.succeeded", intent(order, amount_received=TOTAL)),
        tell(world, "payment_intent.succeeded", intent(order, amount_received=TOTAL)),
        tell(world, "charge.captured", {"id": "ch_1", "payment_intent": "pi_1", "amount_captured": TOTAL}),
    ]
    assert [(answer.status, answer.body["changed"]) for answer in told] == [(200, False), (200, True), (200, False), (200, False)]
    assert money(world, order) == (TOTAL, TOTAL, 0, 0)
    assert problems(world) == []


def test_sums_of_several_captures_may_come_in_any_order(world: World, order: JSON) -> None:
    for sums in permutations([500, 1500, TOTAL]):
        for received in sums:
            tell(world, "payment_intent.amount_capturable_updated", intent(order, amount_received=received), created=START + received)
        assert money(world, order) == (TOTAL, TOTAL, 0, 0)


def test_the_answer_to_our_own_capture_is_not_counted_twice(world: World, order: JSON) -> None:
    def ask(found: Any) -> None:
        (payment,) = found.payments.values()
        payment.events.append(PaymentEvent(kind="capture", state="requested", amount=1200, at=found.now, key="k/1", of="pi_1"))

    update(order["id"], ask, Cause("test", "test"))
    told = tell(world, "payment_intent.amount_capturable_updated", intent(order, amount_received=1200))
    assert (told.body["changed"], world.order(order["id"])["payment"]["pending_capture"]) == (False, 1200)


def test_the_answer_to_our_own_refund_may_come_by_news(world: World, order: JSON) -> None:
    tell(world, "payment_intent.succeeded", intent(order, amount_received=TOTAL))

    def ask(found: Any) -> None:
        (payment,) = found.payments.values()
        event = PaymentEvent(kind="refund", state="requested", amount=500, at=found.now, key="k/1", of="pi_1", document="cm_1")
        payment.events.append(event)

    update(order["id"], ask, Cause("test", "test"))
    payment_id = order["payments"][0]["id"]
    assert tell(world, "refund.created", refund(order, 500, payment=payment_id, key="k/1")).body["changed"]
    assert money(world, order) == (TOTAL, TOTAL, 500, 0)
    assert world.order(order["id"])["payment"]["pending_refund"] == 0


def test_a_dispute_finds_its_tender_by_the_payment_it_disputes(world: World, order: JSON) -> None:
    dispute = {"id": "dp_1", "amount": TOTAL, "payment_intent": "pi_1", "metadata": {}, "status": "needs_response"}
    before = world.items()
    assert tell(world, "charge.dispute.created", dispute).body == {"received": True, "changed": False}, "whose it is, nobody has told yet"
    assert world.items() == before
    tell(world, "payment_intent.succeeded", intent(order, amount_received=TOTAL))
    assert tell(world, "charge.dispute.created", dispute, created=START + 10).body["changed"]
    assert money(world, order) == (TOTAL, TOTAL, 0, TOTAL)
    won = {**dispute, "status": "won"}
    assert tell(world, "charge.dispute.closed", won, created=START + 20).body["changed"]
    assert not tell(world, "charge.dispute.created", dispute, created=START + 10).body["changed"]
    assert money(world, order) == (TOTAL, TOTAL, 0, 0)


def test_an_inquiry_moves_nothing(world: World, order: JSON) -> None:
    tell(world, "payment_intent.succeeded", intent(order, amount_received=TOTAL))
    inquiry = {"id": "dp_1", "amount": TOTAL, "payment_intent": "pi_1", "metadata": {}, "status": "warning_needs_response"}
    tell(world, "charge.dispute.created", inquiry)
    assert money(world, order) == (TOTAL, TOTAL, 0, 0)


@pytest.mark.parametrize(("reason", "kind"), [("expired", "expiry"), ("requested_by_customer", "void")])
def test_an_authorization_that_is_gone_is_open_no_more(world: World, order: JSON, reason: str, kind: str) -> None:
    assert tell(world, "payment_intent.canceled", intent(order, cancellation_reason=reason)).body["changed"]
    sums = world.order(order["id"])["payment"]
    assert (sums["voided"], sums["captured"]) == (TOTAL, 0)
    assert f"payment.{kind}_succeeded" in [name for name, _ in world.facts(order["id"])]


def test_more_captured_than_authorized_is_kept_and_shown_once(world: World, order: JSON) -> None:
    for _ in range(2):
        tell(world, "payment_intent.succeeded", intent(order, amount_received=TOTAL + 500))
    assert money(world, order) == (TOTAL, TOTAL + 500, 0, 0)
    (problem,) = problems(world)
    assert (problem["kind"], problem["step"], problem["actions"]) == ("payment", "Payment news", ["resolve:accept", "abandon"])
    assert "40.00 EUR is captured and only 35.00 EUR was authorized" in problem["cause"]
    done = world.done("POST", f"/v1/exceptions/{problem['id']}/resolve", {"action": "accept"})
    assert done["status"] == "resolved"
    tell(world, "payment_intent.succeeded", intent(order, amount_received=TOTAL + 500))
    assert problems(world) == []


def test_more_refunded_than_captured_is_kept_and_shown(world: World, order: JSON) -> None:
    tell(world, "payment_intent.succeeded", intent(order, amount_received=1000))
    tell(world, "refund.created", refund(order, 600))
    assert problems(world) == []
    tell(world, "refund.created", refund(order, 600, "re_2"))
    assert money(world, order) == (TOTAL, 1000, 1200, 0)
    (problem,) = problems(world)
    assert "12.00 EUR went back and only 10.00 EUR was captured" in problem["cause"]


def test_money_of_another_currency_is_refused_and_nothing_moves(world: World, order: JSON) -> None:
    before = world.items()
    answer = tell(world, "payment_intent.succeeded", intent(order, amount_received=TOTAL, currency="usd"))
    assert (answer.status, answer.pointers) == (422, {"/currency"})
    assert world.items() == before


@pytest.mark.parametrize("payment", ["pay_of_nobody_1", "pay_aaaaaaaaaaaaaaaaaaaa_1", ""])
def test_news_of_a_tender_we_do_not_have_is_acknowledged(world: World, order: JSON, payment: str) -> None:
    before = world.items()
    answer = tell(world, "payment_intent.succeeded", intent(order, amount_received=TOTAL, metadata={"payment": payment} if payment else {}))
    assert (answer.status, answer.body["changed"]) == (200, False)
    assert world.items() == before


def test_stripe_cannot_speak_for_another_gateways_tender(world: World) -> None:
    order = world.place(order_body())
    before = world.items()
    assert not tell(world, "payment_intent.succeeded", intent(order, amount_received=TOTAL)).body["changed"]
    assert world.items() == before


def test_forged_stale_and_unsigned_news_is_401(world: World, order: JSON) -> None:
    before = world.items()
    news = intent(order, amount_received=TOTAL)
    assert tell(world, "payment_intent.succeeded", news, secret="whsec_other").status == 401
    assert tell(world, "payment_intent.succeeded", news, age=400).status == 401
    assert world.call("POST", PATH, json.dumps({"type": "payment_intent.succeeded"})).status == 401
    assert world.signed(PATH, {"type": "payment_intent.succeeded"}).status == 401, "by the sandbox's scheme"
    assert world.items() == before


def test_without_a_secret_it_is_closed(world: World, order: JSON) -> None:
    client("secretsmanager").delete_secret(SecretId="oms/webhooks/payments/stripe", ForceDeleteWithoutRecovery=True)
    assert tell(world, "payment_intent.succeeded", intent(order), secret="").status == 401


def test_an_event_that_is_not_as_documented_is_400(world: World, order: JSON) -> None:
    assert tell(world, "refund.created", {"id": "re_1"}).status == 400


def test_a_tender_by_stripe_is_refused_while_there_is_no_key(world: World) -> None:
    before = world.items()
    answer = world.call(
        "POST", "/v1/orders", order_body(payments=[{"method": "card", "gateway": "stripe", "token": "pm_1", "amount": TOTAL}])
    )
    assert (answer.status, answer.pointers) == (422, {"/payments/0/gateway"})
    assert "not configured" in answer.body["errors"][0]["detail"]
    assert world.items() == before


def test_a_card_number_is_refused_and_not_repeated(world: World) -> None:
    tender = {"method": "card", "gateway": "stripe", "token": "4242 4242 4242 4242", "amount": TOTAL}
    answer = world.call("POST", "/v1/orders", order_body(payments=[tender]))
    assert (answer.status, answer.pointers) == (422, {"/payments/0/token"})
    assert "4242" not in json.dumps(answer.body)
