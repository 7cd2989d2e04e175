"""The fewest locations that can serve a demand together.

Sets of locations are tried by growing size; the first size that works is therefore minimal. Within it the set with the best (lowest)
priorities wins, ties by location id. `proven` tells whether the search could finish within its bound; if not, a greedy choice is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

Demand = Mapping[str, int]
"""Units per SKU."""
Supply = Mapping[str, Mapping[str, int]]
"""Available units per location and SKU."""

_MAX_SETS = 20_000


@dataclass(frozen=True)
class Route:
    """What to take where: {location: {sku: quantity}}; `missing` could not be served by all locations together."""

    take: dict[str, dict[str, int]]
    missing: dict[str, int] = field(default_factory=dict)
    proven: bool = True


def fewest_locations(demand: Demand, supply: Supply, priority: Mapping[str, int] | None = None) -> Route:
    """The route with the fewest locations. What even all locations lack is `missing`; the rest is still routed minimally."""
    ranks = priority or {}
    missing = {sku: short for sku, wanted in demand.items() if (short := wanted - sum(stock.get(sku, 0) for stock in supply.values())) > 0}
    wanted = {sku: left for sku, quantity in demand.items() if (left := quantity - missing.get(sku, 0)) > 0}
    if not wanted:
        return Route({}, missing)
    useful = {place: stock for place, stock in supply.items() if any(stock.get(sku, 0) > 0 for sku in wanted)}
    order = sorted(useful, key=lambda place: (ranks.get(place, 100), place))
    tried = 0
    for size in range(1, len(order) + 1):
        best: tuple[str, ...] | None = None
        for places in combinations(order, size):
            tried += 1
            if tried > _MAX_SETS:
                return Route(_fill(wanted, useful, _greedy(wanted, useful, order)), missing, proven=False)
            if _covers(wanted, useful, places) and (best is None or _cost(places, ranks) < _cost(best, ranks)):
                best = places
        if best:
            return Route(_fill(wanted, useful, best), missing)
    raise AssertionError("all locations together cover what is left of the demand")


def _cost(places: tuple[str, ...], ranks: Mapping[str, int]) -> tuple[int, tuple[str, ...]]:
    return sum(ranks.get(place, 100) for place in places), tuple(sorted(places))


def _covers(wanted: Demand, supply: Supply, places: tuple[str, ...]) -> bool:
    return all(sum(supply[place].get(sku, 0) for place in places) >= quantity for sku, quantity in wanted.items())


def _greedy(wanted: Demand, supply: Supply, order: list[str]) -> tuple[str, ...]:
    """Places by how much of the open demand they serve, until it is served."""
    open_ = dict(wanted)
    chosen: list[str] = []
    while any(open_.values()):
        place = max((p for p in order if p not in chosen), key=lambda p: sum(min(supply[p].get(s, 0), q) for s, q in open_.items()))
        chosen.append(place)
        open_ = {sku: max(0, quantity - supply[place].get(sku, 0)) for sku, quantity in open_.items()}
    return tuple(chosen)


def _fill(wanted: Demand, supply: Supply, places: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Take each SKU whole where one place has all of it, so that few lines are split; otherwise from place to place."""
    take: dict[str, dict[str, int]] = {place: {} for place in places}
    for sku, quantity in sorted(wanted.items()):
        whole = next((place for place in places if supply[place].get(sku, 0) >= quantity), None)
        left = quantity
        for place in [whole] if whole else places:
            part = min(left, supply[place].get(sku, 0))
            if part > 0:
                take[place][sku] = part
                left -= part
    return {place: skus for place, skus in take.items() if skus}
