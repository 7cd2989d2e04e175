"""`POST /v1/routing/simulations`: which rules, over which orders, from which stock."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, Strict, field_validator, model_validator

from oms.routing.model import Demand, Destination, Place
from oms.routing.preview import PreviewLine, PreviewLocation, Where, once
from oms.routing.rules import CostTable, PostalArea, RuleGroup
from oms.wire import Count, DateOrMoment, Key, Moment, Wire

MOST_ORDERS = 500
Figures = Annotated[dict[Key, Count], Field(max_length=20_000)]


class SimulatedLocation(PreviewLocation):
    """A location that need not exist; `capacity` is orders a day."""


class SimulatedOrder(Wire):
    """An order that need not exist: one delivery group. `placed_at`: now unless it says so."""

    id: Key
    address: Where = Field(default_factory=Where)
    lines: list[PreviewLine] = Field(min_length=1, max_length=500)
    channel: Key | None = None
    method: Key | None = None
    placed_at: Moment | None = None
    desired_date: DateOrMoment | None = None

    @field_validator("lines")
    @classmethod
    def _lines_once(cls, lines: list[PreviewLine]) -> list[PreviewLine]:
        once("line_id", [line.line_id for line in lines])
        return lines


class SimulationRequest(Wire):
    """`rules` or the id of a rule group, beside the rules in force.

    Over `orders`, or over past orders: the newest `limit` of those placed from `from` (inclusive) to `to` (a date: inclusive; a moment:
    exclusive). From the stock in `inventory` ({location: {sku: units}}), or from what can be sold now and what these orders took.
    """

    rules: RuleGroup | None = None
    rule_group_id: Key | None = None
    from_: DateOrMoment | None = Field(None, alias="from")
    to: DateOrMoment | None = None
    limit: Annotated[int, Strict(), Field(ge=1, le=MOST_ORDERS)] = 200
    orders: Annotated[list[SimulatedOrder], Field(min_length=1, max_length=MOST_ORDERS)] | None = None
    inventory: Annotated[dict[Key, Figures], Field(max_length=1000)] | None = None
    locations: Annotated[list[SimulatedLocation], Field(max_length=1000)] | None = None
    cost_table: CostTable | None = None
    postal_areas: Annotated[dict[Key, PostalArea], Field(max_length=1000)] | None = None

    @field_validator("orders", "locations")
    @classmethod
    def _ids_once(cls, given: list[SimulatedOrder] | list[SimulatedLocation] | None) -> Any:
        once("id", [each.id for each in given or ()])
        return given

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.rules is None) == (self.rule_group_id is None):
            raise ValueError("give either rules or rule_group_id")
        if self.orders is not None and (self.from_ or self.to or "limit" in self.model_fields_set):
            raise ValueError("from, to and limit choose past orders; orders are those given: leave one of the two out")
        return self


def demands_of(lines: list[PreviewLine]) -> list[Demand]:
    """Lines as routing sees them."""
    return [
        Demand(line.line_id, line.sku, line.quantity, line.product.model_dump(exclude_none=True) if line.product else {}) for line in lines
    ]


def destination_of(address: Where) -> Destination:
    """An address as routing sees it."""
    return Destination(address.country or "", address.postal_code or "", address.latitude, address.longitude)


def place_of(location: SimulatedLocation) -> Place:
    """A location that need not exist, as routing sees it."""
    return Place(
        id=location.id,
        type=location.type,
        groups=location.groups,
        priority=location.priority,
        country=location.part("country"),
        postal_code=location.part("postal_code"),
        latitude=location.latitude,
        longitude=location.longitude,
        attributes=location.attributes,
        capacity=location.capacity,
        barred=location.barred(),
    )
