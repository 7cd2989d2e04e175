"""Allocate: confirm the places that capture has pinned, find places for what has none, and hand the work out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from oms.clock import later
from oms.inventory.stock import Stock
from oms.orders.order import Order, StockChange
from oms.orders.quantities import open_units, reserved
from oms.orders.records import FulfillmentLine, FulfillmentOrder, LineState, PlacedGroup, PlacedLine
from oms.routing.fewest import Route, fewest_locations
from oms.settings import Location, Settings


def needs_stock(order: Order) -> set[str]:
    """SKUs for which Allocate must look at stock: units that have no place (yet, or no more) or wait for an arrival."""
    return {line.sku for line, state in order.lines() if open_units(state) > reserved(state) or state.backordered}


def allocate(order: Order, stock: Mapping[str, Sequence[Stock]], settings: Settings) -> str:
    """Make fulfillment orders of all that can be served. Returns what comes next: allocated, wait_for_stock, unfillable, and so on.

    Idempotent: units already on fulfillment orders are left alone, so a second run finds nothing to do.
    """
    early = {"received": "capture", "declined": "declined", "cancelled": "cancelled"}.get(order.summary.status)
    if early:
        return early
    if order.open_holds("allocate"):
        return "wait_for_release"
    work: dict[tuple[str, str], dict[str, int]] = {}
    explanation: dict[str, Route] = {}
    for group in order.placed.delivery_groups:
        lines = [(line, state) for line, state in order.lines() if line.delivery_group == group.id]
        granted = _grant(lines, stock, _places(order, group, settings))
        explanation[group.id] = _find_places(order, lines, stock, _places(order, group, settings))
        _take_back(lines, granted)
        for line, state in lines:
            for place, quantity in state.pins.items():
                work.setdefault((group.id, place), {})[line.id] = quantity
            state.allocated += sum(state.pins.values())
            state.pins = {}
    for (group_id, place), lines_at in sorted(work.items()):
        _hand_out(order, group_id, place, lines_at, settings, explanation[group_id])
    if work:
        order.record("order.allocated", fulfillment_orders=[fo.id for fo in order.fulfillment_orders.values() if not fo.v])
    return _what_next(order)


def _what_next(order: Order) -> str:
    states = order.summary.lines.values()
    if any(open_units(state) > 0 for state in states):
        return "unfillable"
    return "wait_for_stock" if any(state.backordered for state in states) else "allocated"


def _places(order: Order, group: PlacedGroup, settings: Settings) -> dict[str, Location]:
    places = settings.sells_from(order.placed.channel)
    return {key: place for key, place in places.items() if group.type != "pickup" or key == group.location_id}


def _grant(
    lines: Sequence[tuple[PlacedLine, LineState]], stock: Mapping[str, Sequence[Stock]], places: Mapping[str, Location]
) -> dict[str, int]:
    """Backordered units for which there is stock now become open units again, so that the search may place them: how many per line."""
    free = {sku: sum(row.available_to_fulfill for row in rows if row.location_id in places) for sku, rows in stock.items()}
    granted: dict[str, int] = {}
    for line, state in lines:
        granted[line.id] = min(state.backordered, free.get(line.sku, 0))
        state.backordered -= granted[line.id]
        free[line.sku] = free.get(line.sku, 0) - granted[line.id]
    return granted


def _take_back(lines: Sequence[tuple[PlacedLine, LineState]], granted: Mapping[str, int]) -> None:
    """Granted units that found no place after all (another line or group took the stock, or its place has refused) wait on."""
    for line, state in lines:
        state.backordered += min(granted[line.id], open_units(state) - reserved(state))


def _find_places(
    order: Order, lines: Sequence[tuple[PlacedLine, LineState]], stock: Mapping[str, Sequence[Stock]], places: Mapping[str, Location]
) -> Route:
    """Reserve a place for every open unit that has none, the fewest locations for all; places that refused a line are left out for it."""
    demand: dict[str, int] = {}
    barred: dict[str, set[str]] = {}
    for line, state in lines:
        unplaced = open_units(state) - reserved(state)
        if unplaced > 0:
            demand[line.sku] = demand.get(line.sku, 0) + unplaced
            barred.setdefault(line.sku, set()).update(state.excluded)
    taken: Counter[tuple[str, str]] = Counter()
    for change in order.stock:
        taken[change.sku, change.location_id] += change.reserve
    supply = {
        place: {
            row.sku: max(0, row.available_to_fulfill - taken[row.sku, place])
            for sku in demand
            for row in stock.get(sku, ())
            if row.location_id == place and place not in barred[sku]
        }
        for place in places
    }
    route = fewest_locations(demand, supply, {key: place.priority for key, place in places.items()})
    for line, state in lines:
        for place, skus in route.take.items():
            part = min(open_units(state) - reserved(state), skus.get(line.sku, 0))
            if part > 0:
                skus[line.sku] -= part
                state.pins[place] = state.pins.get(place, 0) + part
                order.stock.append(StockChange(line.sku, place, reserve=part))
    return route


def _hand_out(order: Order, group_id: str, place: str, lines: dict[str, int], settings: Settings, route: Route) -> None:
    location = settings.locations.get(place, Location(id=place))
    group = next(group for group in order.placed.delivery_groups if group.id == group_id)
    method, held = settings.method(group.method), order.open_holds("ship")
    fo = FulfillmentOrder(
        id=order.next_id("fo"),
        location_id=place,
        delivery_group=group_id,
        type=location.type if group.type == "ship" else group.type,
        status="on_hold" if held else "released",
        held_from="released" if held else None,
        held_by="order" if held else None,
        ship_by=later(order.now, hours=location.processing_hours),
        assume_delivered_after_days=None if method.delivery_confirmation == "carrier" else method.assume_delivered_after_days,
        lines={line_id: FulfillmentLine(quantity=quantity) for line_id, quantity in lines.items()},
        explanation={"rule": "fewest locations, then priority, then id", "locations": len(route.take) or 1, "proven": route.proven},
        created_at=order.now,
    )
    order.fulfillment_orders[fo.id] = fo
    order.record("fulfillment_order.created", fulfillment_order_id=fo.id, location_id=place, status=fo.status, lines=lines)
