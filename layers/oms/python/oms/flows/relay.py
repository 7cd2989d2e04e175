"""Relay: after a commit, start executions, resume executions, publish events; each from the stored record, each safe to repeat.

An order that cannot be relayed is parked in the relay's own queue and does not stop the others of its batch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from oms.events import events_of, slim
from oms.flows import books_queue
from oms.flows.executions import execution_arn
from oms.flows.waiting import resume
from oms.machines.executions import Execution, order_execution, started_by
from oms.machines.outcomes import outcome
from oms.orders.order import Order
from oms.orders.records import Entry, Relayed
from oms.payments.positions import concerns_books
from oms.storage.clients import client
from oms.storage.environment import environment
from oms.storage.marks import advance
from oms.storage.orders import load
from oms.storage.timeline import timeline

_TRIES = 2
_WORKERS = 8
_EVENTS_PER_CALL, _BYTES_PER_CALL = 10, 240_000


@dataclass
class Work:
    """One order's part of a batch: its new entries, then what was read of it, and the error that stopped it."""

    order_id: str
    entries: list[Entry]
    order: Order | None = None
    news: list[Entry] = field(default_factory=list)
    error: Exception | None = None

    @property
    def for_books(self) -> list[Entry]:
        """New entries that have to do with money."""
        return [entry for entry in self.news if concerns_books(entry)]


def relay(orders: Mapping[str, list[Entry]]) -> list[str]:
    """Relay each order's new entries. Returns the orders that had to be parked."""
    works = [Work(order_id, entries) for order_id, entries in orders.items()]
    _together(works)
    stopped = [work for work in works if work.error]
    for work in stopped:
        park(work.order_id, work.entries, f"{type(work.error).__name__}: {work.error}")
    return [work.order_id for work in stopped]


def relay_order(order_id: str) -> None:
    """Relay whatever one order has that is not relayed yet; raises what stops it."""
    work = Work(order_id, [])
    _together([work])
    if work.error:
        raise work.error


def _together(works: list[Work]) -> None:
    """Read all, publish all in few calls, then start, resume and tell the books; an order that fails stops by itself."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        each = map if len(works) == 1 else pool.map
        list(each(lambda work: _try(_read, work), works))
        _publish(works)
        list(each(lambda work: _try(_act, work), works))


def _try(step: Callable[[Work], None], work: Work) -> None:
    for attempt in range(_TRIES):
        if work.error:
            return
        try:
            step(work)
            return
        except Exception as error:
            # Whatever it is, it must not stop the other orders of the batch; the parked message says what it was.
            if attempt == _TRIES - 1:
                work.error = error


def _read(work: Work) -> None:
    work.order = load(work.order_id)
    work.news = _unpublished(work.order, work.entries)


def _act(work: Work) -> None:
    """Start what the facts call for, resume what has come to its time, and note how far the order is."""
    order = work.order
    if order is None:
        return
    for entry in work.news:
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
    published = _last(work.news) if work.news else order.relayed.published
    books = _last(work.for_books) if work.for_books else order.relayed.books
    _tell_books(work, order)
    done = Relayed(published=published, books=books, resumed=resumed)
    if done != order.relayed:
        advance(work.order_id, done)


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


def park(order_id: str, entries: list[Entry], reason: str) -> None:
    """Put the order's id and its event numbers aside, for `reconcile` to relay again."""
    body = {"order_id": order_id, "sequences": [entry.sequence for entry in entries], "reason": reason[:500]}
    client("sqs").send_message(QueueUrl=environment().parked_queue_url, MessageBody=json.dumps(body))


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


def _publish(works: list[Work]) -> None:
    """All orders' events, each order's in sequence, ten to a call. Orders of a call that fails are stopped: their order must not break."""
    events = [(work, slim(event)) for work in works if work.order for entry in work.news for event in events_of(work.order, entry)]
    for calls in _calls(events):
        batch = [(work, event) for work, event in calls if not work.error]
        if batch:
            error = put_events([event for _, event in batch])
            for work, _ in batch if error else ():
                work.error = error


def _tell_books(work: Work, order: Order) -> None:
    """Send the books what has to do with money, before the order's mark moves on."""
    if work.for_books:
        numbers = tuple(entry.sequence for entry in work.for_books)
        books_queue.send(books_queue.Notice(order.id, order.placed.channel, str(_last(work.for_books)), numbers))


def _calls(events: list[tuple[Work, dict[str, Any]]]) -> Iterator[list[tuple[Work, dict[str, Any]]]]:
    """Ten events to a call, fewer where they are large."""
    call: list[tuple[Work, dict[str, Any]]] = []
    size = 0
    for work, event in events:
        more = len(json.dumps(event))
        if call and (len(call) == _EVENTS_PER_CALL or size + more > _BYTES_PER_CALL):
            yield call
            call, size = [], 0
        call.append((work, event))
        size += more
    if call:
        yield call


def put_events(events: list[dict[str, Any]]) -> Exception | None:
    """Put at most ten events on the bus; None, or after the last try what went wrong."""
    bus, error = environment().event_bus, None
    entries = [
        {
            "EventBusName": bus,
            "Source": "oms",
            "DetailType": event["type"],
            "Detail": json.dumps(event),
            "Resources": [event.get("order_id") or event["record_id"]],
        }
        for event in events
    ]
    for _ in range(_TRIES):
        try:
            refused = client("events").put_events(Entries=entries).get("FailedEntryCount", 0)
        except Exception as failure:
            # As in _try: the batch goes on without these orders.
            error = failure
            continue
        if not refused:
            return None
        error = RuntimeError(f"EventBridge refused {refused} of {len(entries)} events")
    return error
