"""From an order to a routing problem: which places may serve a delivery group, what they have, and the rules in force. Capture and
Allocate ask the same question, so that what was promised is what is confirmed unless something has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from oms.inventory import shards
from oms.inventory.stock import Stock
from oms.orders.order import Order, StockChange
from oms.orders.records import PlacedGroup, PlacedLine
from oms.routing.route import Demand, Destination, Place, Plan, Rules, plan
from oms.routing.rules import in_force
from oms.settings import Location, Settings

StockRows = Mapping[str, Sequence[Stock]]
"""Stock rows per SKU."""
Left = Mapping[str, int]
"""Orders that a location with limited capacity still takes in its present window."""


def source(
    order: Order,
    group: PlacedGroup,
    wanted: Mapping[str, int],
    stock: StockRows,
    settings: Settings,
    *,
    left: Left | None = None,
    own: Mapping[str, Mapping[str, int]] | None = None,
) -> Plan:
    """The best places for `wanted` units per line. `own`: units already reserved for exactly these lines, per place and SKU; they count
    as there. What this commit has taken already does not."""
    lines = {line.id: line for line in order.placed.lines}
    demands = [Demand(line_id, lines[line_id].sku, units, lines[line_id].product or {}) for line_id, units in wanted.items() if units > 0]
    skus = {demand.sku for demand in demands}
    rows = {(row.sku, row.location_id): row for sku in skus for row in stock.get(sku, ())}
    refused = {(lines[line_id].sku, place) for line_id in wanted for place in order.summary.lines[line_id].excluded}
    mine = order.taken()
    places = []
    for place in settings.locations.values():
        closed = _closed(order, group, place, settings)
        have, over = {}, {}
        for sku in skus:
            row = rows.get((sku, place.id))
            units = (row.available if row else 0) - mine.get((sku, place.id), 0) + (own or {}).get(place.id, {}).get(sku, 0)
            if units > 0:
                have[sku], over[sku] = units, min(units, row.overstock) if row else 0
        barred = {sku: "has not delivered it before" for sku in skus if (sku, place.id) in refused}
        places.append(_place(place, have, over, {"*": closed} if closed else barred, (left or {}).get(place.id)))
    return plan(demands, _destination(group), places, rules_for(order.placed.channel, settings, order.now))


def may_serve(order: Order, line: PlacedLine, settings: Settings) -> list[Location]:
    """The places that a line may come from at all, whatever they have now."""
    group = next(group for group in order.placed.delivery_groups if group.id == line.delivery_group)
    refused = order.summary.lines[line.id].excluded
    return [place for place in settings.locations.values() if not _closed(order, group, place, settings) and place.id not in refused]


def rules_for(channel: str, settings: Settings, now: str) -> Rules:
    """The rule group in force for a channel, with what it refers to."""
    found = in_force(settings.rule_groups, now, channel)
    group_id, group = found or ("", None)
    costs = settings.cost_tables.get(group.cost_table) if group and group.cost_table else None
    areas = {key: (area.latitude, area.longitude) for key, area in settings.postal_areas.items()}
    return Rules(group, group_id, costs, areas)


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


def _closed(order: Order, group: PlacedGroup, place: Location, settings: Settings) -> str:
    """Why a place is out of the question for the whole group; empty if it is not."""
    if group.type == "pickup" and place.id != group.location_id:
        return "not the shop of the pickup"
    if not place.enabled:
        return "switched off"
    if place.id not in settings.sells_from(order.placed.channel) and group.type != "pickup":
        return "not in the channel's location group"
    return ""


def _place(place: Location, have: dict[str, int], over: dict[str, int], barred: dict[str, str], left: int | None) -> Place:
    return Place(
        id=place.id,
        type=place.type,
        groups=place.groups,
        priority=place.priority,
        country=place.address.get("country", ""),
        postal_code=place.address.get("postal_code", ""),
        latitude=place.latitude,
        longitude=place.longitude,
        attributes=place.attributes,
        stock=have,
        overstock=over,
        capacity=place.capacity.orders if place.capacity else None,
        capacity_left=left if place.capacity else None,
        barred=barred,
    )


def _destination(group: PlacedGroup) -> Destination:
    to = group.destination
    return Destination(to.country, to.postal_area, to.latitude, to.longitude)
