"""The order's item collection: where each record lives, loading the aggregate in one query, committing it in one transaction.

pk            sk                         what
ord_...       customer                   personal data (outside the range that steps read)
ord_...       doc#order, doc#invoice#..  documents, written once
ord_...       state#summary, state#...   everything that changes
ord_...       doc#lines#000, state#lines#000   lines of a large order, a hundred to an item (see chunks)
ord_...       timeline#00000001          one entry per commit: its facts, and the relay's work order
ord_...       alarm                      listed while the clock has to look at the order at a certain time: a hold expires
number#c#n    claim                      the unique order number, listed by the number alone; tracking#n, key#... likewise
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oms.clock import stamp
from oms.errors import Conflict, NotFound, OmsError, Retryable
from oms.fulfillment.records import Explanation, FulfillmentOrder, Shipment
from oms.inventory.counts import Movement
from oms.orders.order import Order, StockChange
from oms.orders.records import Entry, LineChunk, Personal, Placed, Record, Relayed, Summary
from oms.orders.statuses import order_status
from oms.payments import positions
from oms.payments.gift_cards import sells_cards
from oms.payments.records import Change, CreditMemo, Invoice, Payment
from oms.returns.records import Return
from oms.returns.states import OVER
from oms.service.records import ProcessException, Wait
from oms.storage.accounts import exposure_change
from oms.storage.capacity import bookings
from oms.storage.chunks import chunk_sk, join, kept
from oms.storage.claims import NUMBERS, claim_write
from oms.storage.codec import encode
from oms.storage.effects import movement, queue_entries, reservations, row_effect, summed
from oms.storage.environment import environment
from oms.storage.inventory import note, record_note, settle_debts
from oms.storage.lists import ALARM_SHARDS, ENDED_SHARDS, SHARDS, alarm_list, ended_list, listed, shard_of, status_list
from oms.storage.table import Cancelled, Lost, Write, get, query, write

COLLECTIONS: dict[str, tuple[str, type[Record]]] = {
    "doc#invoice#": ("invoices", Invoice),
    "doc#memo#": ("credit_memos", CreditMemo),
    "doc#explanation#": ("explanations", Explanation),
    "state#lines#": ("chunks", LineChunk),
    "state#fo#": ("fulfillment_orders", FulfillmentOrder),
    "state#shipment#": ("shipments", Shipment),
    "state#payment#": ("payments", Payment),
    "state#change#": ("changes", Change),
    "state#return#": ("returns", Return),
    "state#exception#": ("exceptions", ProcessException),
    "state#wait#": ("waits", Wait),
}
_ENDS = ("order.completed", "order.cancelled", "order.declined")
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
                getattr(order, name)[sk.removeprefix(prefix)] = kind.model_validate(row)
    if personal:
        order.personal = Personal.model_validate(rows.get("customer", {"v": 1}))  # erased: there is nothing to write either
    order.relayed = Relayed.model_validate(rows.get("state#relayed", {}))
    order.in_books = int(rows.get("state#books", {}).get("booked", 0))
    if order.placed.chunks:
        join(order, [rows[chunk_sk(number)] for number in range(order.placed.chunks)])
    _remember(order)
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
    table = environment().orders_table
    writes = [_put(table, part.order, sk, record) for part in parts for sk, record in part.changed]
    stock_at, at = len(writes), stamp()
    # Of all orders together: an item is written once in a transaction.
    settled, arrived = settle_debts(summed(change for each in orders for change in each.stock))
    stock = summed(settled)
    writes += [row_effect(change, at) for change in stock]
    claims_at, claims = len(writes), [claim for each in orders for claim in each.claims]
    writes += [claim_write(table, claim.key, claim.data, claim.seen, claim.release) for claim in claims]
    writes += _beside(order, stock, arrived, at, cause) + exposure
    writes += [each for born in order.born for each in _beside(born, [], [], at, cause)]
    writes += [each for part in parts for each in _alarm(table, part.order)]
    writes += [_entry(table, part.order.id, part.entry) for part in parts if part.entry]
    writes += also
    key = cause.key()
    if key:
        writes.append(Write(table, encode(key), "attribute_not_exists(pk)"))
    if not writes:
        return
    try:
        write(writes)
    except Cancelled as error:
        if key and len(writes) - 1 in error.refused:
            raise Taken(detail=str(key["pk"])) from error
        for index in error.refused:
            if claims_at <= index < claims_at + len(claims):
                raise Taken(detail=claims[index - claims_at].key) from error
            if stock_at <= index < claims_at:
                change = stock[index - stock_at]
                raise _short(change) from error
        raise Lost(f"{order.id} changed meanwhile") from error
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
        moved = _money_moved(order)
        entry = Entry(sequence=summary.sequence + 1, at=order.now, actor=cause.actor, cause=cause.cause, facts=order.facts, moved=moved)
        summary.sequence += len(order.facts)
        _sign(order, cause)
    return _Part(order, _changed(order), entry)


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
        order.loaded[sk] = _kept(order, record)
    order.facts, order.stock, order.claims, order.news = [], [], [], []
    _remember_effects(order)


def update(order_id: str, command: Callable[[Order], Any], cause: Cause, *, personal: bool = False) -> Order:
    """Load, run the command, commit; again from the start when somebody else was first. The command must not do anything else.

    Taken is raised at once for an idempotency key, and for another name when it stays taken; Conflict when more is to leave a place than
    is there by its last count."""
    for attempt in range(_ATTEMPTS):
        order = load(order_id, personal=personal)
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


def numbered(order_number: str) -> list[str]:
    """Ids of the orders with this number, at most one of each channel and ten in all; those just placed a moment later."""
    return [row["at"] for row in listed(f"{NUMBERS}{order_number}", limit=10)]


def store_wait(order_id: str, wait: Wait) -> bool:
    """Keep a task token unless a newer one is kept already (entered time, then retry count). False if it was too late."""
    item = encode({"pk": order_id, "sk": f"state#wait#{wait.id}", **wait.model_dump(), "v": 1})
    condition = "attribute_not_exists(pk) OR entered <= :entered"
    try:
        write([Write(environment().orders_table, item, condition, encode({":entered": wait.entered}))])
    except Cancelled:
        return False
    return True


def advance(order_id: str, relayed: Relayed) -> None:
    """Note what the relay has done for the order; never backwards."""
    key = encode({"pk": order_id, "sk": "state#relayed"})
    values = encode({":published": relayed.published, ":resumed": relayed.resumed, ":books": relayed.books})
    condition = "attribute_not_exists(pk) OR published <= :published"
    change = "SET published = :published, resumed = :resumed, books = :books"
    try:
        write([Write(environment().orders_table, key, condition, values, change)])
    except Cancelled:
        return


def timeline(order_id: str, after: int = 0, limit: int | None = None) -> Iterator[Entry]:
    """Entries whose facts come after sequence `after`, oldest first."""
    more = {"Limit": limit} if limit else {}
    values = {":pk": order_id, ":from": _timeline_sk(after + 1), ":to": "timeline#~"}
    for row in query(environment().orders_table, "pk = :pk AND sk BETWEEN :from AND :to", values, **more):
        yield Entry.model_validate(row)


def _records(order: Order) -> Iterator[tuple[str, Record]]:
    """Every stored record of the aggregate that a commit may write (waits are written by the steps alone)."""
    if not order.placed.v:
        yield "doc#order", order.placed
    if order.personal:
        yield "customer", order.personal
    yield "state#summary", order.summary
    for prefix, (name, _) in COLLECTIONS.items():
        if name != "waits":
            for key, record in getattr(order, name).items():
                yield prefix + key, record


def _changed(order: Order) -> list[tuple[str, Record]]:
    """Records that differ from what is stored. The summary's version guards all of the order: whoever writes chunks of lines writes it."""
    changed = [(sk, record) for sk, record in _records(order) if _kept(order, record) != order.loaded.get(sk)]
    if order.chunks and changed and not any(record is order.summary for _, record in changed):
        changed.append(("state#summary", order.summary))
    return changed


