"""Which places may serve a line at all, and the stock that a sale takes there: what is asked of an order when no route is looked for.

Apart from the search, which only those import who look for a route.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from oms.inventory import shards
from oms.inventory.stock import Stock
from oms.orders.order import Order, StockChange
from oms.orders.records import PlacedGroup, PlacedLine

if TYPE_CHECKING:
    from oms.settings import Location, Settings

StockRows = Mapping[str, Sequence[Stock]]
"""Stock rows per SKU."""
Left = Mapping[str, int]
"""Orders that a location with limited capacity still takes in its present window."""


def may_serve(order: Order, line: PlacedLine, settings: Settings) -> list[Location]:
    """The places that a line may come from at all, whatever they have now."""
    group, refused = order.group_of(line), order.summary.lines[line.id].excluded
    return [
        place
        for place in settings.locations.values()
        if not closed(order.placed.channel, group, place, settings) and place.id not in refused
    ]


def pin(order: Order, line_id: str, place: str, units: int, stock: StockRows) -> None:
    """Reserve units of a line at a place; of a hot item from the rows that have them."""
    line, state = order.line(line_id)
    state.pins[place] = state.pins.get(place, 0) + units
    order.stock += sale(line.sku, place, units, stock, order.stock, order.draw)


def sale(sku: str, place: str, units: int, stock: StockRows, so_far: Sequence[StockChange], draw: Callable[[], float]) -> list[StockChange]:
    """The changes that reserve units at a place, after those the commit makes already; of a hot item in the rows that have them."""
    row = next((row for row in stock.get(sku, ()) if row.location_id == place), None)
    parts = dict(row.parts) if row else {}
    for change in so_far:
        if (change.sku, change.location_id) == (sku, place) and change.shard in parts:
            parts[change.shard] -= change.reserve
    taken = shards.take(units, parts, shards.order(max(parts, default=0) + 1, draw)) if len(parts) > 1 else {}
    return [StockChange(sku, place, reserve=part, shard=shard) for shard, part in (taken or {next(iter(parts), 0): units}).items()]


def closed(channel: str, group: PlacedGroup, place: Location, settings: Settings) -> str:
    """Why a place is out of the question for the whole group; empty if it is not."""
    if group.type == "pickup" and place.id != group.location_id:
        return "not the shop of the pickup"
    if not place.enabled:
        return "switched off"
    if place.id not in settings.sells_from(channel) and group.type != "pickup":
        return "not in the channel's location group"
    return ""
