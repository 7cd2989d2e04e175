"""Relay: every fact is published in order, at least once, without gaps; one bad order does not stop the others."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from oms.storage.clients import client
from tests.support.world import ENVIRONMENT, JSON, Call, World, order_body


def parked(world: World) -> list[JSON]:
    messages = client("sqs").receive_message(QueueUrl=ENVIRONMENT["PARKED_QUEUE_URL"], MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def sequences(world: World, order_id: str) -> list[int]:
    """The order's events as they were published, repetitions left out."""
    return list(dict.fromkeys(event["sequence"] for event in world.published() if event["order_id"] == order_id))


def broken_for(order_id: str) -> Any:
    """Reading this order fails."""

    def watch(call: Call) -> None:
        if call.operation == "Query" and call.given["ExpressionAttributeValues"].get(":pk") == {"S": order_id}:
            raise RuntimeError("poisoned")

    return watch


def test_an_event_tells_what_happened_without_personal_data(world: World) -> None:
    order = world.place(order_body())
    world.pump()
    (call,) = [call for call in world.wire.made if call.operation == "PutEvents"]
    assert {(entry["EventBusName"], entry["Source"]) for entry in call.given["Entries"]} == {("oms", "oms")}
    assert [entry["DetailType"] for entry in call.given["Entries"]] == ["payment.authorized", "order.captured"]
    event = world.published()[-1]
    assert (event["type"], event["sequence"], event["order_id"], event["order_number"]) == ("order.captured", 2, order["id"], "W-1")
    assert event["data"] == {"grand_total": 3500, "currency": "EUR"}
    assert (event["actor"], event["cause"]) == ("client:shop", "capture")
    assert "Ann" not in str(call.given)


def test_executions_get_ids_only_and_children_name_their_parent(world: World) -> None:
    order = world.allocated(order_body())
    world.pump()
    starts = {call.given["name"]: json.loads(call.given["input"]) for call in world.wire.made if call.operation == "StartExecution"}
    fo = order["fulfillment_orders"][0]["id"]
    assert set(starts) == {order["id"], fo}
    common = {"schema": 1, "order_id": order["id"], "order_number": "W-1", "channel": "web", "run": 1}
    assert starts[order["id"]] == {**common, "outcome": {"next": "allocate"}}
    parent = f"arn:aws:states:us-east-1:123456789012:execution:oms-order:{order['id']}"
    assert starts[fo] == {**common, "fulfillment_order_id": fo, "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": parent}


@pytest.mark.parametrize("seed", range(8))
def test_lost_repeated_and_reordered_records_lose_and_reorder_no_event(world: World, seed: int) -> None:
    chance = random.Random(seed)
    order = world.delivered(order_body())
    records = list(world.wire.stream)
    world.wire.stream.clear()
    last = records[-1]
    kept = [record for record in records if chance.random() > 0.2] + chance.choices(records, k=4)
    chance.shuffle(kept)
    for record in [*kept, last]:
        assert world.relay([record]) == []
    assert sequences(world, order["id"]) == list(range(1, len(world.facts(order["id"])) + 1))
    assert world.started()[:2] == [order["id"], order["fulfillment_orders"][0]["id"]]


def test_a_record_that_was_relayed_already_is_not_published_again(world: World) -> None:
    world.delivered(order_body())
    records = list(world.wire.stream)
    world.pump()
    published = world.published()
    world.relay(records)
    world.relay(records[::-1])
    assert world.published() == published


def test_many_events_of_one_order_keep_their_order_when_publishing_breaks_off(world: World) -> None:
    order = world.delivered(order_body())
    for _ in range(3):
        world.done("POST", f"/v1/orders/{order['id']}/notes", {"text": "x"})
    assert len(world.facts(order["id"])) > 10, "more than one call may carry"
    broke: list[Call] = []

    def break_off(call: Call) -> None:
        if call.operation == "PutEvents" and not broke:
            broke.append(call)
            raise RuntimeError("gone")

    with world.wire.watched(after=break_off):
        world.pump()
    assert broke
    assert parked(world) == []
    assert sequences(world, order["id"]) == list(range(1, len(world.facts(order["id"])) + 1))


def test_one_poisoned_order_is_parked_and_the_others_go_on(world: World) -> None:
    orders = [world.place(order_body(f"W-{i}", quantities={"B": 1}))["id"] for i in range(5)]
    records = list(world.wire.stream)
    world.wire.stream.clear()
    with world.wire.watched(before=broken_for(orders[2])):
        assert world.relay(records) == [orders[2]]
    others = [order_id for order_id in orders if order_id != orders[2]]
    assert sorted(world.started()) == sorted(others)
    assert [sequences(world, order_id) for order_id in orders] == [[1, 2], [1, 2], [], [1, 2], [1, 2]]
    (message,) = parked(world)
    assert (message["order_id"], message["sequences"]) == (orders[2], [1])
    assert message["reason"] == "RuntimeError: poisoned"


def test_what_was_parked_is_relayed_by_reconcile(world: World) -> None:
    order = world.place(order_body())
    with world.wire.watched(before=broken_for(order["id"])):
        world.pump()
        report = world.invoke("reconcile", {})
        assert report["parked"] == 0
        assert report["failed"] >= 1
        assert world.started() == []
    time.sleep(1.1)  # until the queue shows the message again
    report = world.invoke("reconcile", {})
    assert (report["parked"], report["failed"]) == (1, 0)
    assert world.started() == [order["id"]]
    assert sequences(world, order["id"]) == [1, 2]
    assert parked(world) == []


def test_later_records_of_a_parked_order_bring_the_earlier_ones_with_them(world: World) -> None:
    order = world.place(order_body())
    with world.wire.watched(before=broken_for(order["id"])):
        world.pump()
    world.done("POST", f"/v1/orders/{order['id']}/notes", {"text": "x"})
    world.pump()
    assert sequences(world, order["id"]) == [1, 2, 3]
    assert world.started() == [order["id"]]


def test_a_message_that_is_not_ours_is_put_away(world: World) -> None:
    for body in ("{}", '{"order_id": "nonsense"}'):
        client("sqs").send_message(QueueUrl=ENVIRONMENT["PARKED_QUEUE_URL"], MessageBody=body)
    assert world.invoke("reconcile", {})["failed"] == 0
    assert parked(world) == []
