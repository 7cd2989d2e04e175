"""The rows of a hot item: reading them, and moving units between them while they are sold from.

pk          sk             what
sku#X       stock#berlin   row 0; `shards`: the rows that new sales share; `width`: the rows there are, more while they become fewer
sku#X#3     stock#berlin   row 3: what it may still sell (`available`, `spare`), what it has sold (`reserved`)
shards      X#berlin       there are several rows here: for the sweep

Three rules make every reader and writer exact, whatever else happens at the same time:
1. Counts, arrivals and releases are written to row 0, and units move between row 0 and one other row only. So while row 0's `v` stands
   still no row gains anything: all that can happen is that the others sell.
2. No row but row 0 is ever below zero, and none is outside `width`.
3. Row 0 is not counted below zero while another row has something to sell (see `gather`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from oms.inventory import shards
from oms.inventory.stock import Stock
from oms.storage.codec import encode
from oms.storage.effects import row_key
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Lost, Write, get, get_many, query, write

_SUMS = ("on_hand", "reserved", "queued", "spare", "available")
_LOOKS = 8
_ATTEMPTS = 8
_PLACES = "shards"
Condition = tuple[str, dict[str, Any]]
"""A condition and its values."""


def stock_row(row: dict[str, Any]) -> Stock:
    """A stored row."""
    stock = Stock(
        sku=row["pk"].split("#")[1],
        location_id=row["sk"].removeprefix("stock#"),
        **{name: row[name] for name in Stock.model_fields if name in row},
    )
    return stock.model_copy(update={"parts": {0: stock.available}})


def first_row(sku: str, location_id: str) -> Stock | None:
    """Row 0 alone, or None if the SKU was never counted there."""
    row = get(environment().inventory_table, **row_key(sku, location_id))
    return stock_row(row) if row else None


def read_rows(stock: Stock, numbers: Sequence[int], *, consistent: bool = True) -> dict[int, Stock]:
    """Those of these rows that exist, in one call."""
    names = {row_key(stock.sku, stock.location_id, number)["pk"]: number for number in numbers}
    keys = [row_key(stock.sku, stock.location_id, number) for number in numbers]
    found = get_many(environment().inventory_table, keys, consistent=consistent) if keys else []
    return {names[row["pk"]]: stock_row(row) for row in found}


def whole(row: Stock) -> Stock:
    """The figures of a place, given its row 0: the sums over all rows. `sampled` if row 0 changed each time it was looked at.

    Between two reads of row 0 that show the same `v` the other rows can only have sold, so at the second one there was no more than the
    sum: whoever is refused for it is refused rightly. To read all rows twice would cost twice as much and prove no more.
    """
    if row.width == 1:
        return row
    for _ in range(_LOOKS):
        rows = {0: row, **read_rows(row, range(1, row.width))}
        again = first_row(row.sku, row.location_id) or row
        if again.v == row.v:
            return _summed(row, rows)
        row = again
    return _summed(row, rows).model_copy(update={"sampled": True})


def peek(row: Stock, wanted: int, *, consistent: bool, draw: Callable[[], float] = random.random) -> Stock:
    """What a sale has to know of a place, given its row 0: rows drawn at random until they have what it wants (`sampled`)."""
    if row.width == 1:
        return row
    tried = [*shards.order(row.shards, draw), *range(row.shards, row.width)]  # rows that are to go come last
    known: dict[int, int] = {}
    while sum(known.values()) < wanted and (numbers := shards.ask(tried, known)):
        found = {0: row, **read_rows(row, [number for number in numbers if number], consistent=consistent)}
        known |= {number: found[number].available if number in found else 0 for number in numbers}
    return row.model_copy(update={"available": sum(known.values()), "parts": known, "sampled": True})


def set_shards(stock: Stock, count: int, beside: Sequence[Write]) -> None:
    """Let sales share `count` rows from now on, with what else belongs into the transaction. The units follow later (`move`, `retire`).

    Lost if somebody else has just made or removed rows.
    """
    width = max(count, stock.width)
    condition = "attribute_exists(pk) AND " + ("width = :seen" if stock.width > 1 else "(attribute_not_exists(width) OR width = :seen)")
    values = {":count": count, ":width": width, ":seen": stock.width, ":one": 1}
    row = _row(stock, 0, condition, values, "SET shards = :count, width = :width ADD v :one")
    place = [Write(environment().inventory_table, encode(_place(stock)))] if width > 1 else []
    try:
        write([row, *place, *beside])
    except Cancelled as error:
        raise Lost(f"the rows of {stock.sku} at {stock.location_id} changed meanwhile") from error


def move(stock: Stock, number: int, units: int) -> bool:
    """Bring units from row 0 to another row, or back where `units` is negative. False if they are not there any more, or the row is
    not to have any. Tried again when it meets a sale; Lost if it always does."""
    change = "ADD spare :units, available :units, v :one"
    here, there = {":units": -units, ":one": 1}, {":units": units, ":one": 1}
    if units > 0:
        zero = _row(stock, 0, "available >= :most AND shards > :number", {**here, ":most": units, ":number": number}, change)
        other = _row(stock, number, "", there, change)
    else:
        zero = _row(stock, 0, "", here, change)
        other = _row(stock, number, "available >= :most", {**there, ":most": -units}, change)
    return _persistently([zero, other])


def retire(stock: Stock) -> bool:
    """The last row gives all it has to row 0 and is gone: one step to fewer rows. False if it has just sold something, or is to stay.

    A sale that still wants to take from it fails its condition and reads again. Lost if it always meets another transaction.
    """
    number = stock.width - 1
    row = read_rows(stock, [number]).get(number)
    sums = {name: getattr(row, name) if row else 0 for name in _SUMS}
    values = {**{f":{name}": units for name, units in sums.items()}, ":number": number, ":width": stock.width, ":one": 1}
    adds = ", ".join(f"{name} :{name}" for name in _SUMS)
    zero = _row(stock, 0, "width = :width AND shards <= :number", values, f"SET width = :number ADD {adds}, v :one")
    key = encode(row_key(stock.sku, stock.location_id, number))
    seen = ("v = :v", encode({":v": row.v})) if row else ("attribute_not_exists(pk)", {})
    writes = [zero, Write(environment().inventory_table, key, *seen, delete=True)]
    if number == 1:
        writes.append(Write(environment().inventory_table, encode(_place(stock)), delete=True))
    return _persistently(writes)


def gather(stock: Stock, units: int) -> Condition:
    """Bring to row 0 what it lacks of `units` that a count is about to take from it; returns the condition of that count's write.

    A sale sees one row. If row 0 alone were counted down, the other rows would go on selling what is not there. So either row 0 has the
    units, or no other row has any, which stays so while row 0 does not change (rule 1). Lost if sales are always faster.
    """
    if stock.width == 1:
        return "(attribute_not_exists(width) OR width = :one)", {}
    for attempt in range(_ATTEMPTS):
        row = first_row(stock.sku, stock.location_id) or stock
        lack = units - row.available
        if lack <= 0:
            return "available >= :lost", {":lost": units}
        others = read_rows(row, range(1, row.width))
        fullest = sorted((number for number in others if others[number].available > 0), key=lambda number: -others[number].available)
        if not fullest:
            return "v = :v", {":v": row.v}
        for number in fullest:
            part = min(lack, others[number].available)
            if part > 0 and move(row, number, -part):
                lack -= part
        _pause(attempt)
    raise Lost(f"{stock.sku} at {stock.location_id} sells faster than it can be counted; try again")


def hot_places() -> Iterator[tuple[str, str]]:
    """SKU and location of everything that has several rows."""
    for row in query(environment().inventory_table, "pk = :pk", {":pk": _PLACES}):
        sku, location_id = row["sk"].split("#")
        yield sku, location_id


def _summed(row: Stock, rows: dict[int, Stock]) -> Stock:
    sums = {name: sum(getattr(each, name) for each in rows.values()) for name in _SUMS}
    return row.model_copy(update={**sums, "parts": {number: each.available for number, each in rows.items()}})


def _row(stock: Stock, number: int, condition: str, values: dict[str, Any], expression: str) -> Write:
    key = encode(row_key(stock.sku, stock.location_id, number))
    return Write(environment().inventory_table, key, condition, encode(values), expression)


def _place(stock: Stock) -> dict[str, Any]:
    return {"pk": _PLACES, "sk": f"{stock.sku}#{stock.location_id}"}


def _persistently(writes: list[Write]) -> bool:
    """Write; False if a condition fails. What meets a sale under way is tried again, after a pause: sales come first."""
    for attempt in range(_ATTEMPTS):
        try:
            write(writes)
        except Cancelled:
            return False
        except Lost:
            if attempt == _ATTEMPTS - 1:
                raise
            _pause(attempt)
        else:
            return True
    raise AssertionError("unreachable")


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, 0.01 * 2**attempt))
