"""Reconcile: what was left undone is found in the records and done; what is fresh, leased or abandoned is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from oms.clock import later, stamp
from oms.orders.records import Relayed
from oms.storage.clients import client
from oms.storage.marks import advance
from oms.storage.orders import load
from tests.machines.engine import Engine
from tests.support.world import Call, Killed, order_body

LINES = {"1": 2, "2": 1}


def lose_stream(engine: Engine, order_id: str) -> None:
    """The events are published, but what else relay had to do was lost."""
    engine.world.wire.stream.clear()
    order = load(order_id)
    advance(order_id, Relayed(published=order.summary.sequence, resumed=order.relayed.resumed))


def placed(engine: Engine) -> Any:
    order_id = engine.world.place(order_body())["id"]
    engine.settle()
    return engine.world.order(order_id)


def fo_of(order: Any) -> str:
    return str(order["fulfillment_orders"][0]["id"])


def reconcile(engine: Engine, **event: Any) -> Any:
    report = engine.world.invoke("reconcile", event)
    engine.settle()
    return {key: value for key, value in report.items() if value and key not in ("finished", "orders")}


def test_a_life_in_order_needs_nothing(engine: Engine) -> None:
    order = placed(engine)
    engine.world.advance(minutes=6)
    before = engine.world.items()
    assert reconcile(engine) == {}
    assert engine.world.items() == before
    assert engine.statuses()[fo_of(order)] == "Ship"


def test_a_missing_execution_is_started(engine: Engine) -> None:
    order_id = engine.world.place(order_body())["id"]
    lose_stream(engine, order_id)
    engine.world.advance(minutes=6)
    assert reconcile(engine) == {"started": 1}
    assert engine.world.order(order_id)["fulfillment_status"] == "allocated"


def test_unpublished_events_are_published_and_followed(engine: Engine) -> None:
    order_id = engine.world.place(order_body())["id"]
    engine.world.wire.stream.clear()
    engine.world.advance(minutes=6)
    assert reconcile(engine) == {"published": 1}
    assert engine.statuses()[order_id] == "SUCCEEDED"
    assert [event["type"] for event in engine.world.published()][:2] == ["payment.authorized", "order.captured"]


@pytest.mark.parametrize("what", ["shipment", "delivery", "decision"])
def test_an_unresumed_token_is_resumed(engine: Engine, what: str) -> None:
    """The order stays open: its other line is still in Lyon."""
    world = engine.world
    for sku, place in (("B", "berlin"), ("A", "lyon")):
        world.stock(sku, place, 0)
    order = placed(engine)
    fo = fo_of(order)
    world.ship(fo, {"1": 2}, "T1")
    if what != "shipment":
        engine.settle()
        world.carrier("T1", "delivered" if what == "delivery" else "return_to_sender")
    if what == "decision":
        engine.settle()
        (problem,) = world.done("GET", "/v1/exceptions")["data"]
        world.done("POST", f"/v1/exceptions/{problem['id']}/resolve", {"action": "mark_delivered"})
    lose_stream(engine, order["id"])
    assert engine.statuses()[fo] == {"shipment": "Ship", "delivery": "Deliver", "decision": "Raise exception: Deliver"}[what]
    world.advance(minutes=6)
    assert reconcile(engine).get("resumed", 0) >= 1
    assert engine.statuses()[fo] == ("Deliver" if what == "shipment" else "SUCCEEDED")


def test_news_that_completed_an_order_and_was_not_relayed_is_found_too(engine: Engine) -> None:
    world = engine.world
    order = placed(engine)
    world.ship(fo_of(order), LINES, "T1")
    engine.settle()
    world.carrier("T1", "delivered")
    world.wire.stream.clear()
    world.advance(minutes=6)
    reconcile(engine)
    assert engine.statuses()[fo_of(order)] == "SUCCEEDED"
    assert "order.completed" in [event["type"] for event in world.published()]


def test_a_dead_execution_goes_on_as_the_next_run_and_its_exception_is_closed(engine: Engine) -> None:
    world = engine.world
    order = placed(engine)
    fo = fo_of(order)
    token = load(order["id"]).waits[fo].token
    client("stepfunctions").send_task_failure(taskToken=token, error="Broken", cause="by hand")
    engine.settle()
    assert engine.statuses()[fo] == "Raise exception: Ship"
    (problem,) = world.done("GET", "/v1/exceptions")["data"]
    client("stepfunctions").send_task_failure(taskToken=load(order["id"]).waits[problem["id"]].token, error="Lost")
    engine.until(lambda: engine.statuses()[fo] == "FAILED")
    world.advance(minutes=6)
    assert reconcile(engine)["restarted"] == 1
    assert engine.statuses()[f"{fo}-2"] == "Ship"
    assert world.done("GET", "/v1/exceptions")["data"] == []
    assert ("execution.restarted", {"machine": "fulfillment", "record_id": fo, "was": "FAILED"}) in world.facts(order["id"])
    world.ship(fo, LINES, "T1")
    engine.settle()
    assert engine.statuses()[f"{fo}-2"] == "Deliver"


def refused_by_all(engine: Engine) -> str:
    """An order that nobody can serve any more, which its second run would give up."""
    world = engine.world
    world.done("PUT", "/v1/channels/web", {"location_group": "all", "on_unfillable": "cancel_and_refund"})
    for sku in ("A", "B"):
        world.stock(sku, "lyon", 0)
    order = placed(engine)
    world.done("POST", f"/v1/fulfillment-orders/{fo_of(order)}/reject", {"reason": "flood"})
    return str(order["id"])


def test_a_change_whose_machine_was_never_started_is_settled(engine: Engine) -> None:
    order_id = refused_by_all(engine)
    engine.world.step("allocate", "Allocate", order_id)
    lose_stream(engine, order_id)
    (change,) = engine.world.order(order_id)["changes"]
    assert (change["status"], change["id"] in engine.executions) == ("pending", False)
    engine.world.advance(minutes=6)
    assert reconcile(engine)["started"] == 1
    assert engine.path(change["id"]) == ["Settle", "Settled"]
    assert engine.world.order(order_id)["status"] == "cancelled"
    assert engine.world.gateway.moved("void") == [3500]


def test_a_change_whose_execution_died_is_settled_by_its_next_run(engine: Engine) -> None:
    """It dies with the money moved and nobody told: what it asked for is found on record, and not asked for twice."""
    world = engine.world

    def dies(event: Any) -> None:
        if event["step"] == "Raise exception: Settle":
            raise Killed

    def closing(call: Call) -> None:
        if call.operation == "TransactWriteItems" and "change.done" in str(call.given):
            raise Killed

    order_id = refused_by_all(engine)
    engine.on_task = dies
    with world.wire.watched(before=closing):
        engine.until(lambda: "FAILED" in engine.statuses().values())
    engine.on_task = lambda event: None
    (change,) = world.order(order_id)["changes"]
    assert (change["status"], world.gateway.moved("void")) == ("pending", [3500])
    world.advance(minutes=6)
    assert reconcile(engine)["restarted"] == 1
    assert engine.path(f"{change['id']}-2") == ["Settle", "Settled"]
    assert ("execution.restarted", {"machine": "change", "record_id": change["id"], "was": "FAILED"}) in world.facts(order_id)
    assert (world.order(order_id)["status"], world.gateway.moved("void")) == ("cancelled", [3500])


def test_abandoned_work_is_not_started_again(engine: Engine) -> None:
    world = engine.world
    order = placed(engine)
    world.ship(fo_of(order), LINES, "T1")
    engine.settle()
    world.carrier("T1", "return_to_sender")
    engine.settle()
    (problem,) = world.done("GET", "/v1/exceptions")["data"]
    world.done("POST", f"/v1/exceptions/{problem['id']}/abandon")
    engine.settle()
    world.advance(minutes=6)
    assert not {"started", "restarted"} & set(reconcile(engine))
    assert list(engine.statuses().values()) == ["SUCCEEDED", "FAILED"]


def test_what_was_touched_within_five_minutes_is_left_alone(engine: Engine) -> None:
    order_id = engine.world.place(order_body())["id"]
    lose_stream(engine, order_id)
    engine.world.advance(minutes=4)
    assert reconcile(engine) == {}
    assert engine.executions == {}
    assert reconcile(engine, older_than_seconds=180) == {"started": 1}


def left_half_way(engine: Engine) -> str:
    """The synchronous door died between its two transactions, and its caller never came back."""

    def die(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            raise Killed

    with engine.world.wire.watched(after=die), pytest.raises(Killed):
        engine.world.call("POST", "/v1/orders", order_body())
    (row,) = [item for item in engine.world.items()["oms-orders"] if item["sk"]["S"] == "state#summary"]
    return str(row["pk"]["S"])


def test_a_lease_is_honoured(engine: Engine) -> None:
    order_id = left_half_way(engine)
    engine.world.advance(seconds=10)
    assert reconcile(engine, older_than_seconds=0) == {}
    assert engine.world.order(order_id)["status"] == "received"
    engine.world.advance(seconds=20)
    assert reconcile(engine, older_than_seconds=0) == {"started": 1}


def test_an_order_left_half_way_is_captured_by_its_machine(engine: Engine) -> None:
    order_id = left_half_way(engine)
    engine.world.advance(minutes=6)
    assert reconcile(engine) == {"started": 1}
    assert engine.path(order_id) == ["Capture", "Allocate", "Allocated"]
    assert engine.world.gateway.moved("authorize") == [3500]
    assert engine.world.place(order_body(), status=201)["id"] == order_id
    assert [len(calls) for calls in engine.world.gateway.calls.values()] == [1]


def test_an_expired_hold_lets_the_order_go_on(engine: Engine) -> None:
    hold = {"kind": "fraud", "reason": "x", "expires_at": later(stamp(), hours=1)}
    order_id = engine.world.place(order_body(holds=[hold]))["id"]
    engine.settle()
    assert engine.statuses() == {order_id: "Wait for release"}
    engine.world.advance(minutes=30)
    assert reconcile(engine) == {}
    engine.world.advance(minutes=31)
    reconcile(engine)
    assert engine.statuses()[order_id] == "SUCCEEDED"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(1, 5))
def test_killed_around_each_write_and_run_again_it_repairs_the_same(engine: Engine, nth: int, after: bool) -> None:
    """Two orders to repair: one that nobody started, one whose shipment nobody heard of."""
    world = engine.world
    shipped = placed(engine)
    world.ship(fo_of(shipped), LINES, "T1")
    lose_stream(engine, shipped["id"])
    waiting = world.place(order_body("W-2"))["id"]
    world.wire.stream.clear()
    world.advance(minutes=6)
    made: list[Call] = []

    def die(call: Call) -> None:
        if call.writes and getattr(world.wire.work, "name", "").startswith("reconcile"):
            made.append(call)
            if len(made) == nth:
                raise Killed

    with world.wire.watched(**{"after" if after else "before": die}), pytest.raises(Killed):
        world.invoke("reconcile", {})
    engine.settle()
    world.advance(minutes=6)
    reconcile(engine)
    assert engine.statuses()[fo_of(shipped)] == "Deliver"
    assert world.order(waiting)["fulfillment_status"] == "allocated"
    assert world.gateway.moved("capture") == [3500]
