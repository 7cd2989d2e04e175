"""What a simulation counts: what a set of rules made of many orders, in whole numbers.

An order is split if one of its delivery groups goes out in more than one parcel; splits are parcels beyond the first of each group.
Distance and cost are those of parcels that are sent; where nobody knows them, the parcels are counted instead. An order is late if what
could be served arrives after it was wanted or promised, by the processing hours of its slowest location and the longest transit of its
method; begun hours count. Averages are rounded to the nearest whole number: per parcel sent (km), per order (cost), per late order (hours).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Parcel:
    """What one location sends of a delivery group. `km` and `cost` (minor units) are None where nobody knows them.

    `sent` is False for what is collected or downloaded; `beyond` says that the location's window was full already.
    """

    location_id: str
    units: int
    sent: bool = True
    km: int | None = None
    cost: int | None = None
    beyond: bool = False


@dataclass(frozen=True)
class Delivery:
    """What became of one delivery group."""

    wanted: int
    parcels: Sequence[Parcel]
    hours_late: int = 0
    proven: bool = True
    rule_group: str = ""


@dataclass
class Work:
    """What one location got to do."""

    parcels: int = 0
    units: int = 0


@dataclass
class Measures:
    """Sums over the orders so far."""

    orders: int = 0
    deliveries: int = 0
    units: int = 0
    unfillable_orders: int = 0
    unfillable_units: int = 0
    parcels: int = 0
    sent: int = 0
    splits: int = 0
    split_orders: int = 0
    km: int = 0
    km_unknown: int = 0
    cost: int = 0
    cost_unknown: int = 0
    late_orders: int = 0
    hours_late: int = 0
    beyond_capacity: int = 0
    proven: int = 0
    nanoseconds: int = 0
    rule_groups: set[str] = field(default_factory=set)
    places: dict[str, Work] = field(default_factory=dict)

    def add(self, order: Sequence[Delivery]) -> None:
        """Count an order, given what became of its delivery groups."""
        self.orders += 1
        lacking = sum(delivery.wanted - sum(parcel.units for parcel in delivery.parcels) for delivery in order)
        splits = sum(max(0, len(delivery.parcels) - 1) for delivery in order)
        late = max(delivery.hours_late for delivery in order)
        self.unfillable_orders += lacking > 0
        self.unfillable_units += lacking
        self.split_orders += splits > 0
        self.splits += splits
        self.late_orders += late > 0
        self.hours_late += late
        for delivery in order:
            self._deliver(delivery)

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        work = sorted(self.places.items(), key=lambda each: (-each[1].units, each[0]))
        served = sum(each.units for each in self.places.values())
        return {
            "rule_groups": sorted(self.rule_groups),
            "orders": self.orders,
            "units": self.units,
            "unfillable_orders": self.unfillable_orders,
            "unfillable_units": self.unfillable_units,
            "parcels": self.parcels,
            "splits": self.splits,
            "splits_per_100_orders": average(100 * self.splits, self.orders),
            "split_orders": self.split_orders,
            "split_percent": average(100 * self.split_orders, self.orders),
            "total_km": self.km,
            "average_km": average(self.km, self.sent - self.km_unknown),
            "parcels_of_unknown_distance": self.km_unknown,
            "total_cost": self.cost,
            "average_cost": average(self.cost, self.orders),
            "parcels_of_unknown_cost": self.cost_unknown,
            "late_orders": self.late_orders,
            "hours_late": self.hours_late,
            "average_hours_late": average(self.hours_late, self.late_orders),
            "parcels_beyond_capacity": self.beyond_capacity,
            "proven_percent": average(100 * self.proven, self.deliveries),
            "milliseconds": self.nanoseconds // 1_000_000,
            "locations": [
                {"location_id": key, "parcels": each.parcels, "units": each.units, "percent": average(100 * each.units, served)}
                for key, each in work
            ],
        }

    def _deliver(self, delivery: Delivery) -> None:
        self.deliveries += 1
        self.units += delivery.wanted
        self.proven += delivery.proven
        self.rule_groups |= {delivery.rule_group} - {""}
        for parcel in delivery.parcels:
            work = self.places.setdefault(parcel.location_id, Work())
            work.parcels += 1
            work.units += parcel.units
            self.parcels += 1
            self.beyond_capacity += parcel.beyond
            if parcel.sent:
                self.sent += 1
                self.km += parcel.km or 0
                self.km_unknown += parcel.km is None
                self.cost += parcel.cost or 0
                self.cost_unknown += parcel.cost is None


def average(total: int, count: int) -> int:
    """`total` over `count` as the nearest whole number, a half upwards; 0 of nothing."""
    return (2 * total + count) // (2 * count) if count else 0
