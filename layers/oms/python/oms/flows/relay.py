"""Relay: after a commit, start executions, resume executions, publish events; each from the stored record, each safe to repeat.

One order after the other; an order that cannot be relayed is parked in the relay's own queue and does not stop the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from oms.flows.waiting import resume
from oms.ids import part_id
from oms.machines.executions import Execution, order_execution, started_by
from oms.machines.outcomes import outcome
from oms.orders.order import Order
from oms.orders.records import Entry, Relayed
from oms.storage.clients import client
from oms.storage.environment import environment
from oms.storage.orders import advance, load, timeline

_TRIES = 2
_WORKERS = 8
_EVENTS_PER_CALL = 10


def relay(orders: Mapping[str, list[Entry]]) -> list[str]:
    """Relay each order's new entries. Returns the orders that had to be parked."""
    items = list(orders.items())
    if len(items) == 1:
        results = [_relay_or_park(*items[0])]
    else:
        with ThreadPoolExecutor(_WORKERS) as pool:
            results = list(pool.map(lambda item: _relay_or_park(*item), items))
    return [order_id for order_id, relayed in zip(orders, results, strict=True) if not relayed]


def relay_order(order_id: str, entries: list[Entry]) -> None:
    """Publish what is not published, start what the facts call for, resume what has come to its time."""
    order = load(order_id)
    news = _unpublished(order, entries)
    _publish(order, news)
    for entry in news:
        for fact in entry.facts:
            execution = started_by(order, fact.type, fact.data)
            if execution:
                start(order, execution)
    resumed = dict(order.relayed.resumed)
    for wait in order.waits.values():
        how = outcome(order, wait) if resumed.get(wait.id) != wait.entered else None
        if how:
            resume(wait, how)
            resumed[wait.id] = wait.entered
    done = Relayed(published=_last(news) if news else order.relayed.published, resumed=resumed)
    if done != order.relayed:
        advance(order_id, done)


def start(order: Order, execution: Execution) -> None:
    """Start an execution; one of that name is there already: it was started before. Children name the execution they come from."""
    given = dict(execution.input)
    if execution.machine != "order":
        given["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"] = execution_arn(order_execution(order))
    try:
        client("stepfunctions").start_execution(
            stateMachineArn=environment().machine_arn(execution.machine), name=execution.name, input=json.dumps(given)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


def execution_arn(execution: Execution) -> str:
    """ARN of an execution, derived from its machine's ARN and its name."""
    return environment().machine_arn(execution.machine).replace(":stateMachine:", ":execution:") + f":{execution.name}"


def park(order_id: str, entries: list[Entry], reason: str) -> None:
    """Put the order's id and its event numbers aside, for `reconcile` to relay again."""
    body = {"order_id": order_id, "sequences": [entry.sequence for entry in entries], "reason": reason[:500]}
    client("sqs").send_message(QueueUrl=environment().parked_queue_url, MessageBody=json.dumps(body))


def _relay_or_park(order_id: str, entries: list[Entry]) -> bool:
    for attempt in range(_TRIES):
        try:
            relay_order(order_id, entries)
            return True
        except Exception as error:
            # Whatever it is, it must not stop the other orders of the batch; the parked message says what it was.
            if attempt == _TRIES - 1:
                park(order_id, entries, f"{type(error).__name__}: {error}")
    return False


def _unpublished(order: Order, entries: Iterable[Entry]) -> list[Entry]:
    """Entries after the last published one, in order. What the batch lacks (a lost or parked record) is read from the timeline."""
    done = order.relayed.published
    given = sorted((entry for entry in entries if entry.sequence > done), key=lambda entry: entry.sequence)
    expected = done + 1
    for entry in given:
        if entry.sequence != expected:
            return list(timeline(order.id, after=done))
        expected = entry.sequence + len(entry.facts)
    if expected <= order.summary.sequence and not given:
        return list(timeline(order.id, after=done))
    return given


def _last(entries: list[Entry]) -> int:
    return entries[-1].sequence + len(entries[-1].facts) - 1


def _publish(order: Order, entries: list[Entry]) -> None:
    events = [event for entry in entries for event in events_of(order, entry)]
    bus = environment().event_bus
    for at in range(0, len(events), _EVENTS_PER_CALL):
        batch = [
            {"EventBusName": bus, "Source": "oms", "DetailType": event["type"], "Detail": json.dumps(event), "Resources": [order.id]}
            for event in events[at : at + _EVENTS_PER_CALL]
        ]
        answer = client("events").put_events(Entries=batch)
        if answer.get("FailedEntryCount"):
            raise RuntimeError(f"EventBridge refused {answer['FailedEntryCount']} of {len(batch)} events")


def events_of(order: Order, entry: Entry) -> list[dict[str, Any]]:
    """An entry's facts as events: one each, numbered without gaps, with ids and figures only."""
    return [
        {
            "id": part_id("evt", order.id, entry.sequence + index),
            "sequence": entry.sequence + index,
            "type": fact.type,
            "at": entry.at,
            "actor": entry.actor,
            "cause": entry.cause,
            "order_id": order.id,
            "order_number": order.placed.order_number,
            "channel": order.placed.channel,
            "data": fact.data,
        }
        for index, fact in enumerate(entry.facts)
    ]
