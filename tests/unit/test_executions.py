"""Which executions a record needs, and what they are called."""

from __future__ import annotations

import pytest

from oms.fulfillment import arrivals
from oms.machines.executions import Execution, change_execution, fulfillment_execution, needed, order_execution, started_by
from oms.orders.order import Order
from oms.returns import returns
from oms.service import changes, exceptions
from tests.support.orders import a_line, an_order
from tests.unit.memory import NOW, World, announce


def names(order: Order) -> list[str]:
    return [execution.machine for execution in needed(order)]


@pytest.mark.parametrize(("run", "name"), [(1, "fo_x_1"), (2, "fo_x_1-2"), (12, "fo_x_1-12")])
def test_an_execution_is_named_after_its_record_and_run(run: int, name: str) -> None:
    assert Execution("fulfillment", "fo_x_1", run, {}).name == name


def test_the_input_has_ids_and_no_personal_data() -> None:
    order, fo = World().allocated(an_order())
    ids = {"schema": 1, "order_id": order.id, "order_number": "W-1001", "channel": "web", "run": 1}
    assert order_execution(order).input == {**ids, "outcome": {"next": "allocate"}}
    assert fulfillment_execution(order, fo.id).input == {**ids, "fulfillment_order_id": fo.id}
    change = changes.open_change(order, "cancellation", worth=100)
    assert change_execution(order, change.id).input == {**ids, "change_id": change.id}


def test_an_order_that_is_not_captured_starts_with_capture() -> None:
    assert order_execution(World().take(an_order(), later_on=True)).input["outcome"] == {"next": "capture"}


def test_an_order_needs_its_machine_until_all_is_handed_out() -> None:
    world = World({"A": {"berlin": 1}})
    order = world.place(an_order(a_line(backorder="allow")))
    assert names(order) == ["order"]
    world.allocate(order)
    assert names(order) == ["order", "fulfillment"]


def test_a_declined_order_needs_nothing() -> None:
    assert names(World().place(an_order(token="tok_decline"))) == []


def test_a_fulfillment_order_needs_its_machine_until_it_is_delivered_and_invoiced() -> None:
    world = World()
    order, fo = world.allocated(an_order())
    assert names(order) == ["fulfillment"]
    world.ship(order, fo, {"1": 2})
    (parcel,) = order.shipments.values()
    arrivals.arrive(order, [parcel], NOW)
    assert (fo.status, names(order)) == ("delivered", ["fulfillment"])
    world.invoice(order, parcel)
    assert names(order) == []


def test_a_return_needs_its_machine_until_it_has_ended() -> None:
    world = World()
    order = world.delivered(an_order())
    ret = announce(order, world, {"1": 1})
    assert names(order) == ["return"]
    returns.cancel(order, ret)
    assert names(order) == []


@pytest.mark.parametrize("status", ["done", "partial", "refused"])
def test_a_change_needs_its_machine_until_its_money_has_moved(status: str) -> None:
    order = World().delivered(an_order())
    change = changes.open_change(order, "cancellation", worth=100)
    assert names(order) == ["change"]
    changes.close_change(order, change, status)
    assert names(order) == []


def test_abandoned_work_is_not_started_again() -> None:
    order, fo = World().allocated(an_order())
    change = changes.open_change(order, "cancellation", worth=100)
    assert names(order) == ["fulfillment", "change"]
    exceptions.abandon(order, exceptions.open_exception(order, fo.id, "Ship", "Conflict", "", "x", NOW), None)
    assert names(order) == ["change"]
    exceptions.abandon(order, exceptions.open_exception(order, change.id, "Settle", "Conflict", "", "x", NOW), None)
    assert names(order) == []


@pytest.mark.parametrize(
    ("fact", "machine"),
    [
        ("order.captured", "order"),
        ("order.reopened", "order"),
        ("order.received", None),
        ("order.declined", None),
        ("fulfillment_order.created", "fulfillment"),
        ("return.requested", "return"),
        ("return.approved", None),
        ("change.requested", "change"),
        ("change.done", None),
    ],
)
def test_facts_that_start_an_execution(fact: str, machine: str | None) -> None:
    world = World()
    order = world.delivered(an_order())
    data = {"fulfillment_order_id": next(iter(order.fulfillment_orders)), "return_id": announce(order, world, {"1": 1}).id}
    data["change_id"] = changes.open_change(order, "cancellation", worth=100).id
    execution = started_by(order, fact, data)
    assert (execution.machine if execution else None) == machine


def test_only_an_asynchronous_order_is_started_when_it_is_received() -> None:
    order = World().take(an_order(), later_on=True)
    assert started_by(order, "order.received", {}) == order_execution(order)


@pytest.mark.parametrize(
    ("fact", "data"),
    [
        ("fulfillment_order.created", {"fulfillment_order_id": "fo_x"}),
        ("return.requested", {"return_id": "ret_x"}),
        ("change.requested", {"change_id": "chg_x"}),
    ],
)
def test_a_record_that_is_not_there_starts_nothing(fact: str, data: dict[str, str]) -> None:
    assert started_by(World().place(an_order()), fact, data) is None
