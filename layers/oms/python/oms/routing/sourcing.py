"""From an order to a routing problem: which places may serve a delivery group, what they have, and the rules in force. Capture and
Allocate ask the same question, so that what was promised is what is confirmed unless something has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from oms.orders.order import Order
from oms.orders.records import PlacedGroup, Waiting
from oms.routing.candidates import candidates
from oms.routing.route import Demand, Destination, Place, Plan, Rules, plan
from oms.routing.serving import Left, StockRows, closed
from oms.settings import Location, Settings


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
    as there. What this commit has taken already does not. Places that are full in their present window (`left`) come in only when the
    others cannot serve all: what they can serve is not lost, it waits for their next window."""
    lines = {line.id: line for line in order.every_line}
    demands = [Demand(line_id, lines[line_id].sku, units, lines[line_id].product or {}) for line_id, units in wanted.items() if units > 0]
    skus = {demand.sku for demand in demands}
    rows = {(row.sku, row.location_id): row for sku in skus for row in stock.get(sku, ())}
    refused = {(lines[line_id].sku, place) for line_id in wanted for place in order.summary.lines[line_id].excluded}
    mine = order.taken()
    places = []
    for place in settings.locations.values():
        shut = closed(order.placed.channel, group, place, settings)
        have, over = {}, {}
        for sku in skus:
            row = rows.get((sku, place.id))
            units = (
                (row.available if row and not row.blocked else 0) - mine.get((sku, place.id), 0) + (own or {}).get(place.id, {}).get(sku, 0)
            )
            if units > 0:
                have[sku], over[sku] = units, min(units, row.overstock) if row else 0
        barred = {sku: "has not delivered it before" for sku in skus if (sku, place.id) in refused}
        places.append(_place(place, have, over, {"*": shut} if shut else barred, (left or {}).get(place.id)))
    destination, rules = _destination(group), rules_for(order.placed.channel, settings, order.now)
    route = plan(demands, destination, places, rules)
    full = {place.id for place in places if place.capacity_left is not None and place.capacity_left <= 0}
    if not (route.unallocated and full):
        return route
    anyhow = plan(demands, destination, [replace(p, capacity_left=None) if p.id in full else p for p in places], rules)
    if sum(anyhow.unallocated.values()) >= sum(route.unallocated.values()):
        return route
    anyhow.explanation["waits_for_capacity"] = sorted(full & anyhow.take.keys())
    return anyhow


def may_come_from(sku: str, waiting: Waiting, settings: Settings, now: str) -> list[Location]:
    """The places that goods for a place in the queue may come from by the rules in force, whatever they have now."""
    group = PlacedGroup(id="", method=waiting.method, type=waiting.type, location_id=waiting.location_id)
    places = [
        place
        for place in settings.locations.values()
        if not closed(waiting.channel, group, place, settings) and place.id not in waiting.excluded
    ]
    rules = rules_for(waiting.channel, settings, now)
    if not rules.group:
        return places
    # Routing leaves out who has nothing; here everybody has one.
    found = candidates([Demand("", sku, 1, waiting.product)], [_place(place, {sku: 1}, {}, {}, None) for place in places], rules)
    admitted = {place.id for place in found.places}
    return [place for place in places if place.id in admitted]


def choices(channel: str, group: PlacedGroup, settings: Settings, stock: StockRows, left: Left | None = None) -> list[Place]:
    """Every location as routing sees it for a delivery group of a channel, with what a sale could take there now; those that are out of
    the question say why."""
    have: dict[str, dict[str, int]] = {}
    over: dict[str, dict[str, int]] = {}
    for row in (row for rows in stock.values() for row in rows):
        if units := row.available_to_fulfill:
            have.setdefault(row.location_id, {})[row.sku] = units
            over.setdefault(row.location_id, {})[row.sku] = min(units, row.overstock)
    shut = {place.id: closed(channel, group, place, settings) for place in settings.locations.values()}
    return [
        _place(
            place,
            have.get(place.id, {}),
            over.get(place.id, {}),
            {"*": shut[place.id]} if shut[place.id] else {},
            (left or {}).get(place.id),
        )
        for place in settings.locations.values()
    ]


def rules_for(channel: str, settings: Settings, now: str) -> Rules:
    """The rule group in force for a channel, with what it refers to."""
    if not settings.rule_groups:
        return Rules(areas=_centres(settings))
    from oms.routing.rules import in_force  # noqa: PLC0415 see oms.settings.Settings

    found = in_force(settings.rule_groups, now, channel)
    group_id, group = found or ("", None)
    costs = settings.cost_tables.get(group.cost_table) if group and group.cost_table else None
    return Rules(group, group_id, costs, _centres(settings))


def _centres(settings: Settings) -> dict[str, tuple[float, float]]:
    return {key: (area.latitude, area.longitude) for key, area in settings.postal_areas.items()}


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
