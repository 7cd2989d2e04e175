"""The token protocol: whatever comes first, nothing is lost and nothing happens twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from oms.storage.clients import client
from tests.machines.engine import PATIENCE, Engine
from tests.support.world import Call, Killed, order_body

LINES = {"1": 2, "2": 1}


class Gate:
    """Holds up the first caller until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def hold(self) -> None:
        if not self.reached.is_set():
            self.reached.set()
            assert self.opened.wait(PATIENCE)


@contextmanager
def held_up(engine: Engine, wanted: Callable[[Call], bool], *, after: bool = False) -> Iterator[Gate]:
    """Holds up, in the execution's own thread, the first AWS call that is `wanted`, before or after it takes effect."""
    gate, main = Gate(), threading.current_thread()

    def watch(call: Call) -> None:
        if threading.current_thread() is not main and wanted(call):
            gate.hold()

    try:
        with engine.world.wire.watched(**{"after" if after else "before": watch}):
            yield gate
    finally:
        gate.opened.set()


def stores_token(state: str) -> Callable[[Call], bool]:
    """The write of a token of that state."""

    def wanted(call: Call) -> bool:
        item = call.given.get("Item", {})
        return str(item.get("sk", {}).get("S", "")).startswith("state#wait#") and bool(item["state"]["S"] == state)

    return wanted


def queries(call: Call) -> bool:
    return call.operation == "Query"


def reached(engine: Engine, gate: Gate) -> None:
    engine.until(gate.reached.is_set)


def released(engine: Engine) -> Any:
    order_id = engine.world.place(order_body())["id"]
    engine.settle()
    return engine.world.order(order_id)


def fo_of(order: Any) -> str:
    return str(order["fulfillment_orders"][0]["id"])


@pytest.mark.parametrize("after", [False, True], ids=["before the token is stored", "after the token is stored, before the record is read"])
def test_a_callback_that_comes_before_its_token(engine: Engine, after: bool) -> None:
    world = engine.world
    with held_up(engine, stores_token("Ship"), after=after) as gate:
        order_id = world.place(order_body())["id"]
        reached(engine, gate)
        fo = fo_of(world.order(order_id))
        world.ship(fo, LINES, "T1")
        world.pump()
        gate.opened.set()
        engine.settle()
    assert engine.path(fo) == ["Ship", "Capture payment", "Deliver"]
    assert world.gateway.moved("capture") == [3500]


def test_a_token_that_is_stored_while_relay_looks_for_it(engine: Engine) -> None:
    """Relay reads the order before the token is there; the step then sees the shipment by itself."""
    world = engine.world
    with held_up(engine, stores_token("Ship")) as gate:
        order_id = world.place(order_body())["id"]
        reached(engine, gate)
        fo = fo_of(world.order(order_id))
        world.ship(fo, LINES, "T1")

        def store(call: Call) -> None:
            if call.operation == "PutEvents":
                gate.opened.set()

        with world.wire.watched(before=store):
            engine.settle()
    assert engine.path(fo) == ["Ship", "Capture payment", "Deliver"]
    assert world.gateway.moved("capture") == [3500]


@pytest.mark.parametrize("moment", range(3))
def test_a_second_shipment_during_capture_payment(engine: Engine, moment: int) -> None:
    """Capture payment reads, notes its intent, and books: the second parcel leaves before each of the three."""
    world = engine.world
    order = released(engine)
    fo = fo_of(order)
    operations = {"TransactWriteItems", "PutItem"} if moment else {"Query"}
    seen: list[int] = []

    def nth(call: Call) -> bool:
        if not engine.visits("Capture payment") or call.operation not in operations:
            return False
        seen.append(1)
        return len(seen) >= max(moment, 1)

    with held_up(engine, nth) as gate:
        world.ship(fo, {"1": 1}, "T1")
        reached(engine, gate)
        world.ship(fo, {"1": 1, "2": 1}, "T2")
        world.pump()
        gate.opened.set()
        engine.settle()
    shown = world.order(order["id"])
    assert engine.statuses()[fo] == "Deliver"
    assert [parcel["invoice_id"] for parcel in shown["shipments"]] == [invoice["id"] for invoice in shown["invoices"]]
    assert sum(world.gateway.moved("capture")) == 3500
    assert (shown["payment_status"], shown["exceptions"]) == ("captured", [])


@pytest.mark.parametrize("state", ["Ship", "Deliver"])
def test_delivered_before_deliver_starts(engine: Engine, state: str) -> None:
    world = engine.world
    order = released(engine) if state == "Deliver" else None
    with held_up(engine, stores_token(state)) as gate:
        order_id = order["id"] if order else world.place(order_body())["id"]
        if order is None:
            reached(engine, gate)
        fo = fo_of(world.order(order_id))
        world.ship(fo, LINES, "T1")
        if order is not None:
            reached(engine, gate)
        assert world.carrier("T1", "delivered").body["changed"]
        world.pump()
        gate.opened.set()
        engine.settle()
    assert engine.statuses()[fo] == "SUCCEEDED"
    assert world.order(order_id)["status"] == "completed"
    assert world.gateway.moved("capture") == [3500]


