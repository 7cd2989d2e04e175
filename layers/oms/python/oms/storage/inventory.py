"""Reading stock, and writing counts. Orders change stock inside their own transactions (see effects)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from oms.inventory.counts import COUNT, Movement
from oms.inventory.stock import Stock
from oms.orders.order import StockChange
from oms.orders.records import Entry
from oms.storage.codec import encode
from oms.storage.effects import OWNERS, movement, row_effect, row_key
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Lost, Write, get, query, write

_MOVEMENT = 1  # where write_count has the movement among its writes
_SUMS = ("on_hand", "reserved", "queued", "spare", "available")


def stock_of(skus: Iterable[str]) -> dict[str, list[Stock]]:
    """Every location's stock of each SKU, strongly consistent, all rows of hot items summed: one query per SKU and per row number."""
    return {sku: [_whole(row) for row in _rows(sku)] for sku in sorted(set(skus))}


def stock_to_sell(skus: Iterable[str]) -> dict[str, list[Stock]]:
    """The same as a sale reads it first: cheaper, possibly some milliseconds old, and of a hot item one row drawn at random (`sampled`).

    Good enough to sell from, because the sale's condition is the truth; before anybody is refused, `stock_of` is asked.
    """
    return {sku: [_sample(row) for row in _rows(sku, consistent=False)] for sku in sorted(set(skus))}


def stock_at(sku: str, location_id: str) -> Stock | None:
    """One SKU at one location, or None if it was never counted there."""
    row = get(environment().inventory_table, **row_key(sku, location_id))
    return _whole(_stock(row)) if row else None


def rows_of(stock: Stock) -> dict[int, Stock]:
    """The single rows of a hot item by number, as they are now."""
    table = environment().inventory_table
    found = {0: get(table, **row_key(stock.sku, stock.location_id))}
    found |= {number: get(table, **row_key(stock.sku, stock.location_id, number)) for number in range(1, stock.shards)}
    return {number: _stock(row) for number, row in found.items() if row}


def movements(
    sku: str, location_id: str, *, after: str = "", newest_first: bool = False, limit: int | None = None, before: str = "~"
) -> Iterator[Movement]:
    """Movements with a time from `after` (inclusive) to `before` (exclusive)."""
    prefix = f"moved#{location_id}#"
    more: dict[str, Any] = {"Limit": limit} if limit else {}
    values = {":pk": f"sku#{sku}", ":from": prefix + after, ":to": prefix + before}
    condition = "pk = :pk AND sk BETWEEN :from AND :to"
    for row in query(environment().inventory_table, condition, values, ScanIndexForward=not newest_first, **more):
        if row["sk"] == values[":to"]:
            continue
        at, cause = row["sk"].removeprefix(prefix).split("#", 1)
        known = {name: row[name] for name in Movement.model_fields if name in row}
        yield Movement(**{**known, "sku": sku, "location_id": location_id, "at": at, "cause": cause})


def holders(location_id: str, sku: str) -> dict[str, int]:
    """Who has units of a SKU reserved at a place: owner (order or reservation) to units. Reads all that is reserved there."""
    return {owner: units[sku] for owner, units in reserved_at(location_id) if units.get(sku)}


def reserved_at(location_id: str) -> Iterator[tuple[str, dict[str, int]]]:
    """Every owner's reserved units per SKU at a place."""
    for number in range(OWNERS):
        for row in query(environment().inventory_table, "pk = :pk", {":pk": f"reserved#{location_id}#{number:02d}"}):
            yield row["sk"], row["units"]


def settle_debts(changes: Sequence[StockChange]) -> tuple[list[StockChange], list[str]]:
    """Complete what concerns the waiting queue: debts given back without a place are taken from where they stand, and what becomes free
    at one place takes over the debts that stand at others, so that no new sale can have it first.

    Returns the changes and the SKUs for whose queue something has arrived. Reads nothing for changes that free nothing.
    """
    gains = {(c.sku, c.location_id): c.on_hand - c.reserve for c in changes if c.on_hand > c.reserve}
    nowhere = [c for c in changes if c.queue < 0 and not c.location_id]
    skus = {sku for sku, _ in gains} | {c.sku for c in nowhere}
    if not skus:
        return list(changes), []
    owed = {(sku, row.location_id): row.queued for sku in skus for row in _rows(sku) if row.queued}
    out = [c for c in changes if c not in nowhere]
    for change in out:
        if change.queue and (change.sku, change.location_id) in owed:
            owed[change.sku, change.location_id] += change.queue
    for change in nowhere:
        left = -change.queue
        for key in [key for key in owed if key[0] == change.sku]:
            part = min(left, owed[key])
            owed[key], left = owed[key] - part, left - part
            if part:
                out.append(StockChange(*key, queue=-part))
    arrived = {sku for sku, _ in gains if any(units for (other, _), units in owed.items() if other == sku)}
    for (sku, place), gain in gains.items():
        for key in [key for key in owed if key[0] == sku and key[1] != place]:
            part = min(gain, owed[key])
            if part > 0:
                owed[key], gain = owed[key] - part, gain - part
                owed[sku, place] = owed.get((sku, place), 0) + part
                out += [StockChange(*key, queue=-part), StockChange(sku, place, queue=part)]
    return out, sorted(arrived)


