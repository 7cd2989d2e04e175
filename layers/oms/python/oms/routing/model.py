"""What routing is given and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oms.routing.geo import Point

if TYPE_CHECKING:
    from oms.routing.rules import CostTable, RuleGroup


@dataclass(frozen=True)
class Demand:
    """One line's units that need a place. `product` is {"category", "weight_g", "attributes": {}}, each optional."""

    line_id: str
    sku: str
    quantity: int
    product: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Destination:
    """Where the goods go; what is unknown is left out."""

    country: str = ""
    postal_code: str = ""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class Place:
    """A location as routing sees it."""

    id: str
    type: str = "warehouse"
    groups: Sequence[str] = ()
    priority: int = 100
    country: str = ""
    postal_code: str = ""
    latitude: float | None = None
    longitude: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    stock: Mapping[str, int] = field(default_factory=dict)
    """Units that may be taken, per SKU."""
    overstock: Mapping[str, int] = field(default_factory=dict)
    """Of these, units above the target level."""
    capacity: int | None = None
    """Orders per window; None = no limit."""
    capacity_left: int | None = None
    barred: Mapping[str, str] = field(default_factory=dict)
    """SKU (or "*") -> why this place is out of the question."""


@dataclass(frozen=True)
class Rules:
    """What is in force: a rule group with the tables it needs; no group = fewest places, then priority, then id."""

    group: RuleGroup | None = None
    group_id: str = ""
    costs: CostTable | None = None
    areas: Mapping[str, Point] = field(default_factory=dict)
    """Postal areas: "DE-10" -> centre."""


@dataclass(frozen=True)
class Plan:
    """Where to take what. `take` is {location: {line_id: units}}, `unallocated` {line_id: units}; `proven`: nothing better exists."""

    take: dict[str, dict[str, int]]
    unallocated: dict[str, int]
    score: int
    proven: bool
    explanation: dict[str, Any]
    scores: Mapping[str, int] = field(default_factory=dict)
    """Score of every candidate, chosen or not."""

    @property
    def splits(self) -> int:
        """Parcels beyond the first."""
        return max(0, len(self.take) - 1)
