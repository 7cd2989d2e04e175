"""Lines of a request, each named once, each one the order has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from oms.errors import Fault, invalid
from oms.orders.order import Order


class Named(Protocol):
    """A row of a request that names a line."""

    @property
    def line_id(self) -> str:
        """Which."""
        ...


R = TypeVar("R", bound=Named)


def by_line(order: Order, rows: Sequence[R]) -> dict[str, R]:
    """The rows by their line. Invalid, with a pointer for each, where a line is named twice or the order has none of that id."""
    found: dict[str, R] = {}
    faults: list[Fault] = []
    for index, row in enumerate(rows):
        if row.line_id in found:
            faults.append(Fault("this line is named twice; add the quantities up", f"/lines/{index}/line_id"))
        elif row.line_id not in order.summary.lines:
            faults.append(Fault(f"the order has no line '{row.line_id}'", f"/lines/{index}/line_id"))
        found[row.line_id] = row
    if faults:
        raise invalid(*faults)
    return found


def quantity_at(rows: Sequence[Named], line_id: str) -> str:
    """Where a request says how many units of a line; its lines as a whole for one that comes with another."""
    return next((f"/lines/{index}/quantity" for index, row in enumerate(rows) if row.line_id == line_id), "/lines")
