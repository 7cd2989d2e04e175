"""Bundles: lines tied to a parent line. Sold by `components` (the default) each goes by itself, for its own share; sold as a `whole` the
parent takes all of them with it, in the proportion they were ordered in, and none goes without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oms.errors import Fault
from oms.orders.order import Order
from oms.orders.records import PlacedLine

Wanted = Mapping[str, int]
"""Units per line."""


def with_components(order: Order, wanted: Wanted, place: Callable[[str], str]) -> tuple[dict[str, int], list[Fault]]:
    """What is asked for with all that goes with it, and what is wrong with it: parts of a whole that are named without it. `place`: where
    the request names a line."""
    out: dict[str, int] = dict(wanted)
    faults = []
    for line_id, quantity in wanted.items():
        line, _ = order.line(line_id)
        parent = whole_of(order, line)
        if parent and parent.id not in wanted:
            faults.append(Fault(f"it is sold as a part of line '{parent.id}' only; name that line", place(line_id)))
        for part in parts_of(order, line) if is_whole(line) else ():
            together = quantity * ratio(line, part)
            if wanted.get(part.id, together) != together:
                faults.append(Fault(f"{together} of it go with {quantity} of line '{line.id}'", place(part.id)))
            out[part.id] = together
    return out, faults


def whole_only(order: Order, free: Wanted) -> dict[str, int]:
    """Of what could be done line by line, that which leaves every bundle that is sold as a whole whole."""
    out = dict(free)
    for line, _ in order.lines():
        if is_whole(line):
            parts = parts_of(order, line)
            bundles = min([out.get(line.id, 0), *(out.get(part.id, 0) // ratio(line, part) for part in parts)])
            out |= {line.id: bundles, **{part.id: bundles * ratio(line, part) for part in parts}}
    return {line_id: units for line_id, units in out.items() if units}


def is_whole(line: PlacedLine) -> bool:
    """Whether the line is a parent whose components go with it."""
    return line.bundle_policy == "whole"


def whole_of(order: Order, line: PlacedLine) -> PlacedLine | None:
    """The parent that the line goes with; None if it goes by itself."""
    parent = order.line(line.bundle_of)[0] if line.bundle_of else None
    return parent if parent and is_whole(parent) else None


def parts_of(order: Order, parent: PlacedLine) -> list[PlacedLine]:
    """A bundle's components."""
    return [line for line in order.every_line if line.bundle_of == parent.id]


def ratio(parent: PlacedLine, part: PlacedLine) -> int:
    """Units of a component in one bundle."""
    return part.quantity // parent.quantity
