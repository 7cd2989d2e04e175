"""The figures of a simulation side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_WIDTH = 24
_MOST = 20


@dataclass(frozen=True)
class Row:
    """One measure: its name, its unit, the figure in force and the proposed one; None where nobody knows it."""

    name: str
    unit: str
    in_force: int | None
    proposed: int | None


def measures(answer: Mapping[str, Any]) -> list[Row]:
    """What is compared, in the order of the table and of the chart."""
    rows = [
        ("parcels", "", "parcels"),
        ("splits", "per 100 orders", "splits_per_100_orders"),
        ("split orders", "%", "split_percent"),
        ("units unfillable", "", "unfillable_units"),
        ("distance", "km per parcel", "average_km"),
        ("distance in all", "km", "total_km"),
        ("cost", "minor units per order", "average_cost"),
        ("cost in all", "minor units", "total_cost"),
        ("orders late", "", "late_orders"),
        ("lateness", "hours per late order", "average_hours_late"),
        ("beyond capacity", "parcels", "parcels_beyond_capacity"),
        ("proven", "%", "proven_percent"),
    ]
    return [Row(name, unit, _figure(answer["in_force"], key), _figure(answer["proposed"], key)) for name, unit, key in rows]


def shares(answer: Mapping[str, Any]) -> list[Row]:
    """Each location's share of the units; of those with the largest, where there are many."""
    before, after = ({each["location_id"]: each["percent"] for each in answer[side]["locations"]} for side in ("in_force", "proposed"))
    largest = sorted({*before, *after}, key=lambda place: (-max(before.get(place, 0), after.get(place, 0)), place))[:_MOST]
    return [Row(place, "% of units", before.get(place, 0), after.get(place, 0)) for place in sorted(largest)]


def lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """The whole report."""
    left_out = f", {answer['left_out']:,} left out: no time" if answer["left_out"] else ""
    yield f"{answer['orders']:,} orders of {answer['proposed']['units']:,} units{left_out}"
    yield ""
    yield f"  {'':<{_WIDTH}}{'in force':>12}{'proposed':>12}{'change':>12}"
    for row in [*measures(answer), *shares(answer)]:
        yield f"  {row.name:<{_WIDTH}}{_text(row.in_force):>12}{_text(row.proposed):>12}{_change(row):>12}  {row.unit}".rstrip()
    times = [f"{answer[side]['milliseconds']:,}" for side in ("in_force", "proposed")]
    yield f"  {'time':<{_WIDTH}}{times[0]:>12}{times[1]:>12}{'':>12}  ms"
    yield ""
    yield f"{answer['changed_orders']:,} orders would have gone elsewhere" + (":" if answer["changed"] else "")
    for each in answer["changed"][:5]:
        yield f"  {each['order_id']}: {_places(each['in_force'])} -> {_places(each['proposed'])}"


def _figure(side: Mapping[str, Any], key: str) -> int | None:
    """A figure, None if it is known of no parcel at all."""
    kind = key.removeprefix("average_").removeprefix("total_")
    unknown = {"km": "parcels_of_unknown_distance", "cost": "parcels_of_unknown_cost"}.get(kind)
    if unknown and not side[key] and side[unknown]:
        return None
    return int(side[key])


def _text(figure: int | None) -> str:
    return "unknown" if figure is None else f"{figure:,}"


def _change(row: Row) -> str:
    if row.in_force is None or row.proposed is None:
        return ""
    return f"{row.proposed - row.in_force:+,}" if row.proposed != row.in_force else "="


def _places(units: Mapping[str, int]) -> str:
    return " + ".join(f"{place} {count}" for place, count in units.items()) or "nowhere"