def _remember(order: Order) -> None:
    order.loaded = {sk: _kept(order, record) for sk, record in _records(order)}
    _remember_effects(order)


def _remember_effects(order: Order) -> None:
    order.held_before, order.waiting_before, order.booked_before = order.held(as_stored=True), order.waiting(), order.booked()
    order.alarm_before = order.alarm


def _kept(order: Order, record: Record) -> dict[str, Any]:
    """What is stored of a record of this order: the lines of a large order are stored apart."""
    if isinstance(record, LineChunk):
        return kept(record)
    apart = order.placed.chunks and (record is order.summary or record is order.placed)
    return _fields(record, {"v", "lines"}) if apart else _fields(record)


def _fields(record: Record, without: set[str] | None = None) -> dict[str, Any]:
    """What is stored of a record: all that differs from its defaults (what callers put into metadata stays as it is)."""
    return record.model_dump(exclude=without or {"v"}, exclude_defaults=True)


def _money_moved(order: Order) -> dict[str, dict[str, int]]:
    """By how much this commit changes what tenders have paid and invoices have open: what the journal will say of it."""
    kinds: dict[str, type[Record]] = {"state#payment#": Payment, "doc#invoice#": Invoice, "doc#memo#": CreditMemo}
    if all(_fields(record) == order.loaded.get(sk) for sk, record in _records(order) if sk.startswith(tuple(kinds))):
        return {}
    before: dict[str, Any] = {
        COLLECTIONS[prefix][0]: {
            sk.removeprefix(prefix): kind.model_validate(fields) for sk, fields in order.loaded.items() if sk.startswith(prefix)
        }
        for prefix, kind in kinds.items()
    }
    return positions.moved(positions.position(replace(order, **before)), positions.position(order))


