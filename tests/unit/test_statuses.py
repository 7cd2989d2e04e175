"""Statuses on every axis, predicate by predicate, in the order of the contract."""

from __future__ import annotations

from typing import Any

import pytest

from oms.fulfillment.records import FulfillmentLine, FulfillmentOrder, Shipment
from oms.orders import statuses
from oms.orders.order import Order
from oms.orders.records import Hold, LineState
from oms.payments.records import Payment, PaymentEvent
from oms.returns.records import Return
from oms.service.records import ProcessException
from tests.support.orders import a_line, an_order
from tests.unit.memory import NOW, World

LATER, EARLIER = "2027-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"


def event(kind: str, amount: int, state: str = "succeeded", reference: str = "") -> PaymentEvent:
    return PaymentEvent.model_validate({"kind": kind, "state": state, "amount": amount, "at": NOW, "reference": reference or kind})


def dated(event: PaymentEvent, expires_at: Any) -> PaymentEvent:
    return event.model_copy(update={"expires_at": expires_at if event.kind == "authorization" else None})


def order_with(*events: PaymentEvent, expires_at: Any = None, **counters: Any) -> Order:
    """Four units at 10.00, captured; its only tender has these events, its only line these counters."""
    order = World().place(an_order(a_line("1", "A", 4, 1000)))
    order.summary.lines["1"] = LineState.model_validate({"ordered": 4, **counters})
    order.payments = {
        "p": Payment(id="p", method="card", gateway="sandbox", amount=4000, events=[dated(each, expires_at) for each in events])
    }
    order.summary.status = "open"
    return order


AUTHORIZED = event("authorization", 4000)
CAPTURED = event("capture", 4000)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "none"),
        ([event("authorization", 4000, "failed")], "failed"),
        ([AUTHORIZED, event("void", 4000)], "voided"),
        ([event("authorization", 4000, "requested")], "pending"),
        ([event("authorization", 4000, "requested"), event("void", 1)], "pending"),
        ([AUTHORIZED], "authorized"),
        ([AUTHORIZED, event("capture", 1, "requested")], "authorized"),
        ([AUTHORIZED, event("capture", 3999)], "partially_captured"),
        ([AUTHORIZED, CAPTURED], "captured"),
        ([AUTHORIZED, CAPTURED, event("refund", 1, "requested")], "captured"),
        ([AUTHORIZED, CAPTURED, event("refund", 1)], "partially_refunded"),
        ([AUTHORIZED, CAPTURED, event("refund", 4000)], "refunded"),
        ([AUTHORIZED, event("capture", 1000), event("refund", 1000)], "refunded"),
        ([AUTHORIZED, CAPTURED, event("refund", 4000), event("chargeback", 1)], "charged_back"),
    ],
)
def test_payment_status(events: list[PaymentEvent], status: str) -> None:
    assert statuses.payment_status(order_with(*events)) == status


@pytest.mark.parametrize(
    ("events", "expires_at", "owed"),
    [
        ([AUTHORIZED], LATER, "none"),
        ([AUTHORIZED], EARLIER, "balance_due"),
        ([], None, "balance_due"),
        ([event("authorization", 3999)], None, "balance_due"),
        ([AUTHORIZED, event("capture", 1000)], None, "none"),
        ([AUTHORIZED, event("capture", 1000)], EARLIER, "balance_due"),
        ([AUTHORIZED, CAPTURED], None, "none"),
        ([AUTHORIZED, CAPTURED, event("refund", 1)], None, "balance_due"),
        ([AUTHORIZED, CAPTURED, event("chargeback", 1)], None, "balance_due"),
        ([event("capture", 4001)], None, "credit_owed"),
    ],
)
def test_money_owed(events: list[PaymentEvent], expires_at: str | None, owed: str) -> None:
    assert statuses.money_owed(order_with(*events, expires_at=expires_at)) == owed


@pytest.mark.parametrize(
    ("counters", "fulfillment", "delivery", "returned"),
    [
        ({}, "unfulfilled", "none", "none"),
        ({"backordered": 4}, "unfulfilled", "none", "none"),
        ({"allocated": 1}, "partially_allocated", "none", "none"),
        ({"allocated": 3, "cancelled": 1}, "allocated", "none", "none"),
        ({"allocated": 4, "shipped": 1}, "partially_shipped", "in_transit", "none"),
        ({"allocated": 4, "shipped": 4}, "shipped", "in_transit", "none"),
        ({"allocated": 4, "shipped": 4, "delivered": 1}, "shipped", "partially_delivered", "none"),
        ({"allocated": 4, "shipped": 4, "delivered": 3, "lost": 1}, "shipped", "delivered", "none"),
        ({"allocated": 4, "shipped": 4, "delivered": 4, "return_initiated": 1}, "shipped", "delivered", "requested"),
        (
            {"allocated": 4, "shipped": 4, "delivered": 4, "return_initiated": 2, "returned": 1},
            "shipped",
            "delivered",
            "partially_returned",
        ),
        ({"allocated": 4, "shipped": 4, "delivered": 4, "return_initiated": 4, "returned": 4}, "shipped", "delivered", "returned"),
        ({"cancelled": 4}, "unfulfilled", "none", "none"),
    ],
)
def test_axes_count_units_that_are_not_cancelled(counters: dict[str, int], fulfillment: str, delivery: str, returned: str) -> None:
    order = order_with(AUTHORIZED, **counters)
    axes = (statuses.fulfillment_status(order), statuses.delivery_status(order), statuses.return_status(order))
    assert axes == (fulfillment, delivery, returned)


def hold(blocks: str = "allocate", **more: Any) -> Hold:
    return Hold(id="h", kind="fraud", reason="look at it", blocks=[blocks], placed_at=NOW, **more)


