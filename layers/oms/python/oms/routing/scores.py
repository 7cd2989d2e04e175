"""What a place's part in a route costs, as one whole number: the less, the better.

The score of a place is the sum of its measures, each times its weight (a whole number, 0 = does not count):

    distance   kilometres from the place to the destination
    cost       minor units that the cost table says for the weight of the whole delivery group (sum of weight_g x quantity)
    priority   the location's priority
    capacity   percent of the window's orders that the location has already taken
    overstock  percent of the demanded units that the place could not serve out of overstock

The score of a route is the sum over its places. Without a rule group only the priority counts, with weight 1. A distance or an amount that
nobody knows counts like the largest that is known among the candidates (the explanation lists it under `unknown`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oms.routing import geo
from oms.routing.model import Demand, Destination, Place, Rules

if TYPE_CHECKING:
    from oms.routing.rules import Weights

_DEFAULT = {"priority": 1}


@dataclass(frozen=True)
class Score:
    """A place's score, what it is made of (already weighted), and which measures are unknown."""

    total: int
    parts: dict[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


def scores(places: Sequence[Place], demands: Sequence[Demand], destination: Destination, rules: Rules) -> dict[str, Score]:
    """The score of every candidate, by place id."""
    weights = _weights(rules.group.weights) if rules.group else _DEFAULT
    measures = {name: _measure(name, places, demands, destination, rules) for name in weights}
    return {place.id: _score(place.id, weights, measures) for place in places}


def _weights(weights: Weights) -> dict[str, int]:
    named = {
        "distance": weights.distance,
        "cost": weights.cost,
        "priority": weights.priority,
        "capacity": weights.capacity,
        "overstock": weights.overstock,
    }
    return {name: weight for name, weight in named.items() if weight}


def _score(place: str, weights: Mapping[str, int], measures: Mapping[str, Mapping[str, int | None]]) -> Score:
    parts: dict[str, int] = {}
    unknown: list[str] = []
    for name, weight in weights.items():
        value = measures[name][place]
        if value is None:
            unknown.append(name)
            value = max((known for known in measures[name].values() if known is not None), default=0)
        parts[name] = weight * value
    return Score(sum(parts.values()), parts, tuple(unknown))


def _measure(
    name: str, places: Sequence[Place], demands: Sequence[Demand], destination: Destination, rules: Rules
) -> dict[str, int | None]:
    match name:
        case "distance":
            return _distances(places, destination, rules)
        case "cost":
            return _costs(places, demands, destination, rules)
        case "priority":
            return {place.id: place.priority for place in places}
        case "capacity":
            return {place.id: capacity_used(place) for place in places}
        case _:
            return _beyond_overstock(places, demands)


def _distances(places: Sequence[Place], destination: Destination, rules: Rules) -> dict[str, int | None]:
    end = geo.point(destination.latitude, destination.longitude, destination.country, destination.postal_code, rules.areas)
    starts = {place.id: geo.point(place.latitude, place.longitude, place.country, place.postal_code, rules.areas) for place in places}
    return {key: geo.kilometres(start, end) if start and end else None for key, start in starts.items()}


def _costs(places: Sequence[Place], demands: Sequence[Demand], destination: Destination, rules: Rules) -> dict[str, int | None]:
    weight_g = sum(int(demand.product.get("weight_g") or 0) * demand.quantity for demand in demands)
    return {
        place.id: rules.costs.amount({place.id, place.country, *place.groups}, destination.country, destination.postal_code, weight_g)
        if rules.costs
        else None
        for place in places
    }


def capacity_used(place: Place) -> int:
    """Percent of the window's orders that are taken, rounded down; 0 where there is no limit."""
    if not place.capacity or place.capacity_left is None:
        return 0
    return (place.capacity - max(0, min(place.capacity, place.capacity_left))) * 100 // place.capacity


def _beyond_overstock(places: Sequence[Place], demands: Sequence[Demand]) -> dict[str, int | None]:
    wanted: dict[str, int] = {}
    for demand in demands:
        wanted[demand.sku] = wanted.get(demand.sku, 0) + demand.quantity
    units = sum(wanted.values())
    spare = {place.id: sum(min(units, max(0, place.overstock.get(sku, 0))) for sku, units in wanted.items()) for place in places}
    return {key: (units - served) * 100 // units if units else 0 for key, served in spare.items()}