def _put(table: str, order: Order, sk: str, record: Record) -> Write:
    item = {"pk": order.id, "sk": sk, "v": record.v + 1, **_kept(order, record), **_index(order, record)}
    if record.v == 0:
        return Write(table, encode(item), "attribute_not_exists(pk)")
    return Write(table, encode(item), "v = :v", encode({":v": record.v}))


def _index(order: Order, record: Record) -> dict[str, str]:
    """The list a record stands in, and its place there; records that nobody looks for stand in none."""
    at = f"{order.placed.placed_at}#{order.id}"
    if isinstance(record, Placed):
        return {"list": f"customer#{record.customer_id}", "at": at}
    if isinstance(record, Summary):
        return {"list": status_list(record.status, shard_of(order.id)), "at": at}
    if isinstance(record, FulfillmentOrder) and any(line.open for line in record.lines.values()):
        return {"list": f"location#{record.location_id}", "at": f"{record.ship_by}#{record.id}"}
    if isinstance(record, Return):
        names = return_lists(record.status)
        return {"list": names[shard_of(order.id) % len(names)], "at": f"{record.requested_at}#{record.id}"}
    if isinstance(record, ProcessException) and record.status == "open":
        return {"list": "exceptions#open", "at": f"{record.opened_at}#{record.id}"}
    return {}


def return_lists(status: str) -> list[str]:
    """Names of the lists of returns in a status: one while there is work with them, 16 shards of those that are over, which only grow."""
    return [f"returns#{status}#{number:02d}" for number in range(SHARDS)] if status in OVER else [f"returns#{status}"]


def _beside(order: Order, stock: list[StockChange], arrived: list[str], at: str, cause: Cause) -> list[Write]:
    """What the inventory table keeps of this commit beside the stock rows: movements, reservations, places in the queue; and news for
    the queue of each SKU that something became free of."""
    name = f"{order.id}#{order.summary.sequence}"
    writes = [
        movement(
            Movement(
                sku=c.sku,
                location_id=c.location_id,
                at=at,
                kind="shipped" if c.on_hand < 0 else "restocked",
                delta=c.on_hand,
                cause=c.cause or name,
                actor=cause.actor,
            )
        )
        for c in stock
        if c.on_hand
    ]
    writes += reservations(order.id, order.held_before, order.held(as_stored=True), at)
    skus = {line.id: line.sku for line in order.every_line}
    in_line = f"{order.placed.priority}#{order.placed.placed_at}#{order.id}"
    before, after = order.waiting_before, order.waiting()
    writes += bookings(order.booked_before, order.booked(), order.limits)
    writes += queue_entries(skus, before, after, in_line)
    news: dict[str, list[tuple[str, dict[str, Any]]]] = {sku: [("stock.arrived", {"sku": sku})] for sku in arrived}
    for sku, type_, data in order.news:
        news.setdefault(sku, []).append((type_, data))
    for line_id, place in after.items():
        if place.units > (before[line_id].units if line_id in before else 0):
            # What arrived at the same moment has not seen this debt: somebody must look again.
            about = {"sku": skus[line_id], "line_id": line_id, "order_id": order.id, "units": place.units, "class": order.placed.priority}
            news.setdefault(skus[line_id], []).append(("backorder.queued", about))
    granted = any(fact.type == "backorder.granted" for fact in order.facts)  # its worker sees to the others by itself
    for line_id, place in before.items() if not granted else ():
        left = place.units - (after[line_id].units if line_id in after else 0)
        if left > 0:
            about = {"sku": skus[line_id], "line_id": line_id, "order_id": order.id, "units": left}
            news.setdefault(skus[line_id], []).append(("backorder.left", about))
    writes += [note(sku, at, name, cause.actor, facts) for sku, facts in news.items()]
    if any(fact.type == "shipment.delivered" for fact in order.facts) and sells_cards(order):
        writes.append(record_note(f"credit_{order.id}", at, name, cause.actor, [("gift_card.delivered", {"order_id": order.id})]))
    return writes


def _alarm(table: str, order: Order) -> list[Write]:
    """Where the order stands in the list of alarms. It is put without a place there when there is nothing left to wait for; the summary,
    which says when that is, is written in the same transaction."""
    if order.alarm == order.alarm_before:
        return []
    place = {"list": alarm_list(shard_of(order.id) % ALARM_SHARDS), "at": f"{order.alarm}#{order.id}"} if order.alarm else {}
    return [Write(table, encode({"pk": order.id, "sk": "alarm", **place}))]


def _entry(table: str, order_id: str, entry: Entry) -> Write:
    item = {"pk": order_id, "sk": _timeline_sk(entry.sequence), **entry.model_dump(exclude=None if entry.moved else {"moved"})}
    if any(fact.type in _ENDS for fact in entry.facts):
        item["list"] = ended_list(entry.at, shard_of(order_id) % ENDED_SHARDS)
    return Write(table, encode(item), "attribute_not_exists(pk)")


def _timeline_sk(sequence: int) -> str:
    return f"timeline#{sequence:08d}"


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