ENDED = {"allocated": 4, "shipped": 4, "delivered": 4}


@pytest.mark.parametrize("status", ["declined", "received"])
def test_declined_and_received_are_kept(status: str) -> None:
    order = order_with(CAPTURED, **ENDED)
    order.summary.status = status
    assert statuses.order_status(order) == status


@pytest.mark.parametrize(
    ("events", "counters", "status"),
    [
        pytest.param([AUTHORIZED], {}, "open", id="nothing-done-yet"),
        pytest.param([AUTHORIZED, CAPTURED], ENDED, "completed", id="delivered-and-paid"),
        pytest.param([AUTHORIZED, CAPTURED], {**ENDED, "delivered": 3}, "open", id="one-on-the-way"),
        pytest.param([AUTHORIZED, CAPTURED], {**ENDED, "delivered": 3, "lost": 1}, "completed", id="one-lost"),
        pytest.param([AUTHORIZED], ENDED, "open", id="authorization-open"),
        pytest.param([AUTHORIZED, CAPTURED, event("refund", 9)], ENDED, "open", id="balance-due"),
        pytest.param([AUTHORIZED, CAPTURED, event("refund", 9, "requested")], ENDED, "open", id="refund-under-way"),
        pytest.param([AUTHORIZED, CAPTURED, event("void", 9, "requested")], ENDED, "open", id="void-under-way"),
    ],
)
def test_order_status(events: list[PaymentEvent], counters: dict[str, int], status: str) -> None:
    assert statuses.order_status(order_with(*events, **counters)) == status


def test_an_order_without_a_unit_left_is_cancelled() -> None:
    order = order_with(AUTHORIZED, event("void", 4000), cancelled=4)
    assert (statuses.order_status(order), statuses.payment_status(order), statuses.money_owed(order)) == ("cancelled", "voided", "none")
    order = order_with(AUTHORIZED, CAPTURED, cancelled=4)
    assert (statuses.order_status(order), statuses.money_owed(order)) == ("open", "credit_owed")


def test_cancelled_units_leave_the_totals_with_their_share_of_the_charge_the_highest_numbers_first() -> None:
    order = World().place(an_order(a_line("1", "A", 3, 1000, own=-100), charge=500))
    assert statuses.totals(order).grand_total == 3400
    order.summary.lines["1"].cancelled = 1
    # Units cost 967, 966, 967 and carry 167, 166, 167 of the charge: what is left are the first two.
    after = statuses.totals(order)
    assert (after.product_amount, after.adjustment_amount, after.delivery_amount, after.grand_total) == (2000, -67, 333, 2266)
    order.summary.lines["1"].cancelled = 3
    assert statuses.totals(order).grand_total == 0


def test_a_fee_is_owed_while_anything_is_left_of_the_order() -> None:
    order = World().place(an_order(a_line("1", "A", 2, 1000), fees=[{"code": "gift", "amount": 300, "taxes": []}]))
    order.summary.lines["1"].cancelled = 1
    assert statuses.totals(order).grand_total == 1300
    order.summary.lines["1"].cancelled = 2
    assert statuses.totals(order).grand_total == 0


def test_a_completed_order_has_no_reservation() -> None:
    order = order_with(AUTHORIZED, CAPTURED, cancelled=4)
    order.summary.lines["1"].pins = {"berlin": 1}
    assert statuses.order_status(order) == "open"


def test_an_order_is_not_completed_before_its_last_invoice() -> None:
    order = order_with(AUTHORIZED, CAPTURED, **ENDED)
    order.shipments["s"] = Shipment(id="s", fulfillment_order_id="f", reference="r", lines={"1": [[1, 4]]})
    assert statuses.order_status(order) == "open"
    order.shipments["s"].invoice_id = "i"
    assert statuses.order_status(order) == "completed"


@pytest.mark.parametrize("blocks", ["allocate", "ship", "capture"])
@pytest.mark.parametrize(
    ("more", "status"),
    [({}, "on_hold"), ({"released_at": NOW}, "open"), ({"expires_at": EARLIER}, "open"), ({"expires_at": LATER}, "on_hold")],
)
def test_an_open_hold_holds_the_order(blocks: str, more: dict[str, str], status: str) -> None:
    order = order_with(AUTHORIZED)
    order.summary.holds = [hold(blocks, **more)]
    assert statuses.order_status(order) == status


def test_a_hold_does_not_hide_that_all_is_done() -> None:
    order = order_with(AUTHORIZED, CAPTURED, **ENDED)
    order.summary.holds = [hold()]
    assert statuses.order_status(order) == "completed"


def test_attention_is_empty_when_nobody_is_needed() -> None:
    assert statuses.attention(order_with(AUTHORIZED)) == []


def test_attention_names_every_need() -> None:
    order = order_with(event("authorization", 1), backordered=1)
    order.now = NOW
    order.summary.holds = [hold()]
    order.exceptions["e"] = ProcessException(id="e", kind="bug", step="Ship", cause="", hint="", actions=[], subject="f")
    order.shipments["s"] = Shipment(id="s", fulfillment_order_id="f", reference="r", lines={"1": [[1, 1]]}, status="return_to_sender")
    lines = {"1": FulfillmentLine(quantity=1)}
    order.fulfillment_orders["f"] = FulfillmentOrder(id="f", location_id="berlin", delivery_group="g1", ship_by=EARLIER, lines=lines)
    order.returns["r"] = Return(id="r", lines=[])
    assert statuses.attention(order) == ["backordered", "hold", "payment", "exception", "parcel", "overdue", "approval"]


@pytest.mark.parametrize("status", ["received", "declined"])
def test_nobody_is_asked_for_money_before_capture(status: str) -> None:
    order = order_with()
    order.summary.status = status
    assert "payment" not in statuses.attention(order)
