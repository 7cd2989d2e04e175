"""Which tender pays, which is paid back, and what the documents say."""

from __future__ import annotations

import pytest

from oms.errors import Conflict, Retryable
from oms.orders import statuses
from oms.orders.order import Order
from oms.payments import ledger
from oms.payments.clock import authorization_news
from oms.payments.funds import Funds, Part, ensure_funds, ensure_refunds
from oms.payments.gateway import Instruction, Kind, Outcome
from oms.payments.invoices import invoice_for
from oms.payments.records import Payment, PaymentEvent
from oms.payments.renewal import note_expired
from oms.payments.requests import conclude, intend
from oms.payments.sandbox import Sandbox
from tests.support.orders import a_line, a_tax, an_order, paid
from tests.unit.memory import NOW, World


def amounts(parts: list[Part]) -> list[int]:
    return [part.amount for part in parts]


def asked(kind: Kind, key: str, amount: int = 5) -> Instruction:
    return Instruction(kind, key, amount, "EUR", NOW)


def captured(amount: int = 4575) -> Order:
    world = World()
    order = world.delivered(an_order(a_line(quantity=1, unit_price=amount)))
    assert statuses.buckets(order).captured == amount
    return order


def test_tenders_pay_in_the_order_they_were_given_exact_to_the_cent() -> None:
    order = World().place(paid(an_order(a_line(quantity=1, unit_price=1001)), "tok_approve", "tok_approve"))
    assert amounts(ensure_funds(order, 1001).captures) == [500, 501]
    assert amounts(ensure_funds(order, 501).captures) == [500, 1]
    assert ensure_funds(order, 0) == Funds()
    assert ensure_funds(order, 1002).missing == 1


def test_an_expired_authorization_is_never_captured() -> None:
    order = World().place(an_order())
    order.now = "2026-11-30T08:00:00.000Z"
    assert ensure_funds(order, 1) == Funds(missing=1)


def test_an_authorization_that_runs_out_is_news_but_not_while_all_of_it_is_being_captured() -> None:
    order = World().place(an_order(a_line(quantity=1, unit_price=1001)))
    (payment,) = order.payments.values()
    order.now = "2026-12-03T08:00:00.000Z"
    assert authorization_news(order)
    (held,) = ledger.authorizations(payment)
    intend(payment, Instruction("capture", "k", 1001, "EUR", NOW, of=held.reference), "inv_1")
    assert not authorization_news(order)


def test_what_was_being_captured_when_an_authorization_ran_out_and_was_not_lapses_after_the_rest() -> None:
    order = World().place(an_order(a_line(quantity=1, unit_price=1001)))
    (payment,) = order.payments.values()
    order.now = "2026-12-03T08:00:00.000Z"
    (held,) = ledger.authorizations(payment)
    capture = Instruction("capture", "k", 1000, "EUR", NOW, of=held.reference)
    intend(payment, capture, "inv_1")
    assert note_expired(order) == 1
    conclude(payment, capture, Outcome("failed", 1000, NOW, "r", reason="no"))
    assert (note_expired(order), note_expired(order)) == (1000, 0)
    assert ledger.authorizations(payment)[0].open == 0


@pytest.mark.parametrize("amount", [pytest.param(4575, id="D04-all"), pytest.param(1000, id="D04-part")])
def test_what_was_captured_can_be_refunded(amount: int) -> None:
    assert amounts(ensure_refunds(captured(), amount)) == [amount]


def test_more_than_was_captured_is_refused_d04() -> None:
    order = captured()
    with pytest.raises(Conflict, match=r"55\.75 EUR is needed and only 45\.75 EUR is captured"):
        ensure_refunds(order, 5575)
    assert statuses.buckets(order).pending_refund == 0


def test_a_payment_that_is_only_authorized_cannot_be_refunded_d04() -> None:
    with pytest.raises(Conflict, match=r"only 0\.00 EUR is captured"):
        ensure_refunds(World().place(an_order()), 1000)


def test_a_refund_under_way_counts_as_done_d04() -> None:
    order = captured()
    payment = next(iter(order.payments.values()))
    intend(payment, asked("refund", "k/1", 4000), "cm_1")
    assert amounts(ensure_refunds(order, 575)) == [575]
    with pytest.raises(Conflict):
        ensure_refunds(order, 576)


