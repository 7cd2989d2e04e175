"""Published cases of payments, with their own figures: what a correct system does with them (worked examples D02, D04, D10, F11)."""

from __future__ import annotations

from typing import Any

import pytest

from oms.clock import later
from oms.errors import Conflict
from oms.fulfillment.records import FulfillmentOrder
from oms.orders import statuses
from oms.orders.order import Order
from oms.orders.records import LineState
from oms.payments import ledger
from oms.payments.by_hand import note_by_hand
from oms.payments.clock import watch_authorizations
from oms.payments.cover import surplus
from oms.payments.funds import Funds, FundsMissing, Part, ensure_excess, ensure_funds, ensure_refunds, unapplied
from oms.payments.gateway import Outcome
from oms.payments.invoices import invoice_for
from oms.payments.records import PaymentEvent
from oms.payments.releases import release_id, to_release
from oms.payments.renewal import missing_in_all, note_expired, to_renew
from oms.payments.requests import ask, conclude
from oms.payments.transfers import Answer, Transfer, add_moves, record
from oms.service.changes import open_change
from tests.support.orders import a_line, an_order, paid
from tests.unit.memory import GATEWAYS, World


def take(order: Order, transfer: Transfer, parts: Any) -> list[int]:
    """Ask for these parts, record what the gateway says; the amounts that moved."""
    moves = add_moves(order, transfer, parts)
    answers = [Answer(each, ask(GATEWAYS["sandbox"], order.payments[each.payment_id], each.what)) for each in moves]
    record(order, transfer, answers)
    return [each.outcome.amount for each in answers if each.outcome.state == "succeeded"]


def test_a_second_capture_of_4575_where_one_is_allowed_is_authorized_anew_d02() -> None:
    world = World()
    order, fo = world.allocated(an_order(a_line("1", "A", 1, 1000), a_line("2", "B", 1, 3575), token="tok_single_capture"))
    world.ship(order, fo, {"1": 1})
    assert world.invoice(order, next(iter(order.shipments.values()))).captures[0]["amount"] == 1000
    (payment,) = order.payments.values()
    sums = ledger.fold(payment)
    assert (sums.authorized, sums.captured, sums.voided, sums.open_authorization) == (4575, 1000, 3575, 0)
    assert (ensure_funds(order, 3575).missing, missing_in_all(order, order.now)) == (3575, 3575)
    order.now = later(order.now, minutes=1)
    parts = to_renew(order, 3575, later(order.now, days=1))
    assert take(order, Transfer("authorization", fo.id), parts) == [3575]
    assert ([each.open for each in ledger.authorizations(payment)], ensure_funds(order, 3575).missing) == ([0, 3575], 0)
    assert to_renew(order, 1, order.now) == []


def captured_4575(token: str = "tok_approve") -> tuple[World, Order]:
    world = World()
    return world, world.delivered(an_order(a_line(quantity=1, unit_price=4575), token=token))


@pytest.mark.parametrize("amount", [4575, 1000])
def test_what_was_captured_is_refunded_d04(amount: int) -> None:
    _, order = captured_4575()
    assert take(order, Transfer("refund", "cm_1"), ensure_refunds(order, amount)) == [amount]
    assert statuses.buckets(order).refunded == amount


@pytest.mark.parametrize("amount", [5575, 4576])
def test_more_than_was_captured_leaves_no_refund_d04(amount: int) -> None:
    _, order = captured_4575()
    with pytest.raises(Conflict):
        ensure_refunds(order, amount)
    assert not [event for payment in order.payments.values() for event in payment.events if event.kind == "refund"]


def test_a_refund_of_nothing_asks_nobody_d04() -> None:
    _, order = captured_4575()
    assert add_moves(order, Transfer("refund", "cm_1"), ensure_refunds(order, 0)) == []


def test_a_payment_that_was_not_captured_is_not_refunded_d04() -> None:
    with pytest.raises(Conflict):
        ensure_refunds(World().place(an_order(a_line(quantity=1, unit_price=4575))), 1000)


def test_a_declined_refund_counts_as_none_and_a_second_attempt_is_a_new_instruction_d04() -> None:
    _, order = captured_4575("tok_refund_decline")
    assert take(order, Transfer("refund", "cm_1"), ensure_refunds(order, 1000)) == []
    assert (statuses.buckets(order).refunded, statuses.buckets(order).refundable) == (0, 4575)
    (again,) = add_moves(order, Transfer("refund", "cm_1"), ensure_refunds(order, 1000))
    assert again.what.key.endswith("/2")


