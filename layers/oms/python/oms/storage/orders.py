"""An order in storage: loading the aggregate in one query, committing it in one transaction.

Its records as items are described in `order_items`, its timeline in `timeline`, what a commit does to stock in `effects` and
`order_effects`, unique names in `claims`, and what is written beside commits in `marks`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from oms.clock import stamp
from oms.errors import Conflict, NotFound, OmsError, Retryable
from oms.orders.order import Order, StockChange
from oms.orders.records import Entry, Personal, Placed, Record, Relayed, Summary
from oms.orders.statuses import order_status
from oms.payments.records import Change
from oms.returns.records import Return
from oms.storage.accounts import exposure_change
from oms.storage.chunks import chunk_sk, join
from oms.storage.claims import claim_write
from oms.storage.codec import encode
from oms.storage.effects import row_effect, summed
from oms.storage.environment import environment
from oms.storage.inventory import settle_debts
from oms.storage.order_effects import beside
from oms.storage.order_items import COLLECTIONS, alarm_write, changed, complete, kept_of, put, read, remember, remember_effects
from oms.storage.table import Cancelled, Lost, Write, get, query, write
from oms.storage.timeline import entry_write, money_moved

_ATTEMPTS = 6


@dataclass(frozen=True)
class Cause:
    """Who did it and why; `key` makes the idempotency record that rides in the same transaction, after the command has run."""

    actor: str
    cause: str
    key: Callable[[], dict[str, Any] | None] = lambda: None


class Taken(OmsError):
    """A unique name that the commit claims belongs to somebody else; `detail` is the name."""


class StockShort(Retryable):
    """Stock that was there when it was read is gone. `kind` is "count-too-low" where more is to leave than there is by the last count."""


def load(order_id: str, *, personal: bool = False) -> Order:
    """The aggregate, strongly consistent, in one query; NotFound if there is none. Only edges that show it ask for personal data."""
    rows = {}
    values = {":pk": order_id, ":from": "customer" if personal else "doc#", ":to": "state#~"}
    for row in query(environment().orders_table, "pk = :pk AND sk BETWEEN :from AND :to", values):
        rows[row["sk"]] = row
    if "doc#order" not in rows or "state#summary" not in rows:
        raise NotFound(f"there is no order '{order_id}'")
    order = Order(id=order_id, placed=Placed.model_validate(rows["doc#order"]), summary=Summary.model_validate(rows["state#summary"]))
    for sk, row in rows.items():
        for prefix, (name, kind) in COLLECTIONS.items():
            if sk.startswith(prefix):
                key = sk.removeprefix(prefix)
                getattr(order, name)[key] = read(key, row, kind)
    complete(order)
    if personal:
        order.personal = Personal.model_validate(rows.get("customer", {"v": 1}))  # erased: there is nothing to write either
    order.relayed = Relayed.model_validate(rows.get("state#relayed", {}))
    order.in_books = int(rows.get("state#books", {}).get("booked", 0))
    if order.placed.chunks:
        join(order, [rows[chunk_sk(number)] for number in range(order.placed.chunks)])
    remember(order)
    return order


def load_personal(order_id: str) -> Personal:
    """The order's personal data; empty after erasure."""
    row = get(environment().orders_table, order_id, "customer")
    return Personal.model_validate(row or {})


@dataclass(frozen=True)
class _Part:
    """One order's part of a commit: its records that differ from what is stored, and its entry in the timeline."""

    order: Order
    changed: list[tuple[str, Record]]
    entry: Entry | None


