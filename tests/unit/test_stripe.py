"""The Stripe adapter below which a list stands for the network: what localstripe cannot do. No card, no server, no socket."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from oms.api.signatures import Unsigned, verify_stripe
from oms.errors import Invalid, Retryable
from oms.payments import ledger
from oms.payments.gateway import Instruction, Kind, Outcome, Unsure
from oms.payments.records import Payment, PaymentEvent
from oms.payments.requests import conclude, intend
from oms.payments.stripe_amounts import NotPayable, from_stripe, to_stripe
from oms.payments.stripe_gateway import StripeGateway
from oms.payments.stripe_news import read_stripe
from oms.payments.tokens import is_card_number
from tests.support.stripe import Wire, a_card

NOW = "2026-11-24T08:00:00.000Z"
CREATED = 1795507200
JSON = dict[str, Any]


def intent(status: str = "requires_capture", amount: int = 1000, received: int = 0, **more: Any) -> JSON:
    card = {"capture_before": CREATED + 6 * 86400, "multicapture": {"status": more.pop("multicapture", "unavailable")}}
    charge = {"id": "ch_1", "object": "charge", "payment_method_details": {"card": card}}
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "status": status,
        "amount": amount,
        "amount_received": received,
        "created": CREATED,
        "currency": "eur",
        "latest_charge": charge,
        "metadata": {},
        **more,
    }


def asks(kind: Kind, amount: int = 1000, of: str | None = "pi_1", currency: str = "EUR", **more: Any) -> Instruction:
    return Instruction(kind, f"pay_x_1/{kind}/1", amount, currency, NOW, None if kind == "authorization" else of, **more)


def authorized(*, once: bool = True, **more: Any) -> Payment:
    payment = a_card(**more)
    event = PaymentEvent(kind="authorization", state="succeeded", amount=1000, at=NOW, key="a/1", reference="pi_1", once=once)
    return payment.model_copy(update={"events": [event], "token": None})


def answer(wire: Wire, what: Instruction, payment: Payment, **more: Any) -> Outcome:
    return wire.gateway(**more).perform(what, payment)


def lost_line() -> Exception:
    import stripe

    sdk: Any = stripe
    error: Exception = sdk.APIConnectionError("timed out")
    return error


def test_an_authorization_is_asked_for_with_our_key_and_names_the_tender() -> None:
    wire = Wire([(200, intent())])
    held = answer(wire, asks("authorization"), a_card())
    assert held == Outcome("succeeded", 1000, "2026-11-24T08:00:00.000Z", "pi_1", expires_at="2026-11-30T08:00:00.000Z", once=True)
    ((method, path, sent, headers),) = wire.sent
    assert (method, path, headers["Idempotency-Key"]) == ("post", "/v1/payment_intents", "pay_x_1/authorization/1")
    assert sent["metadata[payment]"] == a_card().id
    assert sent["metadata[key]"] == "pay_x_1/authorization/1"
    assert (sent["amount"], sent["currency"], sent["capture_method"], sent["payment_method"]) == ("1000", "eur", "manual", "pm_card_visa")
    assert "off_session" not in sent


def test_a_saved_card_is_authorized_again_without_its_customer() -> None:
    wire = Wire([(200, intent()), (200, intent())])
    payment = a_card("cus_1/pm_1")
    what = asks("authorization")
    intend(payment, what)
    conclude(payment, what, answer(wire, what, payment))
    assert (payment.token, payment.source) == (None, "cus_1/pm_1")
    answer(wire, asks("authorization"), payment)
    first, second = (sent for _, _, sent, _ in wire.sent)
    assert (first["customer"], first["payment_method"], "off_session" in first) == ("cus_1", "pm_1", False)
    assert (second["customer"], second["payment_method"], second["off_session"]) == ("cus_1", "pm_1", "true")


def test_several_captures_where_the_account_has_them() -> None:
    wire = Wire([(200, intent(multicapture="available"))])
    held = answer(wire, asks("authorization"), a_card(), multicapture=True)
    assert not held.once
    assert wire.sent[0][2]["payment_method_options[card][request_multicapture]"] == "if_available"
    wire = Wire([(200, intent(received=300)), (200, intent("succeeded", received=700))])
    gateway, payment = wire.gateway(), authorized(once=False)
    taken = [gateway.perform(asks("capture", amount, final=amount == 400), payment) for amount in (300, 400)]
    assert [(each.state, each.amount, each.reference) for each in taken] == [("succeeded", 300, "ch_1:300"), ("succeeded", 400, "ch_1:700")]
    assert [sent["final_capture"] for _, _, sent, _ in wire.sent] == ["false", "true"]


def test_one_of_several_captures_is_found_by_the_note_that_rode_on_it() -> None:
    wire = Wire([(200, intent(received=300))])
    wire.gateway().perform(asks("capture", 300), authorized(once=False))
    note = next(name for name in wire.sent[0][2] if name.startswith("metadata[")).removeprefix("metadata[").removesuffix("]")
    for metadata, found in (({note: "300"}, True), ({}, False)):
        wire = Wire([(200, intent(received=300, metadata=metadata))])
        assert (wire.gateway().look_up(asks("capture", 300), authorized(once=False)) is not None) is found


def test_who_must_go_to_the_bank_first_is_declined() -> None:
    said = answer(Wire([(200, intent("requires_action"))]), asks("authorization"), a_card())
    assert (said.state, said.reason, said.reference) == ("failed", "authentication_required", "pi_1")


def test_a_decline_tells_its_code_and_names_its_intent() -> None:
    error = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "payment_intent": {"id": "pi_9"}}
    said = answer(Wire([(402, {"error": error})]), asks("authorization"), a_card())
    assert (said.state, said.reason, said.reference) == ("failed", "insufficient_funds", "pi_9")


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_a_fault_of_stripes_own_is_worth_another_try(status: int) -> None:
    wire = Wire([(status, {"error": {"type": "api_error", "message": "pm_card_visa"}})])
    with pytest.raises(Retryable) as caught:
        answer(wire, asks("authorization"), a_card())
    assert "pm_card" not in str(caught.value)
    assert len(wire.sent) == 1, "the step tries again, not the SDK"


def test_a_line_that_breaks_is_worth_another_try() -> None:
    with pytest.raises(Retryable):
        answer(Wire([lost_line()]), asks("capture"), authorized())


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_stripe_does_not_accept_is_said_clearly(status: int) -> None:
    with pytest.raises(Retryable, match="secret oms/gateways/stripe"):
        answer(Wire([(status, {"error": {"type": "invalid_request_error", "message": "sk_test_of_nobody"}})]), asks("refund"), authorized())


def test_a_key_used_for_something_else_that_nobody_can_find_is_for_a_person() -> None:
    wire = Wire([(400, {"error": {"type": "idempotency_error"}}), (200, {"object": "search_result", "data": []})])
    with pytest.raises(Unsure):
        answer(wire, asks("authorization"), a_card())
    assert [(method, path) for method, path, _, _ in wire.sent][1] == ("get", "/v1/payment_intents/search"), "never a second call"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": "charge_expired_for_capture"}, "authorization_expired"),
        ({"code": "capture_charge_authorization_expired"}, "authorization_expired"),
        ({"type": "card_error", "code": "capture_charge_authorization_expired"}, "authorization_expired"),
        ({"payment_intent": intent("canceled", cancellation_reason="automatic")}, "authorization_expired"),
        ({"payment_intent": intent("canceled", cancellation_reason="expired")}, "authorization_expired"),
        ({"payment_intent": intent("canceled", cancellation_reason="requested_by_customer")}, "payment_intent_unexpected_state"),
        ({"payment_intent": intent("canceled")}, "payment_intent_unexpected_state"),
        ({"payment_intent": intent("succeeded", received=1000)}, "payment_intent_unexpected_state"),
        ({}, "payment_intent_unexpected_state"),
        ({"type": "card_error", "code": "expired_card"}, "expired_card"),
    ],
)
def test_only_an_authorization_whose_time_is_over_has_run_out(error: JSON, reason: str) -> None:
    told = {"type": "invalid_request_error", "code": "payment_intent_unexpected_state", **error}
    said = answer(Wire([(402 if told["type"] == "card_error" else 400, {"error": told})]), asks("capture"), authorized())
    assert (said.state, said.reason) == ("failed", reason)


@pytest.mark.parametrize(
    ("found", "state"), [(intent("canceled"), "succeeded"), (intent("succeeded", 1000, 1000), "failed"), (intent("processing"), "failed")]
)
def test_what_stripe_has_released_by_itself_needs_no_void(found: JSON, state: str) -> None:
    error = {"type": "invalid_request_error", "code": "payment_intent_unexpected_state"}
    assert answer(Wire([(400, {"error": error}), (200, found)]), asks("void"), authorized()).state == state


def test_a_part_of_an_authorization_is_not_voided_because_stripe_gives_back_the_whole() -> None:
    wire = Wire([])
    assert answer(wire, asks("void", 400), authorized()).state == "failed"
    assert not wire.sent


def test_a_refund_under_way_is_pending_until_it_is_looked_up() -> None:
    refund = {"id": "re_1", "object": "refund", "status": "pending", "created": CREATED, "amount": 400, "metadata": {}}
    wire = Wire([(200, refund), (200, {**refund, "status": "failed", "failure_reason": "lost_or_stolen_card"})])
    gateway, payment, what = wire.gateway(), authorized(), asks("refund", 400)
    intend(payment, what)
    conclude(payment, what, gateway.perform(what, payment))
    assert ledger.fold(payment).pending_refund == 400
    later_on = gateway.look_up(what, payment)
    assert later_on is not None
    assert (later_on.state, later_on.reason) == ("failed", "lost_or_stolen_card")
    assert wire.sent[1][1] == "/v1/refunds/re_1"


@pytest.mark.parametrize(
    ("amount", "currency", "theirs"),
    [(1250, "EUR", 1250), (4300, "JPY", 4300), (5, "ISK", 500), (5, "UGX", 500), (5120, "KWD", 5120), (700, "MGA", 7)],
)
def test_amounts_as_stripe_counts_them(amount: int, currency: str, theirs: int) -> None:
    assert to_stripe(amount, currency) == theirs
    assert from_stripe(theirs, currency) == amount


@pytest.mark.parametrize(("amount", "currency"), [(5124, "KWD"), (1, "TND"), (750, "MGA"), (1, "IQD")])
def test_what_stripe_cannot_take_exactly_is_refused_and_never_rounded(amount: int, currency: str) -> None:
    with pytest.raises(NotPayable):
        to_stripe(amount, currency)
    wire = Wire([])
    said = answer(wire, asks("authorization", amount, currency=currency), a_card())
    assert (said.state, said.reason, wire.sent) == ("failed", "amount_not_payable_in_this_currency", [])


def test_tokens_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    gateway = Wire([(200, intent())]).gateway()
    caplog.clear()
    gateway.perform(asks("authorization"), a_card("pm_very_secret"))
    assert "pm_very_secret" not in caplog.text


@pytest.mark.parametrize("text", ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242", "378282246310005"])
def test_card_numbers_are_known_for_what_they_are(text: str) -> None:
    assert is_card_number(text)


@pytest.mark.parametrize("text", ["4242424242424241", "pm_4242424242424242", "0" * 12, "4" * 20, "tok_approve", "\uff14" * 16])
def test_tokens_are_no_card_numbers(text: str) -> None:
    assert not is_card_number(text)


SECRET = "whsec_test"


def signed(body: bytes, *, secret: str = SECRET, age: int = 0) -> dict[str, str]:
    import stripe

    header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(time.time()) - age)
    return {"stripe-signature": header}


def test_what_the_sdk_signs_is_accepted_also_while_secrets_change() -> None:
    body = '{"type": "päyment"}'.encode()
    assert verify_stripe(SECRET, signed(body), body) == verify_stripe(f"whsec_new {SECRET}", signed(body), body)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"stripe-signature": "t=1,v1="},
        {"stripe-signature": f"t={10**14},v1=00"},
        {"stripe-signature": "v1=00"},
        signed(b"{}", age=301),
        signed(b"{}", age=-400),
        signed(b"{ }"),
        signed(b"{}", secret="whsec_other"),
        {"stripe-signature": signed(b"{}")["stripe-signature"].replace("v1=", "v0=")},
    ],
)
def test_forged_stale_or_unsigned_news_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Unsigned):
        verify_stripe(SECRET, headers, b"{}")


def test_without_a_secret_nothing_is_accepted() -> None:
    with pytest.raises(Unsigned):
        verify_stripe("", signed(b"{}", secret="x"), b"{}")


def news(type_: str, **what: Any) -> list[tuple[str, str, int, str]]:
    body = {"type": type_, "created": CREATED, "data": {"object": {"currency": "eur", "metadata": {"payment": "pay_x_1"}, **what}}}
    rows = read_stripe(body)
    assert all((row.currency, row.occurred_at) == ("EUR", NOW) for row in rows)
    return [(row.kind, row.state, row.amount, row.reference) for row in rows]


@pytest.mark.parametrize(
    ("type_", "what", "told"),
    [
        ("payment_intent.amount_capturable_updated", intent(), [("authorization", "succeeded", 1000, "pi_1")]),
        (
            "payment_intent.amount_capturable_updated",
            intent(received=300),
            [("authorization", "succeeded", 1000, "pi_1"), ("capture", "succeeded", 300, "ch_1")],
        ),
        ("payment_intent.succeeded", intent("succeeded", received=1000, latest_charge="ch_1"), [("capture", "succeeded", 1000, "ch_1")]),
        ("payment_intent.payment_failed", intent("requires_payment_method"), [("authorization", "failed", 1000, "pi_1")]),
        ("payment_intent.canceled", intent("canceled"), [("void", "succeeded", 1000, "pi_1")]),
        ("payment_intent.canceled", intent("canceled", cancellation_reason="expired"), [("expiry", "succeeded", 1000, "expiry:pi_1")]),
        ("charge.captured", {"id": "ch_1", "payment_intent": "pi_1", "amount_captured": 400}, [("capture", "succeeded", 400, "ch_1")]),
        ("refund.created", {"id": "re_1", "amount": 5, "status": "pending"}, [("refund", "requested", 5, "re_1")]),
        ("refund.updated", {"id": "re_1", "amount": 5, "status": "succeeded"}, [("refund", "succeeded", 5, "re_1")]),
        ("refund.failed", {"id": "re_1", "amount": 5, "status": "failed"}, [("refund", "failed", 5, "re_1")]),
        ("charge.dispute.created", {"id": "dp_1", "amount": 5, "status": "needs_response"}, [("chargeback", "succeeded", 5, "dp_1")]),
        (
            "charge.dispute.created",
            {"id": "dp_1", "amount": 5, "status": "warning_needs_response"},
            [("chargeback", "requested", 5, "dp_1")],
        ),
        ("charge.dispute.closed", {"id": "dp_1", "amount": 5, "status": "won"}, [("chargeback", "failed", 5, "dp_1")]),
        ("charge.dispute.closed", {"id": "dp_1", "amount": 5, "status": "lost"}, [("chargeback", "succeeded", 5, "dp_1")]),
        ("charge.refunded", {"id": "ch_1", "amount_refunded": 5}, []),
        ("customer.created", {"id": "cus_1"}, []),
    ],
)
def test_what_stripes_events_say_of_a_tender(type_: str, what: JSON, told: list[tuple[str, str, int, str]]) -> None:
    assert news(type_, **{"metadata": {"payment": "pay_x_1"}, **{k: v for k, v in what.items() if k != "metadata"}}) == told


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"type": "refund.created"},
        {"type": "refund.created", "created": "soon", "data": {"object": {}}},
        {"type": "refund.created", "created": CREATED, "data": {"object": {"id": "re_1", "currency": "eur", "amount": -1, "status": "x"}}},
        {"type": "refund.created", "created": CREATED, "data": {"object": {"id": "re_1", "currency": "xyz", "amount": 1, "status": "x"}}},
    ],
)
def test_what_is_not_as_stripe_documents_it_is_refused(body: Any) -> None:
    with pytest.raises(Invalid):
        read_stripe(body)


def test_the_gateway_promises_what_the_protocol_asks() -> None:
    assert (StripeGateway.key_hours, StripeGateway.voids_parts) == (24, False)
