"""How many rows a hot item has, and keeping what it can sell spread over them. No sale ever waits for this.

The number is set in one write; the units follow when stockkeeper hears of it. Three things call for that: a number that was set, a count
that brought goods (they land on row 0), and the minute's sweep, which sees what piled up there otherwise (releases, returns, grants) and
finishes what a crash has left. A sale calls for nothing: it goes on to other rows, which is cheaper than a note of each such sale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oms.clock import stamp
from oms.errors import NotFound
from oms.flows.idempotency import Request
from oms.inventory.shards import transfers
from oms.inventory.stock import Stock
from oms.inventory.stock_requests import ShardCount
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.inventory import note, rows_of, stock_at
from oms.storage.shards import first_row, hot_places, move, retire, set_shards
from oms.storage.table import Lost, Write

SecondsLeft = Callable[[], float]
_ATTEMPTS = 8
_ENOUGH = 10  # seconds to leave for what else there is to do


def change_shards(sku: str, location_id: str, wanted: ShardCount, asked: Request) -> tuple[Stock, bool]:
    """Let sales share so many rows. Returns the stock and whether this Idempotency-Key was used before. Setting it again to the same
    changes nothing. NotFound for what was never counted there."""
    for _ in range(_ATTEMPTS):
        stock = first_row(sku, location_id)
        if stock is None:
            raise NotFound(f"{sku} was never counted at {location_id}; count it first")
        if asked.earlier():
            return stock_at(sku, location_id) or stock, True
        at, key = stamp(), asked.record(status=200)
        fact = {"sku": sku, "location_id": location_id, "shards": wanted.shards, "before": stock.shards}
        beside = [note(sku, at, f"shards@{stock.v + 1}", asked.client, [("shards.changed", fact)])]
        beside += [Write(environment().orders_table, encode(key), "attribute_not_exists(pk)")] if key else []
        try:
            set_shards(stock, wanted.shards, beside)
        except Lost:
            continue
        return stock_at(sku, location_id) or stock, False
    raise Lost(f"stock of {sku} at {location_id} changes too often; try again")


def changed(data: Mapping[str, Any], seconds_left: SecondsLeft) -> None:
    """A number of shards was set, or goods came to a hot item."""
    arrange(str(data["sku"]), str(data["location_id"]), seconds_left)


def sweep(seconds_left: SecondsLeft) -> int:
    """Arrange every hot item. Returns for how many something was to do."""
    busy = 0
    for sku, location_id in hot_places():
        if seconds_left() > _ENOUGH:
            busy += arrange(sku, location_id, seconds_left) > 0
    return busy


def arrange(sku: str, location_id: str, seconds_left: SecondsLeft) -> int:
    """Remove the rows that are too many, then even out the others. Returns how many moves that took; 0 if all was well.

    Every move is one transaction that loses and makes nothing, so this may die anywhere and begin again, also twice at once. Lost if
    rows that are too many could not be removed.
    """
    moves, stock = 0, first_row(sku, location_id)
    for _ in range(_ATTEMPTS * (stock.width if stock else 0)):
        if stock is None or stock.width <= stock.shards or seconds_left() < _ENOUGH:
            break
        moves += retire(stock)
        stock = first_row(sku, location_id)
    if stock is None or stock.width == 1:
        return moves
    if stock.width > stock.shards:
        raise Lost(f"{sku} at {location_id} still has {stock.width} rows instead of {stock.shards}")
    rows = rows_of(stock)
    for number, units in transfers([rows[number].available if number in rows else 0 for number in range(stock.shards)]):
        if seconds_left() > _ENOUGH:
            moves += move(stock, number, units)
    return moves
