"""The timeline of an order: one entry per commit, with its facts. It is also the relay's work order.

pk            sk                         what
ord_...       timeline#00000001          a commit; listed by the hour if it ended the order
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from oms.orders.order import Order
from oms.orders.records import Entry, Record
from oms.payments import positions
from oms.payments.records import CreditMemo, Invoice, Payment
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.lists import ENDED_SHARDS, ended_list, shard_of
from oms.storage.order_items import COLLECTIONS, kept_of, read, records
from oms.storage.table import Write, query

_ENDS = ("order.completed", "order.cancelled", "order.declined")


def timeline(order_id: str, after: int = 0, limit: int | None = None, *, consistent: bool = True) -> Iterator[Entry]:
    """Entries whose facts come after sequence `after`, oldest first. Without `consistent` the newest may be missing, at half the price."""
    more: dict[str, Any] = {"ConsistentRead": consistent, **({"Limit": limit} if limit else {})}
    values = {":pk": order_id, ":from": _timeline_sk(after + 1), ":to": "timeline#~"}
    for row in query(environment().orders_table, "pk = :pk AND sk BETWEEN :from AND :to", values, **more):
        yield Entry.model_validate(row)


def entry_write(table: str, order_id: str, entry: Entry) -> Write:
    """The write of a commit's entry."""
    item = {"pk": order_id, "sk": _timeline_sk(entry.sequence), **entry.model_dump(exclude=None if entry.moved else {"moved"})}
    if any(fact.type in _ENDS for fact in entry.facts):
        item["list"] = ended_list(entry.at, shard_of(order_id) % ENDED_SHARDS)
    return Write(table, encode(item), "attribute_not_exists(pk)")


def _timeline_sk(sequence: int) -> str:
    return f"timeline#{sequence:08d}"


def money_moved(order: Order) -> dict[str, dict[str, int]]:
    """By how much this commit changes what tenders have paid and invoices have open: what the journal will say of it."""
    kinds: dict[str, type[Record]] = {"state#payment#": Payment, "doc#invoice#": Invoice, "doc#memo#": CreditMemo}
    if all(kept_of(order, record) == order.loaded.get(sk) for sk, record in records(order) if sk.startswith(tuple(kinds))):
        return {}
    before: dict[str, Any] = {COLLECTIONS[prefix][0]: dict(_before(order, prefix, kind)) for prefix, kind in kinds.items()}
    return positions.moved(positions.position(replace(order, **before)), positions.position(order))


def _before(order: Order, prefix: str, kind: type[Record]) -> Iterator[tuple[str, Record]]:
    """Records of one collection as they are stored."""
    for sk, row in order.loaded.items():
        if sk.startswith(prefix):
            key = sk.removeprefix(prefix)
            yield key, read(key, row, kind)
