"""The journal by day: pk journal#<day>#<shard>, sk <order id>#<sequence>. An entry is put where its commit says, so again is the same.

state#books of an order says up to which sequence its commits are in the books.
"""

from __future__ import annotations

from oms.payments.journal import JournalEntry
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.lists import shard_of
from oms.storage.table import Cancelled, Write, query, write

SHARDS = 8
Place = tuple[int, str]
"""Where a day's reading is: the shard, and the sort key after which it goes on."""
BEGIN: Place = (0, "")


def put(entry: JournalEntry) -> None:
    """Keep one entry."""
    shard = shard_of(entry.order_id) % SHARDS
    key = {"pk": _day(entry.at[:10], shard), "sk": f"{entry.order_id}#{entry.sequence:08d}"}
    write([Write(environment().orders_table, encode({**key, **entry.model_dump()}))])


def note_booked(order_id: str, sequence: int) -> None:
    """Note that all commits up to a sequence are in the books; never backwards."""
    key = encode({"pk": order_id, "sk": "state#books"})
    condition = "attribute_not_exists(pk) OR booked < :booked"
    try:
        write([Write(environment().orders_table, key, condition, encode({":booked": sequence}), "SET booked = :booked")])
    except Cancelled:
        return


def entries_of(day: str, after: Place, limit: int) -> tuple[list[JournalEntry], Place | None]:
    """Up to `limit` entries of a day (UTC), and where to go on; None when that was all."""
    found: list[JournalEntry] = []
    shard, last = after
    while shard < SHARDS:
        values = {":pk": _day(day, shard), ":after": last or " "}
        rows = list(query(environment().orders_table, "pk = :pk AND sk > :after", values, Limit=limit - len(found)))
        found += [JournalEntry.model_validate(row) for row in rows]
        if len(found) == limit:
            return found, (shard, str(rows[-1]["sk"])) if rows else (shard, last)
        shard, last = shard + 1, ""
    return found, None


def _day(day: str, shard: int) -> str:
    return f"journal#{day}#{shard}"