def write_count(
    stock: Stock,
    figures: dict[str, Any],
    move: Movement,
    *,
    key: dict[str, Any] | None = None,
    notes: Sequence[tuple[str, dict[str, Any]]] = (),
) -> bool:
    """Set on_hand (to stock.on_hand + move.delta) and, for a count, the other counted figures, with the movement that explains it.

    Safe while selling: sales do not disturb it, only another movement does (Lost). False if this very movement was written before.
    `key` is an idempotency record that must not exist yet; `notes` are facts for stockkeeper.
    """
    safety = int(figures.get("safety_stock", stock.safety_stock))
    gain = move.delta - (safety - stock.safety_stock)
    shift, arrived = settle_debts([StockChange(stock.sku, stock.location_id, on_hand=gain)])
    own = sum(change.queue for change in shift if change.location_id == stock.location_id)
    writes = [_counted(stock, figures, move, gain, own), movement(move)]
    writes += [row_effect(change, move.at) for change in shift if change.location_id != stock.location_id]
    facts = [*notes, *[("stock.arrived", {"sku": sku, "location_id": stock.location_id}) for sku in arrived]]
    if not arrived and figures.get("futures", stock.futures) != stock.futures:
        facts.append(("stock.expected", {"sku": stock.sku, "location_id": stock.location_id}))
    writes += [note(stock.sku, move.at, move.cause, move.actor, facts)] if facts else []
    writes += [Write(environment().orders_table, encode(key), "attribute_not_exists(pk)")] if key else []
    try:
        write(writes)
    except Cancelled as error:
        if _MOVEMENT in error.refused:
            return False
        raise Lost(f"stock of {stock.sku} at {stock.location_id} changed meanwhile") from error
    return True


def note(sku: str, at: str, cause: str, actor: str, facts: Sequence[tuple[str, dict[str, Any]]]) -> Write:
    """Facts about a SKU for relay to act on; kept for a day."""
    entry = Entry.model_validate(
        {"sequence": 1, "at": at, "actor": actor, "cause": cause, "facts": [{"type": t, "data": d} for t, d in facts]}
    )
    item = {"pk": f"sku_{sku}", "sk": f"timeline#{at}#{cause}", **entry.model_dump()}
    return Write(environment().orders_table, encode(item))


def _counted(stock: Stock, figures: dict[str, Any], move: Movement, gain: int, debt: int) -> Write:
    """Row 0: absolute figures set, on_hand and what follows from it moved by the difference."""
    names = {name: figures[name] for name in ("safety_stock", "futures", "target") if figures.get(name) is not None}
    if move.kind == COUNT:
        names["effective_at"] = move.at
    sets = ", ".join(f"{name} = :{name}" for name in names)
    values: dict[str, Any] = {f":{name}": value for name, value in names.items()}
    values |= {":d": move.delta, ":f": gain, ":a": gain - debt, ":q": debt, ":one": 1}
    expression = (f"SET {sets} " if sets else "") + "ADD on_hand :d, spare :f, available :a, queued :q, moves :one, v :one"
    condition = "moves = :seen" if stock.moves else "attribute_not_exists(moves)"
    if stock.moves:
        values[":seen"] = stock.moves
    key = encode(row_key(stock.sku, stock.location_id))
    return Write(environment().inventory_table, key, condition, encode(values), expression)


def _rows(sku: str, *, consistent: bool = True, shard: int = 0) -> list[Stock]:
    values = {":pk": row_key(sku, "", shard)["pk"], ":prefix": "stock#"}
    condition = "pk = :pk AND begins_with(sk, :prefix)"
    return [_stock(row) for row in query(environment().inventory_table, condition, values, ConsistentRead=consistent)]


def _whole(row: Stock) -> Stock:
    if row.shards == 1:
        return row
    rows = rows_of(row)
    sums = {name: sum(getattr(each, name) for each in rows.values()) for name in _SUMS}
    return row.model_copy(update={**sums, "parts": {number: each.available for number, each in rows.items()}})


def _sample(row: Stock) -> Stock:
    """Row 0, or another one in its place: what a sale sees of a hot item at first."""
    drawn = random.randrange(row.shards)
    if row.shards == 1:
        return row
    if drawn:
        found = get(environment().inventory_table, **row_key(row.sku, row.location_id, drawn), consistent=False)
        row = row.model_copy(update={"available": _stock(found).available if found else 0})
    return row.model_copy(update={"parts": {drawn: row.available}, "sampled": True})


def _stock(row: dict[str, Any]) -> Stock:
    sku = row["pk"].split("#")[1]
    stock = Stock(sku=sku, location_id=row["sk"].removeprefix("stock#"), **_known(row))
    return stock.model_copy(update={"parts": {0: stock.available}})


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in Stock.model_fields if name in row}
