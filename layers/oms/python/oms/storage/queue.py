"""The queue of a SKU as it is stored (its entries are written by the orders' own commits, see effects), and who goes over it.

pk          sk                                   what
sku#X       queue#5#<placed_at>#<order>#<line>   a place in the queue: the lower the class, then the earlier, the further in front
workers     X                                    the one worker of the SKU's queue, until when, and how often there was news
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from oms.clock import later, stamp
from oms.inventory.stock import Stock
from oms.orders.order import StockChange
from oms.orders.records import Waiting
from oms.storage.codec import encode
from oms.storage.effects import row_effect
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Write, get, query, write

LEASE_SECONDS = 30
"""A worker that does not renew its lease for so long is gone."""
_WORKERS = "workers"


@dataclass(frozen=True)
class InLine:
    """One place in the queue. `at` is where it stands; a list goes on after it."""

    sku: str
    at: str
    class_: int
    placed_at: str
    order_id: str
    line_id: str
    waiting: Waiting


@dataclass(frozen=True)
class Lease:
    """The right to go over a SKU's queue. `news` is the count of news that the holder knows of."""

    sku: str
    worker: str
    expires: str
    news: int


def in_line(sku: str, *, after: str = "", limit: int | None = None) -> Iterator[InLine]:
    """The queue of a SKU from its head, or from behind `after`."""
    values = {":pk": f"sku#{sku}", ":from": f"queue#{after}", ":to": "queue#~"}
    # What comes right behind `after` in sort order; the entry itself may be gone.
    values[":from"] += "\x01" if after else ""
    more = {"Limit": limit} if limit else {}
    for row in query(environment().inventory_table, "pk = :pk AND sk BETWEEN :from AND :to", values, **more):
        at = row["sk"].removeprefix("queue#")
        class_, placed_at, order_id, line_id = at.split("#")
        yield InLine(sku, at, int(class_), placed_at, order_id, line_id, Waiting.model_validate(row))


def begin(sku: str) -> Lease | None:
    """Say that there is news for the queue of a SKU, and take it on. None if a worker has it, who goes over it once more because of us."""
    _update(sku, "ADD news :one", values={":one": 1})
    while True:
        known = get(environment().inventory_table, _WORKERS, sku)
        if known is None or str(known.get("expires", "")) > stamp():
            return None  # its worker has gone over it since, or will
        lease = Lease(sku, os.urandom(8).hex(), _expiry(), known["news"])
        values = {":worker": lease.worker, ":expires": lease.expires, ":seen": lease.news, ":now": stamp()}
        if _update(
            sku,
            "SET worker = :worker, expires = :expires",
            "news = :seen AND (attribute_not_exists(expires) OR expires <= :now)",
            values,
        ):
            return lease


def keep(lease: Lease) -> Lease | None:
    """The same lease, good for longer; None if somebody has taken it over."""
    expires = _expiry()
    held = _update(lease.sku, "SET expires = :expires", "worker = :mine", {":expires": expires, ":mine": lease.worker})
    return replace(lease, expires=expires) if held else None


def finish(lease: Lease) -> Lease | None:
    """Give the queue up, unless there was news meanwhile: then the lease with which to go over it again."""
    table = environment().inventory_table
    while True:
        key = encode({"pk": _WORKERS, "sk": lease.sku})
        try:
            values = encode({":mine": lease.worker, ":seen": lease.news})
            write([Write(table, key, "worker = :mine AND news = :seen", values, delete=True)])
        except Cancelled:
            known = get(table, _WORKERS, lease.sku)
            if known is None or known.get("worker") != lease.worker:
                return None
            if known["news"] != lease.news:
                return replace(lease, news=known["news"])
            continue
        return None


def abandoned(now: str) -> list[str]:
    """SKUs whose worker died over the queue, or never began."""
    rows = query(environment().inventory_table, "pk = :pk", {":pk": _WORKERS})
    return [row["sk"] for row in rows if str(row.get("expires", "")) <= now]


def let_go(lease: Lease) -> None:
    """Stop in the middle: whoever hears of the SKU next, or the next sweep, takes the queue over at once."""
    _update(lease.sku, "SET expires = :now", "worker = :mine", {":now": stamp(), ":mine": lease.worker})


def move_debt(row: Stock, to_place: str, units: int) -> bool:
    """Let units that are owed at `row` stand at another place. False if that row is not what it was when it was read."""
    at = stamp()
    leaves, comes = (row_effect(StockChange(row.sku, place, queue=n), at) for place, n in ((row.location_id, -units), (to_place, units)))
    unchanged = replace(leaves, condition=f"{leaves.condition} AND v = :v", values={**leaves.values, **encode({":v": row.v})})
    try:
        write([unchanged, comes])
    except Cancelled:
        return False
    return True


def _expiry() -> str:
    return later(stamp(), seconds=LEASE_SECONDS)


def _update(sku: str, expression: str, condition: str = "", values: dict[str, object] | None = None) -> bool:
    key = encode({"pk": _WORKERS, "sk": sku})
    try:
        write([Write(environment().inventory_table, key, condition, encode(values or {}), expression)])
    except Cancelled:
        return False
    return True
