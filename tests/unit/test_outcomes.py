"""What every waiting state waits for, as a pure function of the record."""

from __future__ import annotations

from typing import Any

import pytest

from oms.fulfillment import arrivals, work
from oms.fulfillment.records import FulfillmentOrder
from oms.machines.outcomes import Resume, go, outcome, state_key
from oms.orders.order import Order
from oms.orders.records import Hold
from oms.returns.records import Return, ReturnLine
from oms.service import exceptions
from oms.service.records import Wait
from tests.support.orders import a_line, an_order
from tests.unit.memory import NOW, World

HOLD = {"id": "h", "kind": "k", "reason": "r", "placed_at": NOW}


def resumed(order: Order, record_id: str, state: str) -> dict[str, Any] | Resume | None:
    """The output the state goes on with, the error it goes on with, or None while it waits."""
    how = outcome(order, Wait(id=record_id, state=state, token="t", entered=NOW))
    return how.output if how and not how.error else how


def shipping(confirmation: str = "carrier", **lines: int) -> tuple[World, Order, FulfillmentOrder]:
    world = World(confirmation=confirmation)
    order, fo = world.allocated(an_order())
    if lines:
        world.ship(order, fo, {"1": lines["shipped"]})
    return world, order, fo


@pytest.mark.parametrize(
    ("blocks", "status", "expected"),
    [(["allocate"], "on_hold", None), (["ship"], "on_hold", {"next": "allocate"}), (["allocate"], "cancelled", {"next": "cancelled"})],
)
def test_wait_for_release(blocks: list[str], status: str, expected: object) -> None:
    order = World().place(an_order())
    order.summary.holds, order.summary.status = [Hold.model_validate({**HOLD, "blocks": blocks})], status
    assert resumed(order, order.id, "Wait for release") == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"backordered": 2}, None),
        ({"backordered": 1, "allocated": 1}, None),
        ({"backordered": 1}, {"next": "allocate"}),
        ({"allocated": 2}, {"next": "allocate"}),
    ],
)
def test_wait_for_stock(state: dict[str, int], expected: object) -> None:
    order = World().place(an_order())
    order.summary.lines["1"] = order.summary.lines["1"].model_copy(update={**state, "pins": {}})
    assert resumed(order, order.id, "Wait for stock") == expected


def test_ship_waits_while_there_is_nothing_to_invoice_and_work_to_do() -> None:
    _, order, fo = shipping()
    for status in work.OPEN:
        fo.status = status
        assert resumed(order, fo.id, "Ship") is None


@pytest.mark.parametrize(
    ("status", "next_"), [("on_hold", "hold"), ("rejected", "rejected"), ("cancelled", "cancelled"), ("expired", "expired")]
)
def test_ship_goes_where_its_fulfillment_order_went(status: str, next_: str) -> None:
    _, order, fo = shipping()
    fo.status = status
    assert resumed(order, fo.id, "Ship") == {"next": next_}


@pytest.mark.parametrize(
    ("held_by", "ship", "release"),
    [("payment", "secure_payment", {"next": "secure_payment"}), ("order", "hold", None), ("location", "hold", None)],
)
def test_work_that_is_held_for_want_of_money_has_its_payment_secured(held_by: str, ship: str, release: object) -> None:
    _, order, fo = shipping()
    fo.status, fo.held_by = "on_hold", held_by
    assert resumed(order, fo.id, "Ship") == {"next": ship}
    assert resumed(order, fo.id, "Wait for release") == release


@pytest.mark.parametrize("status", ["partially_shipped", "shipped", "delivered", "on_hold", "expired"])
def test_what_left_is_invoiced_before_anything_else(status: str) -> None:
    _, order, fo = shipping(shipped=1)
    fo.status = status
    assert resumed(order, fo.id, "Ship") == {"next": "capture_payment"}


@pytest.mark.parametrize(("shipped", "expected"), [(1, None), (2, {"next": "deliver"})])
def test_after_the_invoice_the_rest_is_awaited_then_the_delivery(shipped: int, expected: object) -> None:
    world, order, fo = shipping(shipped=shipped)
    for parcel in order.shipments.values():
        world.invoice(order, parcel)
    assert resumed(order, fo.id, "Ship") == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOW, {"next": "wait_for_clock", "seconds": 5 * 86400}),
        ("2026-11-28T07:59:59.001Z", {"next": "wait_for_clock", "seconds": 1}),
        ("2026-11-28T08:00:00.000Z", {"next": "deliver"}),
        ("2026-12-28T08:00:00.000Z", {"next": "deliver"}),
    ],
)
def test_where_nobody_confirms_delivery_the_clock_does(now: str, expected: object) -> None:
    world, order, fo = shipping("none", shipped=2)
    for parcel in order.shipments.values():
        world.invoice(order, parcel)
    order.now = now
    assert resumed(order, fo.id, "Ship") == expected


