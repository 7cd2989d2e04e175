"""`POST /v1/routing/preview`: what routing would do, without doing it. With stock and locations given it is a calculator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, field_validator

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
    """A location that need not exist; or one as `GET /v1/locations/{id}` shows it: of what routing does not ask for nothing is used."""

    id: Key
    name: Name | None = None
    type: Literal["warehouse", "store", "supplier"] = "warehouse"
    groups: list[Key] = Field([], max_length=100)
    priority: Count = 100
    address: Metadata = {}
    country: Country | None = None
    postal_code: Name | None = None
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    attributes: Metadata = {}
    capacity: Amount | None = None
    capacity_left: Amount | None = None
    processing_hours: Count = 24
    time_zone: Name | None = None
    overstock: SkuCounts = {}
    enabled: bool = True

    @field_validator("capacity", mode="before")
    @classmethod
    def _orders_of_a_window(cls, capacity: Any) -> Any:
        return capacity["orders"] if isinstance(capacity, dict) and capacity.keys() == {"orders", "window"} else capacity

    def part(self, name: Literal["country", "postal_code"]) -> str:
        """Its country or postal code, given by itself or in its address; "" if neither."""
        own: str | None = self.country if name == "country" else self.postal_code
        return own or str(self.address.get(name) or "")

    def barred(self) -> dict[str, str]:
        """Why it serves nothing, as routing sees that."""
        return {} if self.enabled else {"*": "switched off"}


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

    @field_validator("lines")
    @classmethod
    def _lines_once(cls, lines: list[PreviewLine]) -> list[PreviewLine]:
        once("line_id", [line.line_id for line in lines])
        return lines

    @field_validator("locations")
    @classmethod
    def _locations_once(cls, places: list[PreviewLocation] | None) -> list[PreviewLocation] | None:
        once("location id", [place.id for place in places or ()])
        return places


def once(what: str, ids: Sequence[str]) -> None:
    """ValueError if an id is given twice."""
    if len(set(ids)) < len(ids):
        twice = sorted({key for key in ids if ids.count(key) > 1})
        raise ValueError(f"each {what} once; given twice: {', '.join(twice[:5])}")


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
    if request.locations is None:
        places = {key: replace(place, barred={}) for key, place in places.items()}
    return [replace(place, stock=inventory.get(key, {})) for key, place in places.items()]


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
        country=given.part("country"),
        postal_code=given.part("postal_code"),
        latitude=given.latitude,
        longitude=given.longitude,
        attributes=given.attributes,
        stock=known.stock if known else {},
        overstock=given.overstock or (known.overstock if known else {}),
        capacity=given.capacity,
        capacity_left=given.capacity_left,
        barred=given.barred(),
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
