"""The records of an order as items of its collection: which there are, which of them changed, and the lists that they stand in.

pk            sk                         what
ord_...       customer                   personal data (outside the range that steps read)
ord_...       doc#order, doc#invoice#..  documents, written once
ord_...       state#summary, state#...   everything that changes
ord_...       doc#lines#000, state#lines#000   lines of a large order, a hundred to an item (see chunks)
ord_...       alarm                      listed while the clock has to look at the order at a certain time: a hold expires
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oms.fulfillment.records import Explanation, FulfillmentOrder, Shipment
from oms.orders.order import Order
from oms.orders.records import LineChunk, Placed, Record, Summary
from oms.payments.records import Change, CreditMemo, Invoice, Payment
from oms.returns.records import Return
from oms.returns.states import OVER
from oms.service.records import ProcessException, Wait
from oms.storage.chunks import kept
from oms.storage.codec import encode
from oms.storage.lists import ALARM_SHARDS, SHARDS, alarm_list, shard_of, status_list
from oms.storage.table import Write

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


def records(order: Order) -> Iterator[tuple[str, Record]]:
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


def changed(order: Order) -> list[tuple[str, Record]]:
    """Records that differ from what is stored. The summary's version guards all of the order: whoever writes chunks of lines writes it."""
    found = [(sk, record) for sk, record in records(order) if kept_of(order, record) != order.loaded.get(sk)]
    if order.chunks and found and not any(record is order.summary for _, record in found):
        found.append(("state#summary", order.summary))
    return found


def remember(order: Order) -> None:
    """The order in memory is as stored: what differs from now on is what the next commit writes."""
    order.loaded = {sk: kept_of(order, record) for sk, record in records(order)}
    remember_effects(order)


def remember_effects(order: Order) -> None:
    """The same of what it holds, waits for and has booked elsewhere."""
    order.held_before, order.waiting_before, order.booked_before = order.held(as_stored=True), order.waiting(), order.booked()
    order.alarm_before = order.alarm


def kept_of(order: Order, record: Record) -> dict[str, Any]:
    """What is stored of a record of this order: nothing that its key or another record says (see `complete`), so that what happens to
    one record is no write of another. The lines of a large order are stored apart."""
    if isinstance(record, LineChunk):
        return kept(record)
    if record is order.summary or record is order.placed:
        return fields(record, {"v", "lines"}) if order.placed.chunks else fields(record)
    if isinstance(record, Shipment):
        return fields(record, {"v", "id", "invoice_id"})
    found = fields(record, {"v", "id"})
    if isinstance(record, FulfillmentOrder) and record.status == "delivered":
        found["status"] = "shipped"
    return found


def read(key: str, row: dict[str, Any], kind: type[Record]) -> Record:
    """A record of one of the collections, as stored under this key."""
    return kind.model_validate({"id": key, **row})


def complete(order: Order) -> None:
    """Say of each record what is stored with another: which invoice a parcel has, and that work is delivered when its parcels are."""
    for invoice in order.invoices.values():
        if invoice.shipment_id in order.shipments:
            order.shipments[invoice.shipment_id].invoice_id = invoice.id
    under_way = {parcel.fulfillment_order_id for parcel in order.shipments.values() if not parcel.ended}
    for fo in order.fulfillment_orders.values():
        if fo.status == "shipped" and fo.id not in under_way:
            fo.status = "delivered"


def fields(record: Record, without: set[str] | None = None) -> dict[str, Any]:
    """What is stored of a record: all that differs from its defaults (what callers put into metadata stays as it is)."""
    return record.model_dump(exclude=without or {"v"}, exclude_defaults=True)


def put(table: str, order: Order, sk: str, record: Record) -> Write:
    """The write of one record, on condition that it is stored as it was read (or not at all)."""
    item = {"pk": order.id, "sk": sk, "v": record.v + 1, **kept_of(order, record), **_index(order, record)}
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


def alarm_write(table: str, order: Order) -> list[Write]:
    """Where the order stands in the list of alarms. It is put without a place there when there is nothing left to wait for; the summary,
    which says when that is, is written in the same transaction."""
    if order.alarm == order.alarm_before:
        return []
    place = {"list": alarm_list(shard_of(order.id) % ALARM_SHARDS), "at": f"{order.alarm}#{order.id}"} if order.alarm else {}
    return [Write(table, encode({"pk": order.id, "sk": "alarm", **place}))]
