"""Reconcile: what a crash, an outage or a lost message left undone is found in the records and done.

It touches only orders that nobody has touched for five minutes, by conditional write, and honours leases. What it repairs is an event.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain

from botocore.exceptions import ClientError

from oms.clock import later, stamp
from oms.flows import books_queue
from oms.flows.check import Suspects, audit
from oms.flows.executions import execution_arn
from oms.flows.holds import follow_rest, let_go
from oms.flows.news import relay_one
from oms.flows.relay import relay_order, start
from oms.flows.waiting import resume
from oms.fulfillment.records import FulfillmentOrder
from oms.ids import order_of
from oms.machines.executions import Execution, needed
from oms.machines.outcomes import outcome
from oms.orders.holds import expired
from oms.orders.order import Order
from oms.orders.records import Summary
from oms.payments import laws
from oms.payments.clock import authorization_news, watch_authorizations
from oms.payments.numbers import unnumbered
from oms.payments.records import Change
from oms.returns.records import Return
from oms.service.recalls import decide_overdue, overdue
from oms.storage.clients import client
from oms.storage.environment import environment
from oms.storage.inventory import stock_of
from oms.storage.lists import ENDED_SHARDS, ended_list, listed, status_lists
from oms.storage.orders import Cause, load, update
from oms.storage.unplaced import give_up, left_behind

_OPEN_STATUSES = ("received", "open", "on_hold")
_OPEN_RETURNS = ("requested", "approved", "in_transit", "partially_received", "received")
_PAGE = 100
_MOST_NAMED, _LONGEST = 20, 300
ENDED_WITHIN = 1800
"""Seconds; a pass every five minutes sees each ended order several times."""


@dataclass
class Report:
    """What a pass did. `unbalanced`: orders that break a law of money (design section 7), and of the first of them which and how."""

    orders: int = 0
    parked: int = 0
    published: int = 0
    started: int = 0
    restarted: int = 0
    resumed: int = 0
    granted: int = 0
    booked: int = 0
    drift: int = 0
    unbalanced: int = 0
    unbalanced_orders: list[str] = field(default_factory=list)
    failed: int = 0
    dropped: int = 0
    finished: bool = True

    def as_dict(self) -> dict[str, int | bool | list[str]]:
        """For the log and the caller."""
        return asdict(self)


def reconcile(older_than_seconds: int, seconds_left: Callable[[], float], ended_within_seconds: int = ENDED_WITHIN) -> Report:
    """One pass over all open orders and those that ended lately; it stops before its time is over and says so (`finished`)."""
    report, served, suspects = Report(), set[str](), Suspects()
    _drain_parked(report, seconds_left)
    cutoff = later(stamp(), seconds=-older_than_seconds)
    report.dropped = sum(give_up(order_id) for order_id in left_behind(cutoff))
    ended_since = later(stamp(), seconds=-ended_within_seconds)
    for order_id in chain(_open_orders(), _ended_orders(ended_since, cutoff)):
        if seconds_left() < 10:
            report.finished = False
            break
        try:
            order = _repair(order_id, cutoff, report)
            if order:
                suspects.listen_to(order)
                _prove(order, report)
                _see_to_queue(order, report, served, seconds_left)
        except Exception:
            # One order that cannot be repaired must not keep the others from it; the next pass tries again.
            report.failed += 1
    try:
        report.drift = len(audit(suspects, seconds_left))
    except Exception:
        # What the check could not read it reads in the next pass.
        report.failed += 1
    return report


def _prove(order: Order, report: Report) -> None:
    broken = laws.broken(order)
    report.unbalanced += bool(broken)
    if broken and len(report.unbalanced_orders) < _MOST_NAMED:
        report.unbalanced_orders.append(f"{order.id}: {'; '.join(broken)}"[:_LONGEST])


def _open_orders() -> Iterator[str]:
    seen: set[str] = set()
    names = [name for status in _OPEN_STATUSES for name in status_lists(status)]
    for name in names + [f"returns#{status}" for status in _OPEN_RETURNS]:
        after = ""
        while page := listed(name, newest_first=False, limit=_PAGE, after=after):
            after = page[-1]["at"]
            for row in page:
                if row["pk"] not in seen:
                    seen.add(row["pk"])
                    yield row["pk"]


def _ended_orders(since: str, until: str) -> Iterator[str]:
    """Orders that ended between two times: what came last may be unpublished, an execution may wait in vain for it."""
    hour = since[:13] + ":00:00.000Z"
    while hour <= until:
        for shard in range(ENDED_SHARDS):
            after = ""
            while page := listed(ended_list(hour, shard), newest_first=False, limit=_PAGE, after=after, since=since, until=until):
                after = page[-1]["at"]
                yield from (row["pk"] for row in page)
        hour = later(hour, hours=1)


def _repair(order_id: str, cutoff: str, report: Report) -> Order | None:
    """Returns the order if nobody has touched it lately."""
    order = load(order_id)
    touched = order.summary.updated_at or order.summary.placed_at
    lease = order.summary.lease
    if touched > cutoff or (lease and lease.until > order.now):
        return None
    report.orders += 1
    if order.relayed.published < order.summary.sequence:
        relay_order(order_id)
        report.published += 1
        order = load(order_id)
    report.booked += _tell_books(order)
    if expired(order):
        let_go(order_id, Cause("reconcile", "hold expired"))
        order = load(order_id)
    if authorization_news(order):
        order = update(order_id, watch_authorizations, Cause("reconcile", "authorization clock"))
    if overdue(order):
        order = update(order_id, decide_overdue, Cause("reconcile", "recall not answered"))
    order = follow_rest(order, Cause("reconcile", "holds"))
    for execution in needed(order):
        _ensure_running(order, execution, report)
    for wait in order.waits.values():
        how = outcome(order, wait)
        if how and resume(wait, how):
            report.resumed += 1
    return order


def _tell_books(order: Order) -> bool:
    """Whether the books lack something of the order, which they are told of then."""
    behind = order.relayed.books > order.in_books or bool(unnumbered(order))
    if behind:
        books_queue.send(books_queue.Notice(order.id, order.placed.channel, f"again-{order.now}"))
    return behind


def _ensure_running(order: Order, execution: Execution, report: Report) -> None:
    """Start what is missing; give what is closed though its record is not at its end a new run."""
    try:
        found = client("stepfunctions").describe_execution(executionArn=execution_arn(execution))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
        start(order, execution)
        report.started += 1
        return
    if found["status"] == "RUNNING":
        return

    def reopen(fresh: Order) -> None:
        again = next((e for e in needed(fresh) if e.record_id == execution.record_id), None)
        if again is None or again.run != execution.run:
            return
        _record_of(fresh, execution.record_id).run += 1
        for problem in fresh.exceptions.values():
            if problem.subject == execution.record_id and problem.status == "open":
                problem.status, problem.action, problem.closed_at = "resolved", "execution restarted", fresh.now
        fresh.record("execution.restarted", machine=execution.machine, record_id=execution.record_id, was=found["status"])

    order = update(order.id, reopen, Cause("reconcile", execution.name))
    for fresh in needed(order):
        if fresh.record_id == execution.record_id:
            start(order, fresh)
            report.restarted += 1


def _record_of(order: Order, record_id: str) -> Summary | FulfillmentOrder | Return | Change:
    if record_id == order.id:
        return order.summary
    return order.fulfillment_orders.get(record_id) or order.changes.get(record_id) or order.returns[record_id]


def _see_to_queue(order: Order, report: Report, served: set[str], seconds_left: Callable[[], float]) -> None:
    """End a wait that took too long; see to a queue whose goods are there (each SKU once per pass: its worker serves everybody)."""
    if not order.queued():
        return
    from oms.flows.backorders import end_waits, serve  # noqa: PLC0415 few orders wait for stock

    if end_waits(order):
        return
    for sku in {line.sku for line, state in order.lines() if state.backordered} - served:
        served.add(sku)
        if any(row.spare > 0 for row in stock_of([sku])[sku] if not row.blocked):
            report.granted += serve(sku, seconds_left)


def _drain_parked(report: Report, seconds_left: Callable[[], float]) -> None:
    queue, sqs = environment().parked_queue_url, client("sqs")
    while seconds_left() > 20:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        if not messages:
            return
        for message in messages:
            parked = json.loads(message["Body"])
            try:
                if order_of(parked.get("order_id", "")):
                    relay_order(parked["order_id"])
                elif "image" in parked:
                    relay_one(parked["image"], seconds_left)
            except Exception:
                # Left in the queue: it comes back, and after its last try goes to the dead letters.
                report.failed += 1
                continue
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            report.parked += 1