def test_delivered_while_the_money_is_being_captured(engine: Engine) -> None:
    world = engine.world
    order = released(engine)
    with held_up(engine, lambda call: bool(engine.visits("Capture payment")) and queries(call)) as gate:
        world.ship(fo_of(order), LINES, "T1")
        reached(engine, gate)
        world.carrier("T1", "delivered")
        world.pump()
        gate.opened.set()
        engine.settle()
    assert engine.statuses()[fo_of(order)] == "SUCCEEDED"
    assert world.order(order["id"])["status"] == "completed"


def raises(call: Call) -> bool:
    """The write that puts an exception on record."""
    keys = [str(each.get("Put", {}).get("Item", {}).get("sk", {}).get("S", "")) for each in call.given.get("TransactItems", [])]
    return any(key.startswith("state#exception#") for key in keys)


def test_paid_while_the_exception_for_want_of_money_is_being_raised(engine: Engine) -> None:
    """Secure payment has found nobody who pays; another card comes before the exception is on record. Nobody needs to decide anything."""
    world = engine.world
    order_id = world.place(order_body(token="tok_reauthorization_decline"))["id"]
    engine.settle()
    world.advance(days=8)
    with held_up(engine, raises) as gate:
        world.invoke("reconcile", {})
        reached(engine, gate)
        card = {"method": "card", "gateway": "sandbox", "token": "tok_approve", "amount": 3500}
        assert world.call("POST", f"/v1/orders/{order_id}/payments", card).status == 202
        engine.until(lambda: world.order(order_id)["changes"][0]["status"] == "done")
        gate.opened.set()
        engine.settle()
    order = world.order(order_id)
    assert engine.path(fo_of(order)) == ["Ship", "Secure payment", "Raise exception: Secure payment", "Secure payment", "Ship"]
    assert order["fulfillment_orders"][0]["status"] == "released"
    assert [(problem["status"], problem["action"]) for problem in order["exceptions"]] == [("resolved", "paid")]


def token_of(engine: Engine, record_id: str) -> Any:
    items = engine.world.items()["oms-orders"]
    return next((item["token"]["S"] for item in items if item["sk"]["S"] == f"state#wait#{record_id}"), None)


def test_a_slow_first_attempt_does_not_overwrite_a_newer_token(engine: Engine) -> None:
    """The first attempt is cut off before it stores anything; its retry does; then the first one wakes up after all."""
    slow: list[Any] = []

    def cut_off(event: Any) -> None:
        if event["step"] == "Ship" and not slow:
            slow.append(event)
            raise Killed

    engine.on_task = cut_off
    order = released(engine)
    fo = fo_of(order)
    newer = token_of(engine, fo)
    first, second = engine.visits("Ship")
    assert (first["retry"], second["retry"], newer) == (0, 1, second["token"])
    engine.world.invoke("ship", {**slow[0], "token": "the-old-token"})
    assert token_of(engine, fo) == newer
    engine.world.ship(fo, LINES, "T1")
    engine.settle()
    engine.world.invoke("ship", {**slow[0], "token": "the-old-token"})
    assert engine.path(fo) == ["Ship", "Capture payment", "Deliver"]


def test_a_late_attempt_of_an_earlier_state_does_not_overwrite_the_token_of_a_later_one(engine: Engine) -> None:
    order = released(engine)
    fo = fo_of(order)
    (ship,) = engine.visits("Ship")
    engine.world.ship(fo, LINES, "T1")
    engine.settle()
    later = token_of(engine, fo)
    engine.world.invoke("ship", {**ship, "token": "the-old-token"})
    assert token_of(engine, fo) == later
    engine.world.carrier("T1", "delivered")
    engine.settle()
    assert engine.statuses()[fo] == "SUCCEEDED"


def test_callbacks_that_are_relayed_again_resume_nothing_twice(engine: Engine) -> None:
    world = engine.world
    order = released(engine)
    images = [item for item in world.items()["oms-orders"] if item["sk"]["S"].startswith("timeline#")]
    world.ship(fo_of(order), LINES, "T1")
    shipped = list(world.wire.stream)
    engine.settle()
    for _ in range(2):
        assert world.relay(images + shipped) == []
        engine.settle()
    assert engine.path(fo_of(order)) == ["Ship", "Capture payment", "Deliver"]
    assert world.gateway.moved("capture") == [3500]


def test_when_the_token_is_gone_the_record_is_read_again(engine: Engine) -> None:
    """The execution that waited has failed; the callback is neither lost nor parked, and reconcile goes on from the record."""
    world = engine.world
    order = released(engine)
    fo = fo_of(order)

    def broken(event: Any) -> None:
        if event["step"] == "Raise exception: Ship":
            raise Killed

    engine.on_task = broken
    client("stepfunctions").send_task_failure(taskToken=token_of(engine, fo), error="Broken")
    engine.until(lambda: engine.statuses()[fo] == "FAILED")
    world.ship(fo, LINES, "T1")
    engine.settle()
    assert client("sqs").receive_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/123456789012/oms-parked").get("Messages", []) == []
    assert world.gateway.moved("capture") == []
    world.advance(minutes=6)
    assert world.invoke("reconcile", {})["restarted"] == 1
    engine.settle()
    assert engine.path(f"{fo}-2") == ["Ship", "Capture payment", "Deliver"]
    world.carrier("T1", "delivered")
    engine.settle()
    assert world.order(order["id"])["status"] == "completed"
