"""Reading stock, and writing counts. Orders change stock inside their own transactions (see effects)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from oms.inventory.counts import COUNT, Movement
from oms.inventory.stock import Stock
from oms.orders.order import StockChange
from oms.orders.records import Entry
from oms.storage.codec import encode
from oms.storage.effects import OWNERS, movement, row_effect, row_key
from oms.storage.environment import environment
from oms.storage.shards import first_row, gather, peek, read_rows, stock_row, whole
from oms.storage.table import Cancelled, Lost, Write, get_many, query, write

_NOTES_KEPT = 30 * 24 * 3600  # seconds: longer than a parked one can be replayed
_MOVEMENT = 1  # where write_count has the movement among its writes
Place = tuple[str, str]
"""SKU and location."""


def stock_of(skus: Iterable[str], *, certain: bool = True, consistent: bool = True) -> dict[str, list[Stock]]:
    """Every location's stock of each SKU, strongly consistent, the rows of hot items summed: one query per SKU, and for each hot item
    its other rows in one call and row 0 again.

    Nobody is refused wrongly for these figures: Lost if a hot item changed so often that they are not `certain`. Without `consistent`
    they may be old by a moment, at half the price.
    """
    found = {sku: [whole(row) for row in _rows(sku, consistent=consistent)] for sku in sorted(set(skus))}
    unsure = [f"{row.sku} at {row.location_id}" for rows in found.values() for row in rows if row.sampled]
    if certain and unsure:
        raise Lost(f"{', '.join(unsure)}: the stock changes while it is read; try again")
    return found


def stock_to_sell(wanted: Mapping[str, int], *, consistent: bool = False) -> dict[str, list[Stock]]:
    """The same as a sale of so many units reads it first: cheaper, possibly some milliseconds old, and of a hot item only as many rows,
    drawn at random, as have what is wanted (`sampled`).

    Good enough to sell from, because the sale's condition is the truth; before anybody is refused, `stock_of` is asked.
    """
    return {
        sku: [peek(row, units, consistent=consistent) for row in _rows(sku, consistent=consistent)] for sku, units in sorted(wanted.items())
    }


def stock_at_places(skus: Iterable[str], places: Sequence[str]) -> dict[str, list[Stock]]:
    """Stock of many SKUs at a few places, strongly consistent: a hundred rows to a call, where `stock_of` asks for each SKU by itself."""
    wanted = sorted(set(skus))
    out: dict[str, list[Stock]] = {sku: [] for sku in wanted}
    keys = [row_key(sku, place) for sku in wanted for place in places]
    for row in get_many(environment().inventory_table, keys):
        stock = whole(stock_row(row))
        out[stock.sku].append(stock)
    return {sku: sorted(rows, key=lambda row: row.location_id) for sku, rows in out.items()}


def stock_at(sku: str, location_id: str) -> Stock | None:
    """One SKU at one location, or None if it was never counted there."""
    row = first_row(sku, location_id)
    return whole(row) if row else None


def rows_of(stock: Stock) -> dict[int, Stock]:
    """The single rows of a hot item by number, as they are now."""
    return read_rows(stock, range(stock.width))


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
    out: dict[str, int] = {}
    for owner, units in reserved_at(location_id):
        if units.get(sku):
            out[owner] = out.get(owner, 0) + units[sku]
    return out


def reserved_at(location_id: str) -> Iterator[tuple[str, dict[str, int]]]:
    """Every owner's reserved units per SKU at a place; a large order's come in several parts."""
    for number in range(OWNERS):
        for row in query(environment().inventory_table, "pk = :pk", {":pk": f"reserved#{location_id}#{number:02d}"}):
            yield row["sk"].partition("#")[0], row["units"]


def settle_debts(changes: Sequence[StockChange], opened: tuple[str, str] | None = None) -> tuple[list[StockChange], list[str]]:
    """Complete what concerns the waiting queue: debts given back without a place are taken from where they stand, and what becomes free
    at one place takes over the debts that stand at others, so that no new sale can have it first.

    `opened`: the row that a count opens for sale again. Returns the changes and the SKUs for whose queue something has arrived. Reads
    nothing for changes that free nothing.
    """
    gains = {(c.sku, c.location_id): c.on_hand - c.reserve for c in changes if c.on_hand > c.reserve and not c.block}
    nowhere = [c for c in changes if c.queue < 0 and not c.location_id]
    skus = {sku for sku, _ in gains} | {c.sku for c in nowhere}
    if not skus:
        return list(changes), []
    rows = [row for sku in skus for row in _rows(sku)]
    # What becomes free where nothing is sold at present is nobody's until the next count.
    blocked = {(row.sku, row.location_id) for row in rows if row.blocked} - {opened}
    gains = {key: gain for key, gain in gains.items() if key not in blocked}
    out = [c for c in changes if c not in nowhere]
    owed, unpaid = _debts(rows, out, blocked)
    for change in nowhere:
        out += _given_back(change, owed, unpaid, blocked)
    arrived = {sku for sku, _ in gains if any(units for (other, _), units in owed.items() if other == sku)}
    for (sku, place), gain in gains.items():
        left = gain
        for key in [key for key in unpaid if key[0] == sku and key[1] != place]:
            part = min(left, unpaid[key])
            if part > 0:
                unpaid[key], left = unpaid[key] - part, left - part
                out += [StockChange(*key, queue=-part, keep=key not in blocked), StockChange(sku, place, queue=part)]
    return out, sorted(arrived)


def _debts(rows: Sequence[Stock], changes: Sequence[StockChange], blocked: set[Place]) -> tuple[dict[Place, int], dict[Place, int]]:
    """What is owed at each place after these changes, and how much of that nothing has arrived for there."""
    owed = {(row.sku, row.location_id): row.queued for row in rows if row.queued}
    available = {(row.sku, row.location_id): row.available for row in rows}
    for change in changes:
        key = (change.sku, change.location_id)
        if key in owed and not change.shard:
            owed[key] += change.queue
            available[key] += change.on_hand - change.reserve - change.queue
    return owed, {key: units if key in blocked else min(units, max(0, -available[key])) for key, units in owed.items()}


def _given_back(change: StockChange, owed: dict[Place, int], unpaid: dict[Place, int], blocked: set[Place]) -> list[StockChange]:
    """Take debts from where they stand: first those that nothing has arrived for, so that goods which are about to be granted stay owed
    as long as anybody waits. What is taken is taken off `owed` and `unpaid`."""
    left, out = -change.queue, []
    keys = [key for key in owed if key[0] == change.sku]
    for key in keys:
        part = min(left, unpaid[key])
        owed[key], unpaid[key], left = owed[key] - part, unpaid[key] - part, left - part
        out.append(StockChange(*key, queue=-part, keep=key not in blocked))
    for key in keys:
        part = min(left, owed[key]) if left else 0
        owed[key], left = owed[key] - part, left - part
        if part:
            # There is more than all who wait need: this place may sell what it has.
            out = [each for each in out if (each.sku, each.location_id) != key] + [
                StockChange(*key, queue=-part + sum(each.queue for each in out if (each.sku, each.location_id) == key))
            ]
    return [each for each in out if each.queue]


def write_count(
    stock: Stock,
    figures: dict[str, Any],
    move: Movement,
    *,
    key: dict[str, Any] | None = None,
    notes: Sequence[tuple[str, dict[str, Any]]] = (),
    exact: bool = False,
) -> bool:
    """Set on_hand (to stock.on_hand + move.delta) and, for a count, the other counted figures, with the movement that explains it.

    Safe while selling: sales do not disturb it, unless it is to be `exact`, only another movement does (Lost). False if this very movement
    was written before. `key` is an idempotency record that must not exist yet; `notes` are facts for stockkeeper.
    """
    safety = int(figures.get("safety_stock", stock.safety_stock))
    gain = move.delta - (safety - stock.safety_stock)
    opens = opens_again(stock, move)
    came = gain + max(0, stock.spare) if opens else gain
    shift, arrived = settle_debts(
        [StockChange(stock.sku, stock.location_id, on_hand=came)], (stock.sku, stock.location_id) if opens else None
    )
    own = sum(change.queue for change in shift if change.location_id == stock.location_id)
    writes = [_counted(stock, figures, move, gain, own), movement(move)]
    if gain < 0 or stock.width > 1:
        rule, values = gather(stock, -gain)
        writes[0] = replace(writes[0], condition=f"{writes[0].condition} AND {rule}", values=writes[0].values | encode(values))
    if exact:
        condition, seen = f"{writes[0].condition} AND v = :exact", encode({":exact": stock.v})
        writes[0] = replace(writes[0], condition=condition, values=writes[0].values | seen)
    writes += [row_effect(change, move.at) for change in shift if change.location_id != stock.location_id]
    facts = [*notes, *[("stock.arrived", {"sku": sku, "location_id": stock.location_id}) for sku in arrived]]
    if not arrived and figures.get("futures", stock.futures) != stock.futures:
        facts.append(("stock.expected", {"sku": stock.sku, "location_id": stock.location_id}))
    if gain > 0 and stock.width > 1:
        facts.append(("shards.uneven", {"sku": stock.sku, "location_id": stock.location_id}))
    writes += [note(stock.sku, move.at, move.cause, move.actor, facts)] if facts else []
    writes += [Write(environment().orders_table, encode(key), "attribute_not_exists(pk)")] if key else []
    try:
        write(writes)
    except Cancelled as error:
        if _MOVEMENT in error.refused:
            return False
        raise Lost(f"stock of {stock.sku} at {stock.location_id} changed meanwhile") from error
    return True


def opens_again(stock: Stock, move: Movement) -> bool:
    """Whether a movement opens a row again from which nothing is sold: a count that is newer than the reason for that."""
    return bool(stock.blocked) and move.kind == COUNT and move.at > stock.blocked_at


def write_off(stock: Stock, rows: dict[int, Stock], move: Movement) -> None:
    """Take everything that is not reserved off the shelf and open it for sale again, in one transaction. `rows`: all rows of the place,
    which change meanwhile: Lost."""
    writes = [movement(move)] if move.delta else []
    # Goods are written off on row 0, as they are counted there; no other row of a hot item may have anything left to sell.
    others = {number: row.spare for number, row in rows.items() if number and move.delta}
    values = {":gone": move.delta, ":free": move.delta + sum(others.values()), ":one": 1, ":v": rows[0].v, ":why": stock.blocked}
    expression = "REMOVE blocked, blocked_at ADD on_hand :gone, spare :free, available :free, moves :one, v :one"
    key = encode(row_key(stock.sku, stock.location_id))
    writes.append(Write(environment().inventory_table, key, "v = :v AND blocked = :why", encode(values), expression))
    for number, units in sorted(others.items()):
        if units:
            values = {":free": -units, ":one": 1, ":v": rows[number].v}
            key = encode(row_key(stock.sku, stock.location_id, number))
            writes.append(Write(environment().inventory_table, key, "v = :v", encode(values), "ADD spare :free, available :free, v :one"))
    try:
        write(writes)
    except Cancelled as error:
        raise Lost(f"stock of {stock.sku} at {stock.location_id} changed meanwhile") from error


def note(sku: str, at: str, cause: str, actor: str, facts: Sequence[tuple[str, dict[str, Any]]]) -> Write:
    """Facts about a SKU for stockkeeper to publish and act on."""
    return record_note(f"sku_{sku}", at, cause, actor, facts)


def record_note(record_id: str, at: str, cause: str, actor: str, facts: Sequence[tuple[str, dict[str, Any]]]) -> Write:
    """Facts about a record that is no order, such as a SKU or a location, for stockkeeper to publish and act on."""
    entry = Entry.model_validate(
        {"sequence": 1, "at": at, "actor": actor, "cause": cause, "facts": [{"type": t, "data": d} for t, d in facts]}
    )
    item = {"pk": record_id, "sk": f"timeline#{at}#{cause}", "ttl": int(time.time()) + _NOTES_KEPT, **entry.model_dump()}
    return Write(environment().orders_table, encode(item))


def _counted(stock: Stock, figures: dict[str, Any], move: Movement, gain: int, debt: int) -> Write:
    """Row 0: absolute figures set, on_hand and what follows from it moved by the difference."""
    names = {name: figures[name] for name in ("safety_stock", "futures", "target") if figures.get(name) is not None}
    names["place"] = stock.location_id  # always the same: who is born with it is in the index of its place
    if move.kind == COUNT:
        names["effective_at"] = move.at
    sets = ", ".join(f"{name} = :{name}" for name in names)
    values: dict[str, Any] = {f":{name}": value for name, value in names.items()}
    values |= {":d": move.delta, ":f": gain, ":a": gain - debt, ":q": debt, ":one": 1}
    expression = (f"SET {sets} " if sets else "") + "ADD on_hand :d, spare :f, available :a, queued :q, moves :one, v :one"
    condition = "moves = :seen" if stock.moves else "attribute_not_exists(moves)"
    if stock.moves:
        values[":seen"] = stock.moves
    if opens_again(stock, move):
        expression = f"REMOVE blocked, blocked_at {expression}"
        condition, values[":why"] = f"{condition} AND blocked = :why", stock.blocked
    key = encode(row_key(stock.sku, stock.location_id))
    return Write(environment().inventory_table, key, condition, encode(values), expression)


def _rows(sku: str, *, consistent: bool = True) -> list[Stock]:
    values = {":pk": row_key(sku, "")["pk"], ":prefix": "stock#"}
    condition = "pk = :pk AND begins_with(sk, :prefix)"
    return [stock_row(row) for row in query(environment().inventory_table, condition, values, ConsistentRead=consistent)]
