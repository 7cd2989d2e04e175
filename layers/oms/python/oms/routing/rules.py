"""Routing rules as data: rule groups, cost tables, postal areas. What a merchant sets, and which of it is in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, StringConstraints, model_validator

from oms.routing.geo import area_key
from oms.wire import Amount, Count, Key, Moment, Wire

Word = Annotated[str, Strict(), StringConstraints(max_length=200)]
Whole = Annotated[int, Strict(), Field(ge=-(10**12), le=10**12)]
Scalar = Annotated[bool, Strict()] | Whole | Word
Value = Scalar | Annotated[list[Scalar], Field(max_length=500)]
Weight = Annotated[int, Strict(), Field(ge=0, le=1_000_000)]
Operator = Literal["eq", "ne", "in", "not_in", "gte", "lte", "contains"]
LocationField = Annotated[str, Field(pattern=r"^location\.(type|groups|id|country|attributes\.[^\s]{1,100})$")]
ProductField = Annotated[str, Field(pattern=r"^product\.(category|weight_g|sku|attributes\.[^\s]{1,100})$")]
Area = Annotated[str, Field(pattern=r"^(\*|[A-Z]{2}(-[A-Z0-9]{1,10})?)$")]


class Comparison(Wire):
    """A field against a value."""

    op: Operator
    value: Value

    @model_validator(mode="after")
    def _value_suits_the_operator(self) -> Self:
        if self.op in ("in", "not_in") and not isinstance(self.value, list):
            raise ValueError(f"{self.op} compares with a list of values")
        if self.op in ("eq", "ne", "contains") and isinstance(self.value, list):
            raise ValueError(f"{self.op} compares with one value; for a list use in or not_in")
        if self.op in ("gte", "lte") and (isinstance(self.value, bool) or not isinstance(self.value, int)):
            raise ValueError(f"{self.op} compares with a whole number")
        return self


class Condition(Comparison):
    """Which lines a filter binds."""

    field: ProductField

    def holds(self, sku: str, product: Mapping[str, Any]) -> bool:
        """Whether a line's product is meant."""
        name = self.field.removeprefix("product.")
        return compare(sku if name == "sku" else _at(product, name), self.op, self.value)


class Filter(Comparison):
    """Which locations may serve: all lines, or those that `when` matches."""

    field: LocationField
    when: Condition | None = None

    def __str__(self) -> str:
        return f"filter {self.field} {self.op} {self.value}"

    def binds(self, sku: str, product: Mapping[str, Any]) -> bool:
        """Whether the filter concerns a line with this product."""
        return self.when is None or self.when.holds(sku, product)

    def admits(self, location: Mapping[str, Any]) -> bool:
        """Whether a location ({id, type, groups, country, attributes}) passes."""
        return compare(_at(location, self.field.removeprefix("location.")), self.op, self.value)


class Weights(Wire):
    """What counts how much in a location's score; see oms.routing.scores for the units."""

    distance: Weight = 0
    cost: Weight = 0
    priority: Weight = 0
    capacity: Weight = 0
    overstock: Weight = 0


class RuleGroup(Wire):
    """`PUT /v1/routing/rule-groups/{id}`. In force from `starts_at` until before `ends_at`, for the named channels (none: all)."""

    starts_at: Moment | None = None
    ends_at: Moment | None = None
    priority: Count = 100
    channels: list[Key] = Field([], max_length=100)
    filters: list[Filter] = Field([], max_length=50)
    weights: Weights = Field(default_factory=lambda: Weights(priority=1))
    max_splits: Count | None = None
    exclude_locations: list[Key] = Field([], max_length=500)
    cost_table: Key | None = None
    search_milliseconds: Annotated[int, Strict(), Field(ge=1, le=10_000)] | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("ends_at must be after starts_at")
        return self


class CostRow(Wire):
    """What it costs to send up to `up_to_g` grams (none: any weight).

    From a location, one of its groups or its country ("*": anywhere) to a country or the start of its postal codes ("DE", "DE-10", "*").
    """

    ship_from: Key = "*"
    ship_to: Area = "*"
    up_to_g: Count | None = None
    amount: Amount


class CostTable(Wire):
    """`PUT /v1/routing/cost-tables/{id}`: the first row that matches says the amount, in minor units."""

    rows: list[CostRow] = Field(max_length=2000)

    def amount(self, origins: set[str], country: str, postal_code: str, weight_g: int) -> int | None:
        """Minor units for a parcel of this weight from any of the `origins` (id, groups, country); None if no row matches."""
        area = area_key(country, postal_code)
        for row in self.rows:
            here = row.ship_from == "*" or row.ship_from in origins
            there = row.ship_to in ("*", country) or ("-" in row.ship_to and area.startswith(row.ship_to))
            if here and there and (row.up_to_g is None or weight_g <= row.up_to_g):
                return row.amount
        return None


class PostalArea(Wire):
    """`PUT /v1/routing/postal-areas/{id}`: the centre of an area; the id is country, dash, start of the postal code ("DE-10")."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


def in_force(groups: Mapping[str, RuleGroup], now: str, channel: str) -> tuple[str, RuleGroup] | None:
    """The rule group that decides for a channel at a moment (text as oms.clock writes it): the lowest priority number, ties by id."""
    active = [
        (group.priority, key)
        for key, group in groups.items()
        if (not group.starts_at or group.starts_at <= now)
        and (not group.ends_at or now < group.ends_at)
        and (not group.channels or channel in group.channels)
    ]
    if not active:
        return None
    key = min(active)[1]
    return key, groups[key]


def compare(actual: Any, op: Operator, value: Any) -> bool:
    """One comparison. A list (such as location.groups) is equal to what it contains; what is missing equals nothing and is no number."""
    if op in ("ne", "not_in"):
        return not compare(actual, "eq" if op == "ne" else "in", value)
    if op in ("gte", "lte"):
        number = actual is not None and not isinstance(actual, bool | str | list | tuple | dict)
        return number and (actual >= value if op == "gte" else actual <= value)
    if op == "contains" and isinstance(actual, str):
        return isinstance(value, str) and value in actual
    items = actual if isinstance(actual, list | tuple) else [actual]
    wanted = value if op == "in" else [value]
    return any(_same(item, one) for item in items for one in wanted)


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON sees it: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _at(record: Mapping[str, Any], name: str) -> Any:
    if name.startswith("attributes."):
        return (record.get("attributes") or {}).get(name.removeprefix("attributes."))
    return record.get(name)
