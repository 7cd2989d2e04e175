"""How many orders each location has taken in each window of its capacity.

pk                 sk                           what
capacity#berlin    2026-11-23T23:00:00.000Z     `taken` in the window that starts then; forgotten some months later
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from oms.clock import parse
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Write, get_many, query

_KEPT = timedelta(days=120)
Booked = Mapping[tuple[str, str], int]
"""Places that an order has, per location and start of the window."""


def taken_in(starts: Mapping[str, str]) -> dict[str, int]:
    """Orders taken by each location in the window that starts as named."""
    rows = get_many(environment().inventory_table, [_key(place, start) for place, start in starts.items()])
    return {row["pk"].removeprefix("capacity#"): int(row["taken"]) for row in rows}


def taken_between(location_id: str, first: str, last: str) -> dict[str, int]:
    """Orders taken by a location per window, for those that start from `first` to `last`."""
    values = {":pk": f"capacity#{location_id}", ":first": first, ":last": last}
    rows = query(environment().inventory_table, "pk = :pk AND sk BETWEEN :first AND :last", values)
    return {row["sk"]: int(row["taken"]) for row in rows}


def bookings(before: Booked, after: Booked, limits: Mapping[str, int]) -> list[Write]:
    """What a commit takes of windows, under the condition that there is room, and what it gives back, which is always right."""
    writes = []
    for key in sorted({*before, *after}):
        more = after.get(key, 0) - before.get(key, 0)
        if more:
            place, start = key
            # What is given back to a window that is forgotten already makes a new figure of it, which nobody reads.
            values: dict[str, Any] = {":n": more, ":until": int((parse(start) + _KEPT).timestamp())}
            condition = ""
            if more > 0 and place in limits:
                condition, values[":most"] = "attribute_not_exists(taken) OR taken <= :most", limits[place] - more
            expression = "SET forget_at = :until ADD taken :n"
            writes.append(Write(environment().inventory_table, encode(_key(place, start)), condition, encode(values), expression))
    return writes


def _key(location_id: str, start: str) -> dict[str, Any]:
    return {"pk": f"capacity#{location_id}", "sk": start}
