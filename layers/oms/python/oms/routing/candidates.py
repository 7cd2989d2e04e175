"""Which places may serve, and why the others may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oms.routing.model import Demand, Place, Rules

if TYPE_CHECKING:
    from oms.routing.rules import Filter


@dataclass(frozen=True)
class Exclusion:
    """A place that may not serve: at all, or one SKU. `stocked`: it would have had something."""

    location_id: str
    reason: str
    sku: str = ""
    stocked: bool = False


@dataclass
class Candidates:
    """What is wanted per SKU, who has how much of it (capped to what is wanted), and who was left out."""

    wanted: dict[str, int]
    stock: dict[str, dict[str, int]] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    excluded: list[Exclusion] = field(default_factory=list)
    ruled_out: dict[str, int] = field(default_factory=dict)
    """Per SKU: places that the rule group alone keeps from serving it."""
    admitted: dict[str, int] = field(default_factory=dict)
    """Per SKU: places that may serve it, whether they have it or not."""

    def short(self) -> dict[str, int]:
        """Units per SKU that all candidates together lack."""
        have: dict[str, int] = {}
        for skus in self.stock.values():
            for sku, units in skus.items():
                have[sku] = have.get(sku, 0) + units
        return {sku: units - have.get(sku, 0) for sku, units in self.wanted.items() if units > have.get(sku, 0)}


def candidates(demands: Sequence[Demand], places: Sequence[Place], rules: Rules) -> Candidates:
    """The places that may serve something of the demand.

    Stock is shared by all lines of a SKU, so a filter that binds one line of a SKU binds the SKU.
    """
    wanted: dict[str, int] = {}
    for demand in demands:
        if demand.quantity > 0:
            wanted[demand.sku] = wanted.get(demand.sku, 0) + demand.quantity
    found = Candidates(wanted, ruled_out=dict.fromkeys(wanted, 0), admitted=dict.fromkeys(wanted, 0))
    bound = _bound(demands, rules)
    for place in sorted(places, key=lambda place: place.id):
        _judge(place, found, bound, rules)
    return found


def _bound(demands: Sequence[Demand], rules: Rules) -> list[tuple[Filter, set[str]]]:
    """The filters with a condition, each with the SKUs that it binds."""
    filters = [each for each in rules.group.filters if each.when] if rules.group else []
    return [(each, {demand.sku for demand in demands if each.binds(demand.sku, demand.product)}) for each in filters]


def _judge(place: Place, found: Candidates, bound: Sequence[tuple[Filter, set[str]]], rules: Rules) -> None:
    """Note for one place what it may serve and what not."""
    stocked = any(place.stock.get(sku, 0) > 0 for sku in found.wanted)
    outside, ruled = _closed(place), _ruled_out(place, rules)
    if outside or ruled:
        found.excluded.append(Exclusion(place.id, outside or ruled, stocked=stocked))
        for sku in found.wanted if not outside else ():
            found.ruled_out[sku] += sku not in place.barred
        return
    usable: dict[str, int] = {}
    refused = _refused(place, bound)
    for sku, units in found.wanted.items():
        if sku in refused:
            found.excluded.append(Exclusion(place.id, refused[sku], sku, stocked=place.stock.get(sku, 0) > 0))
            found.ruled_out[sku] += sku not in place.barred
            continue
        found.admitted[sku] += 1
        if (have := place.stock.get(sku, 0)) > 0:
            usable[sku] = min(have, units)
    if usable:
        found.stock[place.id] = usable
        found.places.append(place)
    elif not found.wanted.keys() <= refused.keys():
        found.excluded.append(Exclusion(place.id, "no stock of what is wanted"))


def _refused(place: Place, bound: Sequence[tuple[Filter, set[str]]]) -> dict[str, str]:
    """The SKUs that the place may not serve, and why."""
    refused = dict(place.barred)
    record = _record(place)
    for each, skus in bound:
        if not skus <= refused.keys() and not each.admits(record):
            refused = dict.fromkeys(skus, str(each)) | refused
    return refused


def _closed(place: Place) -> str:
    """Why the place takes nothing at all now, whatever the rules say; "" if it does."""
    if "*" in place.barred:
        return place.barred["*"]
    return "no capacity left in this window" if place.capacity_left is not None and place.capacity_left <= 0 else ""


def _ruled_out(place: Place, rules: Rules) -> str:
    """Why the rule group leaves the place out altogether; "" if it does not."""
    if not rules.group:
        return ""
    if place.id in rules.group.exclude_locations:
        return "excluded by the rule group"
    record = _record(place)
    return next((str(each) for each in rules.group.filters if not each.when and not each.admits(record)), "")


def _record(place: Place) -> dict[str, object]:
    return {"id": place.id, "type": place.type, "groups": list(place.groups), "country": place.country, "attributes": place.attributes}
