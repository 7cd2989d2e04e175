"""`POST /v1/routing/preview`: what routing would do, without doing it. With stock and locations given it is a calculator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, model_validator

from oms.routing.model import Demand, Destination, Place, Plan, Rules
from oms.routing.route import plans
from oms.routing.rules import CostTable, PostalArea, RuleGroup
from oms.wire import Amount, Count, Key, Metadata, Name, Quantity, Wire

Country = Annotated[str, Field(pattern="^[A-Z]{2}$")]
SkuCounts = Annotated[dict[Key, Count], Field(max_length=500)]


class Where(Wire):
    """The destination: as much of an address as is known."""

    line1: Name | None = None
    line2: Name | None = None
    city: Name | None = None
    region: Name | None = None
    postal_code: Name | None = None
    country: Country | None = None
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)


class PreviewProduct(Wire):
    """What filters and the cost table look at."""

    category: Name | None = None
    weight_g: Quantity | None = None
    attributes: Metadata = {}


class PreviewLine(Wire):
    """Units that need a place."""

    line_id: Key
    sku: Key
    quantity: Quantity
    product: PreviewProduct | None = None


class PreviewLocation(Wire):
    """A location that need not exist."""

    id: Key
    type: Literal["warehouse", "store", "supplier"] = "warehouse"
    groups: list[Key] = Field([], max_length=100)
    priority: Count = 100
    country: Country | None = None
    postal_code: Name | None = None
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    attributes: Metadata = {}
    capacity: Amount | None = None
    capacity_left: Amount | None = None
    overstock: SkuCounts = {}


class RoutingPreview(Wire):
    """`POST /v1/routing/preview`. `inventory` is {location: {sku: available}}; what is not given comes from the tables and settings."""

    address: Where = Field(default_factory=Where)
    lines: list[PreviewLine] = Field(min_length=1, max_length=500)
    inventory: Annotated[dict[Key, SkuCounts], Field(max_length=1000)] | None = None
    locations: Annotated[list[PreviewLocation], Field(max_length=1000)] | None = None
    rules: RuleGroup | None = None
    cost_table: CostTable | None = None
    postal_areas: Annotated[dict[Key, PostalArea], Field(max_length=1000)] | None = None
    channel: Key | None = None
    most: Annotated[int, Strict(), Field(ge=1, le=10)] = 5

    @model_validator(mode="after")
    def _ids_once(self) -> Self:
        for what, ids in (
            ("line_id", [line.line_id for line in self.lines]),
            ("location id", [place.id for place in self.locations or ()]),
        ):
            if twice := sorted({key for key in ids if ids.count(key) > 1}):
                raise ValueError(f"each {what} once; given twice: {', '.join(twice[:5])}")
        return self


def preview(request: RoutingPreview, known: Mapping[str, Place] | None = None, rules: Rules | None = None) -> dict[str, Any]:
    """The routes for a request, the best first. What it lacks comes from `known` (the tables) and `rules` (those in force)."""
    destination = Destination(
        request.address.country or "", request.address.postal_code or "", request.address.latitude, request.address.longitude
    )
    demands = [
        Demand(line.line_id, line.sku, line.quantity, line.product.model_dump(exclude_none=True) if line.product else {})
        for line in request.lines
    ]
    found = plans(demands, destination, places_of(request, known or {}), rules_of(request, rules or Rules()), most=request.most)
    return {
        "routes": [_route(plan) for plan in found],
        "unallocated": [{"line_id": line_id, "quantity": units} for line_id, units in found[0].unallocated.items()],
        "proven": found[0].proven,
    }


def places_of(request: RoutingPreview, known: Mapping[str, Place]) -> list[Place]:
    """The places to choose from: those given, else those known; with the stock given, else the stock known.

    A place that only the inventory names is one with nothing special about it.
    """
    inventory = request.inventory
    places = dict(known)
    if request.locations is not None:
        places = {each.id: _place(each, known.get(each.id)) for each in request.locations}
    elif inventory is not None:
        places = {key: known.get(key, Place(id=key)) for key in inventory}
    if inventory is None:
        return list(places.values())
    return [replace(place, stock=inventory.get(key, {}), barred={}) for key, place in places.items()]


def rules_of(request: RoutingPreview, rules: Rules) -> Rules:
    """The rules given, each part else from those in force."""
    if request.rules is not None:
        rules = replace(rules, group=request.rules, group_id="preview", costs=rules.costs if request.rules.cost_table else None)
    if request.cost_table is not None:
        rules = replace(rules, costs=request.cost_table)
    if request.postal_areas is not None:
        rules = replace(rules, areas={key: (area.latitude, area.longitude) for key, area in request.postal_areas.items()})
    return rules


def _place(given: PreviewLocation, known: Place | None) -> Place:
    return Place(
        id=given.id,
        type=given.type,
        groups=given.groups,
        priority=given.priority,
        country=given.country or "",
        postal_code=given.postal_code or "",
        latitude=given.latitude,
        longitude=given.longitude,
        attributes=given.attributes,
        stock=known.stock if known else {},
        overstock=given.overstock or (known.overstock if known else {}),
        capacity=given.capacity,
        capacity_left=given.capacity_left,
    )


def _route(plan: Plan) -> dict[str, Any]:
    return {
        "assignments": [
            {"location_id": place, "lines": [{"line_id": line_id, "quantity": units} for line_id, units in lines.items()]}
            for place, lines in plan.take.items()
        ],
        "splits": plan.splits,
        "score": plan.score,
        "explanation": plan.explanation,
    }
