"""Files for a simulation: rules, locations, stock, and the invoices that are its orders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from infra.local.replay.countries import code_of
from infra.local.replay.mapping import CHANNEL, goods_of, invoices
from infra.local.replay.rows import Row
from infra.local.simulation.centres import CENTRES
from infra.local.trouble import Trouble
from oms.clock import stamp
from oms.routing.geo import Point
from oms.routing.model import Demand, Destination, Place, Rules
from oms.routing.past import usually
from oms.routing.rules import CostTable, PostalArea, RuleGroup
from oms.routing.simulate import Case, Ground
from oms.routing.simulation_request import SimulatedLocation, place_of
from oms.wire import Count, Key, faults_of

ANY = "*"
"""In a stock file: every SKU that is not named."""
T = TypeVar("T")
_RULES: TypeAdapter[RuleGroup] = TypeAdapter(RuleGroup)
_COSTS: TypeAdapter[CostTable] = TypeAdapter(CostTable)
_AREAS: TypeAdapter[dict[Key, PostalArea]] = TypeAdapter(dict[Key, PostalArea])
_LOCATIONS: TypeAdapter[list[SimulatedLocation]] = TypeAdapter(list[SimulatedLocation])
_STOCK: TypeAdapter[dict[Key, dict[Key, Count]]] = TypeAdapter(dict[Key, dict[Key, Count]])


def rule_group(path: Path) -> RuleGroup:
    """A rule group as `PUT /v1/routing/rule-groups/{id}` takes it."""
    return _read(path, _RULES, "a rule group")


def cost_table(path: Path) -> CostTable:
    """A cost table as `PUT /v1/routing/cost-tables/{id}` takes it."""
    return _read(path, _COSTS, "a cost table")


def areas(path: Path | None) -> dict[str, Point]:
    """Centres of postal areas, {"GB-SW1": {"latitude", "longitude"}}, beside those of the countries."""
    own = _read(path, _AREAS, "an object of postal areas") if path else {}
    return {**CENTRES, **{key: (area.latitude, area.longitude) for key, area in own.items()}}


def locations(path: Path) -> list[SimulatedLocation]:
    """A list of locations; Trouble if an id is there twice."""
    found = _read(path, _LOCATIONS, "a list of locations")
    ids = [location.id for location in found]
    if twice := sorted({key for key in ids if ids.count(key) > 1}):
        raise Trouble(f"{path} has two locations '{twice[0]}'. Give each id once.")
    return found


def stock(path: Path) -> dict[str, dict[str, int]]:
    """Units per location and SKU; the SKU "*" stands for every one that is not named."""
    return _read(path, _STOCK, 'an object {location: {SKU or "*": units}}')


def cases(rows: Iterable[Row], places: Sequence[Place]) -> list[Case]:
    """A case for each invoice that is a sale; its destination is its country, its due time the usual promise."""
    found = []
    for invoice, lines in invoices(rows).items():
        if goods := goods_of(lines):
            placed_at = stamp(min(row.at for row in lines))
            found.append(
                Case(
                    order_id=invoice,
                    group_id="g1",
                    demands=[Demand(str(number), sku, units) for number, (sku, units) in enumerate(goods.items(), 1)],
                    destination=Destination(code_of(lines[0].country)),
                    places=places,
                    placed_at=placed_at,
                    channel=CHANNEL,
                    due=usually(placed_at),
                )
            )
    return found


def ground(
    known: Sequence[SimulatedLocation],
    shelves: dict[str, dict[str, int]],
    cases: Sequence[Case],
    costs: CostTable | None,
    centres: dict[str, Point],
) -> Ground:
    """What both runs begin with. Trouble for stock at a location that is not in the file of locations."""
    ids = {location.id for location in known}
    if unknown := sorted(shelves.keys() - ids):
        raise Trouble(f"There is stock at '{unknown[0]}', which is no location of the file. Known: {', '.join(sorted(ids))}")
    skus = {demand.sku for case in cases for demand in case.demands}
    filled = {
        place: {sku: units.get(sku, units.get(ANY, 0)) for sku in skus if sku in units or ANY in units} for place, units in shelves.items()
    }
    return Ground(filled, processing_hours={each.id: each.processing_hours for each in known}, costs=costs, areas=centres)


def rules(group: RuleGroup | None, name: str, costs: CostTable | None, centres: dict[str, Point]) -> Rules:
    """A rule group with what it needs; None is routing without one: fewest places, then priority, then id."""
    return Rules(group, name if group else "", costs, centres)


def places(known: Sequence[SimulatedLocation]) -> list[Place]:
    """The locations as routing sees them."""
    return [place_of(location) for location in known]


def _read(path: Path, kind: TypeAdapter[T], what: str) -> T:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        return kind.validate_python(content)
    except OSError as error:
        raise Trouble(f"Cannot read {path} ({error.strerror}). Give a JSON file with {what}.") from error
    except ValidationError as error:
        faults = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults_of(error)[:5])
        raise Trouble(f"{path} is not {what}: {faults}") from error
    except ValueError as error:
        raise Trouble(f"{path} is not JSON ({error}).") from error