@pytest.mark.parametrize(("status", "expected"), [("on_hold", None), ("released", {"next": "ship"}), ("expired", {"next": "ship"})])
def test_a_held_fulfillment_order_waits(status: str, expected: object) -> None:
    _, order, fo = shipping()
    fo.status = status
    assert resumed(order, fo.id, "Wait for release") == expected


def test_deliver_waits_for_the_last_parcel() -> None:
    world, order, fo = shipping(shipped=1)
    world.ship(order, fo, {"1": 1})
    first, second = order.shipments.values()
    arrivals.arrive(order, [first], NOW)
    assert resumed(order, fo.id, "Deliver") is None
    arrivals.arrive(order, [second], NOW)
    assert resumed(order, fo.id, "Deliver") == {"next": "delivered"}


def test_a_parcel_that_comes_back_is_an_error_with_a_name() -> None:
    _, order, fo = shipping(shipped=2)
    (parcel,) = order.shipments.values()
    parcel.status, parcel.tracking_number = "return_to_sender", "T9"
    assert resumed(order, fo.id, "Deliver") == Resume(error="ReturnedToSender", cause="the carrier returns T9 to the sender")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("requested", None),
        ("approved", {"next": "wait_for_goods"}),
        ("received", {"next": "wait_for_goods"}),
        ("expired", {"next": "wait_for_goods"}),
        ("rejected", {"next": "rejected"}),
        ("cancelled", {"next": "cancelled"}),
    ],
)
def test_approve(status: str, expected: object) -> None:
    order = World().place(an_order())
    order.returns["r"] = Return(id="r", status=status, lines=[])
    assert resumed(order, "r", "Approve") == expected


@pytest.mark.parametrize(
    ("status", "received", "settled", "expected"),
    [
        ("approved", 0, 0, None),
        ("partially_received", 1, 0, {"next": "return"}),
        ("partially_received", 1, 1, None),
        ("received", 2, 1, {"next": "return"}),
        ("expired", 1, 0, {"next": "return"}),
        ("expired", 1, 1, {"next": "expired"}),
        ("cancelled", 0, 0, {"next": "cancelled"}),
        ("settled", 2, 2, {"next": "settled"}),
    ],
)
def test_wait_for_goods(status: str, received: int, settled: int, expected: object) -> None:
    order = World().place(an_order())
    line = ReturnLine(line_id="1", units=[[1, 2]], quantity=2, received=received, settled=settled)
    order.returns["r"] = Return(id="r", status=status, lines=[line])
    assert resumed(order, "r", "Wait for goods") == expected


@pytest.mark.parametrize(
    ("step", "next_"), [("Capture payment", "capture_payment"), ("Secure payment", "secure_payment"), ("Settle", "settle")]
)
def test_an_exception_waits_for_a_decision_and_retry_resumes_exactly_its_step(step: str, next_: str) -> None:
    order = World().place(an_order())
    problem = exceptions.open_exception(order, order.id, step, "Conflict", "held", "x", NOW)
    assert resumed(order, problem.id, "Raise exception") is None
    exceptions.retry(order, problem, exceptions.RetryRequest())
    assert resumed(order, problem.id, "Raise exception") == {"next": next_}


def test_an_abandoned_exception_ends() -> None:
    order = World().place(an_order())
    problem = exceptions.open_exception(order, order.id, "Ship", "Conflict", "held", "x", NOW)
    exceptions.abandon(order, problem, "not worth it")
    assert resumed(order, problem.id, "Raise exception") == {"next": "abandoned"}


def test_an_outcome_names_the_next_state_by_its_key() -> None:
    assert state_key("Wait for goods") == "wait_for_goods"
    assert go("ship", seconds=1).output == {"next": "ship", "seconds": 1}


def test_a_free_order_ships_without_an_invoice_to_wait_for() -> None:
    world = World()
    order, fo = world.allocated(an_order(a_line(unit_price=0)))
    world.ship(order, fo, {"1": 2})
    for parcel in order.shipments.values():
        assert world.invoice(order, parcel).captures == []
    assert resumed(order, fo.id, "Ship") == {"next": "deliver"}