def test_a_refund_whose_step_failed_later_is_found_and_not_given_twice_d04() -> None:
    _, order = captured_4575()
    take(order, Transfer("refund", "cm_1"), ensure_refunds(order, 4575))
    with pytest.raises(Conflict):
        ensure_refunds(order, 1)
    assert [event.amount for payment in order.payments.values() for event in payment.events if event.kind == "refund"] == [4575]


def event(kind: str, amount: int, state: str = "succeeded") -> PaymentEvent:
    return PaymentEvent.model_validate(
        {"kind": kind, "state": state, "amount": amount, "at": "2026-11-23T08:00:00.000Z", "reference": kind}
    )


@pytest.mark.parametrize(
    ("total", "events", "owed", "status"),
    [
        pytest.param(0, [event("authorization", 10, "failed")], "none", "failed", id="nothing to pay, payments failed: nothing is owed"),
        pytest.param(1000, [event("authorization", 1000, "failed")], "balance_due", "failed", id="only failed"),
        pytest.param(1000, [event("capture", 1001)], "credit_owed", "captured", id="paid above the total"),
        pytest.param(1000, [event("capture", 999)], "balance_due", "partially_captured", id="paid below the total"),
        pytest.param(1000, [event("capture", 1000)], "none", "captured", id="paid the total"),
    ],
)
def test_the_payment_state_of_an_order_d10(total: int, events: list[PaymentEvent], owed: str, status: str) -> None:
    order = World().place(an_order(a_line(quantity=1, unit_price=1000), off=total - 1000))
    order.payments = World().place(an_order()).payments
    next(iter(order.payments.values())).events = events
    assert (statuses.money_owed(order), statuses.payment_status(order)) == (owed, status)


@pytest.mark.parametrize(
    ("events", "owed", "status"),
    [
        pytest.param([event("authorization", 1000), event("void", 1000)], "none", "voided", id="nothing paid"),
        pytest.param([event("authorization", 1000), event("capture", 1000)], "credit_owed", "captured", id="all paid"),
        pytest.param([event("capture", 1000), event("refund", 1000)], "none", "refunded", id="all paid and refunded"),
    ],
)
def test_the_payment_state_of_a_cancelled_order_d10(events: list[PaymentEvent], owed: str, status: str) -> None:
    order = World().place(an_order(a_line(quantity=1, unit_price=1000)))
    order.summary.lines["1"] = LineState(ordered=1, cancelled=1)
    next(iter(order.payments.values())).events = events
    assert (statuses.money_owed(order), statuses.payment_status(order)) == (owed, status)
    assert statuses.order_status(order) == ("cancelled" if owed == "none" else "open")


def test_an_authorization_that_ran_out_is_not_captured_until_there_is_a_new_one_f11() -> None:
    order, fo = World().allocated(an_order(a_line(quantity=2)))
    order.now = later(order.now, days=8)
    watch_authorizations(order)
    assert [fact.type for fact in order.facts] == ["payment.authorization_expired", "fulfillment_order.held"]
    assert (fo.status, fo.held_by, ensure_funds(order, 2000)) == ("on_hold", "payment", Funds(missing=2000))
    assert statuses.buckets(order).open_authorization == 0
    assert take(order, Transfer("authorization", fo.id), to_renew(order, 2000, later(order.now, days=1))) == [2000]
    (payment,) = order.payments.values()
    (part,) = ensure_funds(order, 2000).captures
    assert (part.of, part.amount) == (ledger.authorizations(payment)[-1].reference, 2000)
    assert take(order, Transfer("capture", "inv_1"), [part]) == [2000]
    assert [each.captured for each in ledger.authorizations(payment)] == [0, 2000]


