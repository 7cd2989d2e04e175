"""The Stripe adapter against localstripe, a server that is not ours (what was added to it says tests/support/localstripe.py)."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

import pytest

from oms.payments import ledger
from oms.payments.gateway import Instruction, Kind, Outcome
from oms.payments.records import Payment
from oms.payments.requests import ask, conclude, intend
from oms.payments.stripe_gateway import StripeGateway
from oms.storage import secrets
from oms.storage.clients import client
from tests.support.stripe import KEY, a_card
from tests.support.world import World, order_body

TOTAL = 3500
NOW = "2026-11-24T08:00:00.000Z"


@pytest.fixture
def gateway(stripe_address: str) -> StripeGateway:
    return StripeGateway(KEY, api_base=stripe_address)


def do(
    gateway: StripeGateway, payment: Payment, kind: Kind, amount: int, name: str, of: str | None = None, currency: str = "EUR"
) -> Outcome:
    """Intend, ask, record, as the flows do."""
    what = Instruction(kind, f"{payment.id}/{kind}/{name}", amount, currency, NOW, of)
    intend(payment, what)
    outcome = ask(gateway, payment, what)
    conclude(payment, what, outcome)
    return outcome


def fresh(request: pytest.FixtureRequest, token: str = "pm_card_visa") -> Payment:
    """A tender of its own for each test: keys are made of its id."""
    return a_card(token, test=request.node.name)


def run_out(address: str, reference: str) -> None:
    """The time of an authorization passes."""
    with urlopen(Request(f"{address}/_run_out/{reference}", method="POST", headers={"Authorization": f"Bearer {KEY}"})):
        pass


def test_authorize_capture_a_part_refund_it_in_two(gateway: StripeGateway, request: pytest.FixtureRequest) -> None:
    payment = fresh(request)
    held = do(gateway, payment, "authorization", 1000, "1")
    assert (held.state, held.amount, held.once) == ("succeeded", 1000, True)
    assert held.reference.startswith("pi_")
    assert payment.token is None
    taken = do(gateway, payment, "capture", 700, "1", held.reference)
    assert (taken.state, taken.reference[:3]) == ("succeeded", "ch_")
    refunds = [do(gateway, payment, "refund", amount, str(amount), held.reference) for amount in (300, 400)]
    assert [refund.state for refund in refunds] == ["succeeded", "succeeded"]
    sums = ledger.fold(payment)
    assert (sums.authorized, sums.captured, sums.refunded) == (1000, 700, 700)


def test_the_same_key_captures_and_refunds_once(gateway: StripeGateway, request: pytest.FixtureRequest) -> None:
    payment = fresh(request)
    held = do(gateway, payment, "authorization", 1000, "1")
    what = Instruction("capture", f"{payment.id}/capture/1", 1000, "EUR", NOW, held.reference)
    assert gateway.perform(what, payment) == gateway.perform(what, payment)
    back = Instruction("refund", f"{payment.id}/refund/1", 600, "EUR", NOW, held.reference)
    assert [gateway.perform(back, payment).state for _ in range(3)] == ["succeeded"] * 3
    assert do(gateway, payment, "refund", 401, "2", held.reference).state == "failed"
    assert do(gateway, payment, "refund", 400, "3", held.reference).state == "succeeded"


def test_a_declined_card_is_definitive_and_another_attempt_is_another_key(gateway: StripeGateway, request: pytest.FixtureRequest) -> None:
    payment = fresh(request, "pm_card_chargeCustomerFail")
    said = [do(gateway, payment, "authorization", 1000, "1") for _ in range(2)]
    assert [(each.state, each.reason) for each in said] == [("failed", "card_declined")] * 2
    assert said[0].reference == said[1].reference
    assert said[0].reference.startswith("pi_")


def test_a_card_saved_with_a_customer_is_authorized_once_more_without_them(gateway: StripeGateway, request: pytest.FixtureRequest) -> None:
    customer = gateway._client.v1.customers.create({}).id
    payment = fresh(request, f"{customer}/pm_card_visa")
    held = do(gateway, payment, "authorization", 1000, "1")
    assert (payment.token, payment.source) == (None, f"{customer}/pm_card_visa")
    again = do(gateway, payment, "authorization", 400, "2")
    assert (again.state, again.amount, len({held.reference, again.reference})) == ("succeeded", 400, 2)
    assert fresh(request).source is None, "a card that is saved with nobody is not kept"


def test_a_whole_authorization_is_given_back(gateway: StripeGateway, request: pytest.FixtureRequest) -> None:
    payment = fresh(request)
    held = do(gateway, payment, "authorization", 1000, "1")
    assert not gateway.voids_parts
    assert do(gateway, payment, "void", 1000, "1", held.reference).state == "succeeded"
    assert do(gateway, payment, "void", 1000, "1", held.reference).state == "succeeded"
    assert ledger.fold(payment).open_authorization == 0


def test_a_capture_that_comes_too_late_says_that_the_authorization_has_run_out(
    gateway: StripeGateway, stripe_address: str, request: pytest.FixtureRequest
) -> None:
    payment = fresh(request)
    held = do(gateway, payment, "authorization", 1000, "1")
    run_out(stripe_address, held.reference)
    late = do(gateway, payment, "capture", 1000, "1", held.reference)
    assert (late.state, late.reason) == ("failed", "authorization_expired")


def test_a_capture_of_what_was_given_back_says_so(gateway: StripeGateway, request: pytest.FixtureRequest) -> None:
    payment = fresh(request)
    held = do(gateway, payment, "authorization", 1000, "1")
    do(gateway, payment, "void", 1000, "1", held.reference)
    said = do(gateway, payment, "capture", 1000, "1", held.reference)
    assert (said.state, said.reason) == ("failed", "payment_intent_unexpected_state")


@pytest.mark.parametrize("of", ["pi_of_nobody", "ch_of_nobody"])
def test_an_unknown_reference_moves_nothing(gateway: StripeGateway, request: pytest.FixtureRequest, of: str) -> None:
    payment = fresh(request)
    kinds: list[Kind] = ["capture", "void", "refund"] if of.startswith("pi_") else ["capture"]
    assert {do(gateway, payment, kind, 1, of, of).state for kind in kinds} == {"failed"}


def test_more_than_there_is_is_refused(gateway: StripeGateway, request: pytest.FixtureRequest) -> None:
    payment = fresh(request)
    held = do(gateway, payment, "authorization", 1000, "1")
    assert do(gateway, payment, "capture", 1001, "1", held.reference).state == "failed"
    assert do(gateway, payment, "capture", 1000, "2", held.reference).state == "succeeded"
    assert do(gateway, payment, "capture", 1, "3", held.reference).state == "failed", "it allows one capture"
    assert do(gateway, payment, "refund", 1001, "1", held.reference).state == "failed"


def test_what_was_done_is_found_by_its_key_and_what_was_not_is_not(gateway: StripeGateway, request: pytest.FixtureRequest) -> None:
    payment = fresh(request)

    def found(kind: Kind, amount: int, name: str, of: str | None = None) -> Outcome | None:
        return gateway.look_up(Instruction(kind, f"{payment.id}/{kind}/{name}", amount, "EUR", NOW, of), a_card())

    assert found("authorization", 1000, "1") is None
    held = do(gateway, payment, "authorization", 1000, "1")
    assert (again := found("authorization", 1000, "1")) is not None
    assert (again.reference, again.state) == (held.reference, "succeeded")
    assert found("capture", 700, "1", held.reference) is None
    taken = do(gateway, payment, "capture", 700, "1", held.reference)
    assert (again := found("capture", 700, "1", held.reference)) is not None
    assert again.reference == taken.reference
    assert found("refund", 100, "1", held.reference) is None
    back = do(gateway, payment, "refund", 100, "1", held.reference)
    assert found("refund", 100, "1", held.reference) == back
    assert found("void", 1000, "1", held.reference) is None, "it was captured, not given back"


def test_amounts_without_minor_units_arrive_as_they_are(gateway: StripeGateway, request: pytest.FixtureRequest) -> None:
    payment = fresh(request)
    held = do(gateway, payment, "authorization", 4300, "1", currency="JPY")
    assert (held.state, held.amount) == ("succeeded", 4300)


def test_a_key_used_for_something_else_is_looked_up_and_never_asked_again(gateway: StripeGateway, request: pytest.FixtureRequest) -> None:
    payment = fresh(request)
    held = gateway.perform(Instruction("authorization", f"{payment.id}/a/1", 1000, "EUR", NOW), payment)
    other = gateway.perform(Instruction("authorization", f"{payment.id}/a/1", 900, "EUR", NOW), payment)
    assert (other.reference, other.amount) == (held.reference, 1000), "what was done stands"


def test_an_order_paid_by_stripe_from_capture_to_invoice(world: World, stripe_address: str) -> None:
    keys = json.dumps({"api_key": KEY, "api_base": stripe_address})
    client("secretsmanager").create_secret(Name="oms/gateways/stripe", SecretString=keys)
    tender = {"method": "card", "gateway": "stripe", "token": "pm_card_visa", "amount": TOTAL}
    order = world.delivered(order_body(payments=[tender]))
    assert (order["payment"]["authorized"], order["payment"]["captured"]) == (TOTAL, TOTAL)
    assert order["payments"][0]["events"][0]["reference"].startswith("pi_")
    assert "pm_card_visa" not in json.dumps(world.items()), "its token is forgotten"


def test_an_authorization_that_ran_out_at_stripe_is_made_again_from_a_saved_card(world: World, stripe_address: str) -> None:
    keys = json.dumps({"api_key": KEY, "api_base": stripe_address})
    client("secretsmanager").create_secret(Name="oms/gateways/stripe", SecretString=keys)
    customer = StripeGateway(KEY, api_base=stripe_address)._client.v1.customers.create({}).id
    tender = {"method": "card", "gateway": "stripe", "token": f"{customer}/pm_card_visa", "amount": TOTAL}
    order = world.allocated(order_body(payments=[tender]))
    world.ship_all(order)
    first = order["payments"][0]["events"][0]["reference"]
    run_out(stripe_address, first)
    fo = order["fulfillment_orders"][0]["id"]
    with pytest.raises(Exception, match="authorization_expired"):
        world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo)
    assert "payment.authorization_expired" in [type_ for type_, _ in world.facts(order["id"])]
    assert world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo)["next"] == "deliver"
    after = world.order(order["id"])
    captured = [event["of"] for event in after["payments"][0]["events"] if (event["kind"], event["state"]) == ("capture", "succeeded")]
    assert (after["payment"]["captured"], captured != [first], len(captured)) == (TOTAL, True, 1)


def test_an_exchange_takes_its_difference_by_stripe(world: World, stripe_address: str) -> None:
    keys = json.dumps({"api_key": KEY, "api_base": stripe_address})
    client("secretsmanager").create_secret(Name="oms/gateways/stripe", SecretString=keys)
    old = world.delivered(order_body())
    tender = {"method": "card", "gateway": "stripe", "token": "pm_card_visa", "amount": 800}
    new_line = {"sku": "B", "quantity": 2, "unit_price": 1000}
    body = {"return_lines": [{"line_id": "1", "quantity": 1}], "new_lines": [new_line], "payments": [tender]}
    new = world.done("POST", f"/v1/orders/{old['id']}/exchanges", body)["change"]["new_order_id"]
    assert world.step("capture", "Capture", new)["next"] == "allocate"
    assert world.order(new)["payments"][1]["authorized"] == 800


def test_a_card_that_stripe_declines_is_402(world: World, stripe_address: str) -> None:
    keys = json.dumps({"api_key": KEY, "api_base": stripe_address})
    client("secretsmanager").create_secret(Name="oms/gateways/stripe", SecretString=keys)
    tender = {"method": "card", "gateway": "stripe", "token": "pm_card_chargeCustomerFail", "amount": TOTAL}
    assert world.place(order_body(payments=[tender]), status=402)["status"] == "declined"


def test_a_server_that_is_not_there_is_a_503_and_nothing_is_lost(world: World, stripe_address: str) -> None:
    keys = {"api_key": KEY, "api_base": "http://127.0.0.1:9"}
    client("secretsmanager").create_secret(Name="oms/gateways/stripe", SecretString=json.dumps(keys))
    body = order_body(payments=[{"method": "card", "gateway": "stripe", "token": "pm_card_visa", "amount": TOTAL}])
    answer = world.call("POST", "/v1/orders", body)
    assert answer.status == 503
    client("secretsmanager").put_secret_value(SecretId="oms/gateways/stripe", SecretString=json.dumps(keys | {"api_base": stripe_address}))
    secrets._kept.clear()
    assert world.place(body)["status"] == "open"
