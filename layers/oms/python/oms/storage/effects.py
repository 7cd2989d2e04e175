"""What a commit does to stock, as writes of its transaction: rows, movements, reservations, the waiting queue.

pk                        sk                                   what
sku#X                     stock#berlin                         figures of one SKU at one place
sku#X#3                   stock#berlin                         row 3 of a hot item: the figures of the place are the sum of its rows
sku#X                     moved#berlin#<at>#<cause>            one change of on_hand
sku#X                     queue#5#<placed_at>#<order>#<line>   units that wait, first come first served within their class
reserved#berlin#07        ord_..., res_...                     what one owner has reserved at a place, per SKU
reserved#berlin#07        ord_...#003                          the same for one chunk of a large order's lines
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

from oms.inventory.counts import Movement
from oms.orders.order import StockChange
from oms.orders.records import Waiting
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Write

OWNERS = 16
"""Partitions of a location's reservations."""
Held = Mapping[str, Mapping[str, int]]
"""Reserved units per location (of a large order: location#chunk) and SKU."""


def row_key(sku: str, location_id: str, shard: int = 0) -> dict[str, Any]:
    """Key of a stock row."""
    return {"pk": f"sku#{sku}" + (f"#{shard}" if shard else ""), "sk": f"stock#{location_id}"}


def reserved_pk(location_id: str, owner: str) -> str:
    """Partition of what an owner has reserved at a place."""
    return f"reserved#{location_id}#{crc32(owner.encode()) % OWNERS:02d}"


def row_effect(change: StockChange, at: str) -> Write:
    """The change of one row under its condition: a sale needs it available, a grant spare and owed, what goes back reserved. Nothing is
    sold from a row that waits to be counted again.

    What moves goods must come after the last count: with an older time its movement would count as seen by that count.
    """
    free = change.on_hand - change.reserve
    values: dict[str, Any] = {
        ":r": change.reserve,
        ":h": change.on_hand,
        ":q": change.queue,
        ":f": free,
        ":a": free - change.queue,
        ":one": 1,
    }
    rules = []
    if change.reserve > 0:
        rules.append("spare >= :r" if change.queue < 0 else "available >= :r")
        rules.append("attribute_not_exists(blocked)")
    if change.queue < 0:
        rules.append("queued >= :owed")
        values[":owed"] = -change.queue
    if change.keep:
        rules.append("available <= :most")
        values[":most"] = change.queue - free
    if change.reserve < 0:
        # Rows of a hot item are right in sum only: there, what goes back always goes to row 0.
        rules.append("((reserved >= :back AND on_hand >= :out) OR width > :one)")
        values |= {":back": -change.reserve, ":out": max(0, -change.on_hand)}
    elif change.on_hand < 0:
        rules.append("(on_hand >= :out OR width > :one)")
        values[":out"] = -change.on_hand
    expression = "ADD reserved :r, on_hand :h, queued :q, spare :f, available :a, v :one"
    sets = []
    if (change.queue > 0 or change.on_hand > 0) and not change.shard:
        # This may be the birth of the row: `place` puts it into the index of its place, and is never changed.
        sets, values[":place"] = ["place = :place"], change.location_id
    if change.block:
        sets += ["blocked = :block", "blocked_at = :since"]
        values |= {":block": change.block, ":since": at}
    if sets:
        expression = f"SET {', '.join(sets)} {expression}"
    if change.on_hand:
        rules.append("(attribute_not_exists(effective_at) OR effective_at < :at)")
        values[":at"] = at
        expression += ", moves :one"
    key = encode(row_key(change.sku, change.location_id, change.shard))
    return Write(environment().inventory_table, key, " AND ".join(rules), encode(values), expression)


def movement(move: Movement) -> Write:
    """A movement; its key is its cause, so it is written once."""
    item = {
        "pk": f"sku#{move.sku}",
        "sk": f"moved#{move.location_id}#{move.at}#{move.cause}",
        **move.model_dump(exclude={"sku", "location_id", "at"}, exclude_none=True),
    }
    return Write(environment().inventory_table, encode(item), "attribute_not_exists(pk)")


def reservations(owner: str, before: Held, after: Held, at: str) -> list[Write]:
    """What the owner holds at each place where that has changed."""
    writes = []
    for at_place in sorted({*before, *after}):
        units = after.get(at_place, {})
        if units != before.get(at_place, {}):
            place, _, chunk = at_place.partition("#")
            key = {"pk": reserved_pk(place, owner), "sk": f"{owner}#{chunk}" if chunk else owner}
            table = environment().inventory_table
            writes.append(
                Write(table, encode({**key, "units": dict(units), "at": at})) if units else Write(table, encode(key), delete=True)
            )
    return writes


def queue_entries(skus: Mapping[str, str], before: Mapping[str, Waiting], after: Mapping[str, Waiting], place_in_line: str) -> list[Write]:
    """Entries of lines whose wait has changed. `place_in_line` is class#placed_at#order: it stays when units are granted."""
    writes = []
    for line_id in sorted({*before, *after}):
        entry = after.get(line_id)
        if entry != before.get(line_id):
            key = {"pk": f"sku#{skus[line_id]}", "sk": f"queue#{place_in_line}#{line_id}"}
            table = environment().inventory_table
            item = {**key, **entry.model_dump(exclude_defaults=True)} if entry else key
            writes.append(Write(table, encode(item), delete=entry is None))
    return writes


def summed(changes: Iterable[StockChange]) -> list[StockChange]:
    """One change per SKU, place and shard, in sorted order: demand is summed before it is taken."""
    sums: dict[tuple[str, str, int], StockChange] = {}
    for change in changes:
        key = (change.sku, change.location_id, change.shard)
        so_far = sums.get(key, StockChange(change.sku, change.location_id, shard=change.shard))
        sums[key] = StockChange(
            change.sku,
            change.location_id,
            reserve=so_far.reserve + change.reserve,
            on_hand=so_far.on_hand + change.on_hand,
            queue=so_far.queue + change.queue,
            shard=change.shard,
            cause=so_far.cause or change.cause,
            block=so_far.block or change.block,
            keep=so_far.keep or change.keep,
        )
    return [change for _, change in sorted(sums.items()) if change.reserve or change.on_hand or change.queue or change.block]