def test_a_refused_refund_leaves_nothing_refunded_d04() -> None:
    world = World()
    order = world.delivered(an_order(token="tok_refund_decline"))
    world.move(order, "refund", "cm", 1000)
    assert (statuses.buckets(order).refunded, statuses.buckets(order).refundable) == (0, 2000)


def test_a_request_is_noted_once() -> None:
    payment = Payment(id="p", method="card", gateway="sandbox", amount=5)
    assert intend(payment, asked("capture", "k/1"))
    assert not intend(payment, asked("capture", "k/1"))
    assert len(payment.events) == 1


@pytest.mark.parametrize(
    ("token", "authorized", "reason"),
    [
        ("tok_approve", "succeeded", None),
        ("tok_decline", "failed", "card_declined"),
        ("tok_decline_insufficient_funds", "failed", "insufficient_funds"),
        ("tok_nobody_knows", "failed", "unknown_token"),
        ("", "failed", "unknown_token"),
    ],
)
def test_the_sandbox_is_driven_by_the_tokens_name(token: str, authorized: str, reason: str | None) -> None:
    payment = Payment(id="p", method="card", gateway="sandbox", amount=5, token=token)
    outcome = Sandbox().perform(asked("authorization", "k/1"), payment)
    assert (outcome.state, outcome.reason) == (authorized, reason)
    assert outcome == Sandbox().perform(asked("authorization", "k/1"), payment)


@pytest.mark.parametrize(
    ("token", "captures"),
    [
        ("tok_approve", ["succeeded", "succeeded"]),
        ("tok_capture_decline", ["failed", "failed"]),
        ("tok_capture_decline_once", ["failed", "succeeded"]),
    ],
)
def test_an_authorization_remembers_its_token(token: str, captures: list[str]) -> None:
    payment = Payment(id="p", method="card", gateway="sandbox", amount=5, token=token)
    what = asked("authorization", "a/1")
    conclude(payment, what, Sandbox().perform(what, payment))
    assert (payment.token, ledger.expires_at(payment)) == (None, "2026-11-30T08:00:00.000Z")
    assert [Sandbox().perform(asked("capture", f"c/{attempt}"), payment).state for attempt in (1, 2)] == captures


def test_a_gateway_that_cannot_be_reached_is_tried_again() -> None:
    payment = Payment(id="p", method="card", gateway="sandbox", amount=5, token="tok_unavailable")
    with pytest.raises(Retryable):
        Sandbox().perform(asked("authorization", "k/1"), payment)


def test_a_shipment_is_invoiced_for_exactly_its_units_and_their_delivery() -> None:
    world = World()
    body = an_order(
        a_line("1", "A", 3, 1000), a_line("2", "B", 1, 500), charge=100, fees=[{"code": "wrap", "amount": 50, "taxes": [a_tax()]}]
    )
    order, fo = world.allocated(body)
    world.ship(order, fo, {"1": 1}, {"1": 2, "2": 1})
    first, second = [world.invoice(order, shipment) for shipment in order.shipments.values()]
    # The charge of 1.00 lies on the lines as 86 and 14; the units of line 1 carry 29, 28 and 29 of it.
    assert (first.total_amount, second.total_amount) == (1000 + 29 + 50, 2000 + 500 + 57 + 14)
    assert (first.tax_amount, [fee["code"] for fee in first.fees], second.fees) == (8, ["wrap"], [])
    assert statuses.payment_status(order) == "captured"


def test_two_shipments_invoiced_at_the_same_moment_charge_the_fee_once() -> None:
    world = World()
    order, fo = world.allocated(an_order(a_line(quantity=2), fees=[{"code": "wrap", "amount": 50, "taxes": []}]))
    world.ship(order, fo, {"1": 1}, {"1": 1})
    assert sum(invoice_for(order, shipment).total_amount for shipment in order.shipments.values()) == 2050


def test_pending_events_do_not_open_a_second_attempt() -> None:
    asked = PaymentEvent(kind="capture", state="requested", amount=5, at=NOW, key="o/capture/i/p/1")
    payment = Payment(id="p", method="card", gateway="sandbox", amount=5, events=[asked])
    assert ledger.attempt_key(payment, "o/capture/i/p") == "o/capture/i/p/1"