def test_an_authorization_that_its_gateway_calls_expired_is_not_asked_again() -> None:
    """Its news did not say how long it was good for, so the first to know is who declines the capture."""
    order, _ = World().allocated(an_order(a_line(quantity=2)))
    (payment,) = order.payments.values()
    payment.events = [each.model_copy(update={"expires_at": None}) for each in payment.events]
    order.now = later(order.now, days=30)
    (move,) = add_moves(order, Transfer("capture", "inv_1"), ensure_funds(order, 2000).captures)
    declined = Outcome("failed", 2000, order.now, "ref-1", "authorization_expired")
    record(order, Transfer("capture", "inv_1"), [Answer(move, declined)])
    assert [fact.type for fact in order.facts] == ["payment.capture_declined", "payment.authorization_expired"]
    assert (ensure_funds(order, 2000).missing, statuses.open_authorization(order)) == (2000, 0)
    assert take(order, Transfer("authorization", "inv_1"), to_renew(order, 2000, later(order.now, days=1))) == [2000]
    assert ensure_funds(order, 2000).missing == 0


def test_an_order_captured_in_part_is_not_cancelled_when_the_rest_runs_out_f11() -> None:
    world = World()
    order, fo = world.allocated(an_order(a_line(quantity=2)))
    world.ship(order, fo, {"1": 1})
    world.invoice(order, next(iter(order.shipments.values())))
    order.now = later(order.now, days=8)
    assert note_expired(order) == 1000
    assert (statuses.order_status(order), statuses.payment_status(order), statuses.money_owed(order)) == (
        "open",
        "partially_captured",
        "balance_due",
    )
    assert (statuses.totals(order).grand_total, missing_in_all(order, order.now)) == (2000, 1000)
    assert note_expired(order) == 0


def test_two_quick_cancellations_of_twenty_pay_back_twenty_and_twenty() -> None:
    """Salesforce's published hazard: 20 and 40, because the second asks for the excess of the whole order while the first is under way."""
    world = World()
    taken = {"method": "card", "gateway": "sandbox", "amount": 10000, "capture": {"reference": "cap-1", "amount": 10000}}
    order = world.place(an_order(a_line("1", "A", 1, 6000), a_line("2", "B", 1, 2000), a_line("3", "B", 1, 2000), payments=[taken]))
    (payment,) = order.payments.values()
    asked = []
    for line_id in ("2", "3"):
        order.summary.lines[line_id] = LineState(ordered=1, cancelled=1)
        change = open_change(order, "cancellation", worth=2000)
        parts = ensure_excess(order, min(change.worth, surplus(order)))
        asked += add_moves(order, Transfer("refund", change.id), parts)
    assert [each.what.amount for each in asked] == [2000, 2000]
    assert len({each.what.key for each in asked}) == 2
    assert (unapplied(order, payment), surplus(order)) == (6000, 0)
    for each in asked:
        conclude(payment, each.what, GATEWAYS["sandbox"].perform(each.what, payment))
    assert (ledger.fold(payment).refunded, statuses.money_owed(order)) == (4000, "none")
    with pytest.raises(FundsMissing):
        ensure_excess(order, 6001)


def declined_twice() -> Order:
    """A refund for a credit memo was declined by the first of two tenders, then planned anew from the second, which declined it too."""
    order = World().delivered(paid(an_order(a_line(quantity=1, unit_price=4000)), "tok_refund_decline", "tok_refund_decline"))
    first, second = order.payments
    for minutes, sequence in enumerate([[(first, 0)], [(second, 0)]]):
        order.now = later(order.now, minutes=minutes)
        assert take(order, Transfer("refund", "cm_1"), ensure_refunds(order, 1000, sequence)) == []
    return order


def test_what_was_planned_anew_is_recorded_once_as_done_by_hand() -> None:
    order = declined_twice()
    note_by_hand(order, "cm_1", done=True, note="cash")
    assert [ledger.fold(payment).refunded for payment in order.payments.values()] == [0, 1000]
    with pytest.raises(Conflict, match="there is no instruction"):
        note_by_hand(order, "cm_1", done=True, note="cash")
    assert [ledger.fold(payment).refunded for payment in order.payments.values()] == [0, 1000]


def test_a_declined_refund_is_not_recorded_as_done_once_others_have_had_the_money() -> None:
    order = declined_twice()
    second = list(order.payments.values())[1]
    ledger.add(second, event("chargeback", 1500))
    with pytest.raises(Conflict, match=r"only 5\.00 EUR of .* can be paid back now, not 10\.00 EUR"):
        note_by_hand(order, "cm_1", done=True, note="cash")