def commit(order: Order, cause: Cause, also: Sequence[Write] = ()) -> None:
    """Write all that changed, conditionally, in one transaction with its timeline entry; the orders that this one has given birth to with
    it. Nothing changed: nothing is written. `also`: what another record writes in the same transaction.

    Lost: another commit came first. StockShort: a stock condition failed. Taken: a claimed name is somebody else's.
    """
    orders = [order, *order.born]
    for each in orders:
        _derive(each)
    exposure = exposure_change(orders)
    parts = [_part(each, cause) for each in orders]
    table, at = environment().orders_table, stamp()
    why: dict[int, OmsError] = {}  # what it means when the write at this place is refused; without a meaning: Lost
    writes: list[Write] = []

    def add(one: Write, refused: OmsError) -> None:
        why[len(writes)] = refused
        writes.append(one)

    if key := cause.key():  # first, for where it is used nothing else matters
        add(Write(table, encode(key), "attribute_not_exists(pk)"), Taken(detail=str(key["pk"])))
    # Of all orders together: an item is written once in a transaction.
    settled, arrived = settle_debts(summed(change for each in orders for change in each.stock))
    stock = summed(settled)
    for change in stock:
        add(row_effect(change, at), _short(change))
    for claim in (claim for each in orders for claim in each.claims):
        add(claim_write(table, claim.key, claim.data, claim.seen, claim.release), Taken(detail=claim.key))
    writes += [put(table, part.order, sk, record) for part in parts for sk, record in part.changed]
    writes += beside(order, stock, arrived, at, cause.actor) + exposure
    writes += [each for born in order.born for each in beside(born, [], [], at, cause.actor)]
    writes += [each for part in parts for each in alarm_write(table, part.order)]
    writes += [entry_write(table, part.order.id, part.entry) for part in parts if part.entry]
    writes += also
    if not writes:
        return
    try:
        write(writes)
    except Cancelled as error:
        raise next((why[place] for place in error.refused if place in why), Lost(f"{order.id} changed meanwhile")) from error
    for part in parts:
        _committed(part)
    order.born = []


def _part(order: Order, cause: Cause) -> _Part:
    """What this commit writes of an order: its version and sequence moved on."""
    entry = None
    if order.facts:
        summary = order.summary
        summary.version += 1
        summary.updated_at = order.now
        moved = money_moved(order)
        entry = Entry(sequence=summary.sequence + 1, at=order.now, actor=cause.actor, cause=cause.cause, facts=order.facts, moved=moved)
        summary.sequence += len(order.facts)
        _sign(order, cause)
    return _Part(order, changed(order), entry)


def _sign(order: Order, cause: Cause) -> None:
    """What somebody has just asked for says who that was, and by which request or step."""
    asked_for: list[Change | Return] = [*order.changes.values(), *order.returns.values()]
    for record in asked_for:
        if record.v == 0 and record.cause is None:
            record.actor, record.cause = record.actor or cause.actor, cause.cause


def _committed(part: _Part) -> None:
    """The order in memory is as stored now."""
    order = part.order
    for sk, record in part.changed:
        record.v += 1
        order.loaded[sk] = kept_of(order, record)
    order.facts, order.stock, order.claims, order.news = [], [], [], []
    remember_effects(order)


def update(order_id: str, command: Callable[[Order], Any], cause: Cause, *, personal: bool = False) -> Order:
    """Load, run the command, commit; again from the start when somebody else was first. The command must not do anything else.

    Taken is raised at once for an idempotency key, and for another name when it stays taken; Conflict when more is to leave a place than
    is there by its last count."""
    for attempt in range(_ATTEMPTS):
        order = load(order_id, personal=personal)
        order.again = attempt > 0
        command(order)
        try:
            commit(order, cause)
        except (Lost, StockShort, Taken) as error:
            used_key = isinstance(error, Taken) and error.detail.startswith("key#")
            if attempt == _ATTEMPTS - 1 and error.kind == "count-too-low":
                raise Conflict(error.detail, kind=error.kind) from error
            if used_key or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
            continue
        return order
    raise AssertionError("unreachable")


def _short(change: StockChange) -> StockShort:
    where = f"{change.sku} at {change.location_id}"
    if change.on_hand >= 0:
        return StockShort(f"{where} is gone")
    return StockShort(
        f"{-change.on_hand} of {where} cannot leave: by the last count fewer are there; count again, then ship", kind="count-too-low"
    )


def _derive(order: Order) -> None:
    """What follows from the records on every write: exchanges go on with what has become of their returns, and statuses follow from the
    counters; reaching an end is itself a fact."""
    if any(change.exchange for change in order.changes.values()):
        from oms.service.exchange_news import go_on  # noqa: PLC0415 few orders have any, and every cold start would pay for it

        go_on(order)
    status = order_status(order)
    if status != order.summary.status:
        order.summary.status = status
        order.record(f"order.{ {'on_hold': 'blocked', 'open': 'opened'}.get(status, status) }")
