"""Checkout reservations: the record, what it holds, and when it is due, written together.

table      pk                     sk                        what
orders     res_...                state#reservation         the record; while it holds anything in the list due#<00-03>, by time
orders     res_...                timeline#<at>#<version>   one entry per commit: its facts
inventory  reserved#berlin#07     res_...                   what it holds at a place, per SKU (see effects)
inventory  sku#X                  due#<time>#res_...        the same by SKU, so that a sale that is short finds what is due of it
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zlib import crc32

from oms.clock import later, parse
from oms.errors import NotFound
from oms.inventory.counts import Movement
from oms.inventory.reservations import Reservation, ReservationRecord
from oms.orders.records import Entry
from oms.storage.codec import encode
from oms.storage.effects import movement, reservations, row_effect, summed
from oms.storage.environment import environment
from oms.storage.inventory import note, settle_debts
from oms.storage.lists import listed
from oms.storage.orders import Cause, StockShort, Taken
from oms.storage.table import Cancelled, Lost, Write, get, query, write

_STATE = "state#reservation"
_SHARDS = 4
_PAGE = 50
_KEPT_DAYS = 90
"""How long a reservation is kept once it has ended: longer than any Idempotency-Key that answers with it."""


def find(reservation_id: str, now: str) -> Reservation | None:
    """A reservation as it is at `now`, strongly consistent; None if there is none."""
    row = get(environment().orders_table, reservation_id, _STATE)
    if row is None:
        return None
    record = ReservationRecord.model_validate(row)
    return Reservation(record, before=record.model_copy(deep=True), now=now)


def load(reservation_id: str, now: str) -> Reservation:
    """The same; NotFound if there is none."""
    found = find(reservation_id, now)
    if found is None:
        raise NotFound(f"there is no reservation '{reservation_id}'")
    return found


def commit(reservation: Reservation, cause: Cause) -> None:
    """Write what changed, the stock it concerns and its entry, in one transaction. Nothing changed: nothing is written.

    Lost: another commit came first. StockShort: a stock condition failed. Taken: the Idempotency-Key was used meanwhile.
    """
    settled, arrived = settle_debts(summed(reservation.stock))
    stock, at, name = summed(settled), reservation.now, f"{reservation.id}#{reservation.record.v + 1}"
    writes = [row_effect(change, at) for change in stock]
    writes += beside(reservation, cause)
    writes += [
        movement(
            Movement(
                sku=change.sku,
                location_id=change.location_id,
                at=at,
                kind="shipped",
                delta=change.on_hand,
                cause=change.cause or name,
                actor=cause.actor,
            )
        )
        for change in stock
        if change.on_hand
    ]
    writes += [note(sku, at, name, cause.actor, [("stock.arrived", {"sku": sku})]) for sku in arrived]
    key = cause.key()
    if key:
        writes.append(Write(environment().orders_table, encode(key), "attribute_not_exists(pk)"))
    if not writes:
        return
    try:
        write(writes)
    except Cancelled as error:
        if key and len(writes) - 1 in error.refused:
            raise Taken(detail=str(key["pk"])) from error
        short = [stock[index] for index in error.refused if index < len(stock)]
        if short:
            raise StockShort(f"{short[0].sku} at {short[0].location_id} is gone") from error
        raise Lost(f"{reservation.id} changed meanwhile") from error
    reservation.record.v += 1
    reservation.before = reservation.record.model_copy(deep=True)
    reservation.facts, reservation.stock = [], []


def beside(reservation: Reservation, cause: Cause) -> list[Write]:
    """What a commit writes of a reservation beside stock rows: its record, what it holds, its due entries, its facts."""
    record, before, now = reservation.record, reservation.before, reservation.now
    if record == before:
        return []
    table = environment().orders_table
    forget = {"ttl": int(parse(later(now, days=_KEPT_DAYS)).timestamp())}
    ended = record.status != "open" and not record.held()
    fields = record.model_dump(exclude={"v"}, exclude_defaults=True)
    item = {"pk": record.id, "sk": _STATE, "v": record.v + 1, **fields, **(forget if ended else _listed(record))}
    seen = encode({":v": record.v}) if record.v else {}
    writes = [Write(table, encode(item), "v = :v" if record.v else "attribute_not_exists(pk)", seen)]
    writes += reservations(record.id, before.held() if before else {}, record.held(), now)
    writes += _due_entries(record.id, before.due() if before else set(), record.due())
    if reservation.facts:
        entry = Entry(sequence=record.v + 1, at=now, actor=cause.actor, cause=cause.cause, facts=reservation.facts)
        sk = f"timeline#{now}#{record.v + 1:08d}"
        writes.append(Write(table, encode({"pk": record.id, "sk": sk, **entry.model_dump(), **forget}), "attribute_not_exists(pk)"))
    return writes


def due(now: str) -> Iterator[str]:
    """Reservations whose time is over or that have ended and still hold something, oldest first in each part of the list."""
    for shard in range(_SHARDS):
        after = ""
        while page := listed(_list(shard), newest_first=False, limit=_PAGE, after=after, until=f"{now}#~"):
            after = page[-1]["at"]
            yield from (row["pk"] for row in page)


def due_of(sku: str, now: str) -> list[str]:
    """The same for what holds units of one SKU."""
    values = {":pk": f"sku#{sku}", ":from": "due#", ":to": f"due#{now}#~"}
    rows = query(environment().inventory_table, "pk = :pk AND sk BETWEEN :from AND :to", values)
    return [row["sk"].rpartition("#")[2] for row in rows]


def _listed(record: ReservationRecord) -> dict[str, Any]:
    return {"list": _list(crc32(record.id.encode()) % _SHARDS), "at": f"{record.expires_at}#{record.id}"}


def _list(shard: int) -> str:
    return f"due#{shard:02d}"


def _due_entries(owner: str, before: set[tuple[str, str]], after: set[tuple[str, str]]) -> list[Write]:
    table = environment().inventory_table

    def key(entry: tuple[str, str]) -> dict[str, Any]:
        return encode({"pk": f"sku#{entry[0]}", "sk": f"due#{entry[1]}#{owner}"})

    writes = [Write(table, key(entry), delete=True) for entry in sorted(before - after)]
    return writes + [Write(table, key(entry)) for entry in sorted(after - before)]