def excess_declined() -> tuple[World, Order, FulfillmentOrder]:
    """5000 was captured elsewhere for goods of 4000 and 1000; the cheap one was cancelled, and the refund of its 1000 declined."""
    world = World()
    taken = {"method": "card", "gateway": "sandbox", "amount": 5000, "capture": {"reference": "cap-1", "amount": 5000}}
    order, fo = world.allocated(an_order(a_line("1", "A", 1, 4000), a_line("2", "B", 1, 1000), payments=[taken]))
    (payment,) = order.payments.values()
    (move,) = add_moves(order, Transfer("refund", "chg_1"), ensure_excess(order, 1000))
    conclude(payment, move.what, Outcome("failed", 1000, order.now, "ref-1", "refund_declined"))
    return world, order, fo


def applied(order: Order, amount: int) -> None:
    """An invoice has used so much of the tender."""
    (payment,) = order.payments.values()
    invoice = invoice_for(order, next(iter(order.shipments.values())))
    invoice.applied = [{"payment_id": payment.id, "amount": amount}]
    order.invoices[invoice.id] = invoice


def test_a_declined_refund_of_what_no_invoice_needs_is_recorded_as_done_while_nobody_has_used_it() -> None:
    world, order, fo = excess_declined()
    world.ship(order, fo, {"1": 1})
    applied(order, 4000)
    note_by_hand(order, "chg_1", done=True, note="cash")
    (payment,) = order.payments.values()
    assert (ledger.fold(payment).refunded, unapplied(order, payment)) == (1000, 0)


def test_a_declined_refund_is_not_recorded_as_done_of_money_that_an_invoice_has_used_since() -> None:
    world, order, fo = excess_declined()
    world.ship(order, fo, {"1": 1, "2": 1})
    applied(order, 5000)
    with pytest.raises(Conflict, match=r"only 0\.00 EUR of .* can be paid back now, not 10\.00 EUR"):
        note_by_hand(order, "chg_1", done=True, note="cash")


def test_a_declined_refund_of_goods_is_not_recorded_as_done_of_money_that_paid_for_no_goods() -> None:
    """The excess is another refund's: it would be missing there."""
    world, order, fo = excess_declined()
    world.ship(order, fo, {"1": 1})
    applied(order, 4000)
    (payment,) = order.payments.values()
    (declined,) = add_moves(order, Transfer("refund", "cm_1"), ensure_refunds(order, 4000))
    conclude(payment, declined.what, Outcome("failed", 4000, order.now, "ref-2", "refund_declined"))
    assert take(order, Transfer("refund", "cm_2"), ensure_refunds(order, 3500)) == [3500]
    with pytest.raises(Conflict, match=r"only 5\.00 EUR of .* can be paid back now, not 40\.00 EUR"):
        note_by_hand(order, "cm_1", done=True, note="cash")


def test_refunds_of_one_tender_are_recorded_as_done_together_or_not_at_all() -> None:
    _, order = captured_4575()
    (payment,) = order.payments.values()
    for number, amount in enumerate((3000, 1500), start=1):
        (move,) = add_moves(order, Transfer("refund", "cm_1"), [Part(payment, amount, f"auth-{number}")])
        conclude(payment, move.what, Outcome("failed", amount, order.now, f"ref-{number}", "refund_declined"))
        assert move.what.at == order.now
    assert take(order, Transfer("refund", "cm_2"), ensure_refunds(order, 1000)) == [1000]
    with pytest.raises(Conflict, match=r"only 35\.75 EUR of .* can be paid back now, not 45\.00 EUR"):
        note_by_hand(order, "cm_1", done=True, note="cash")
    assert ledger.fold(payment).refunded == 1000


def test_a_release_under_way_at_one_tender_is_not_given_again_when_the_others_are_done() -> None:
    order = World().place(paid(an_order(a_line(quantity=1, unit_price=4000)), "tok_approve", "tok_approve"))
    order.summary.lines["1"] = LineState(ordered=1, cancelled=1)
    name = release_id(order)
    (_, done) = add_moves(order, Transfer("void", name), to_release(order))
    payment = order.payments[done.payment_id]
    conclude(payment, done.what, GATEWAYS["sandbox"].perform(done.what, payment))
    assert (to_release(order), release_id(order)) == ([], name)
