"""What units of an order are worth: the shares frozen when they were sold, and every layer that later changes put on them.

A layer on units that had not left yet is invoiced with them; one on units that had left stands in a document of its own (`apart`), so the
invoice of a parcel never changes after it was packed (design section 5).
"""

from __future__ import annotations

from collections.abc import Iterator

from oms.money.shares import Share
from oms.money.units import Units, count
from oms.orders.order import Order
from oms.orders.records import Layer, PlacedLine


def worth(order: Order, line_id: str, units: Units, *, apart: bool = True) -> Share:
    """What these units of a line are worth now; without `apart` as the invoice of their parcel says."""
    line, _ = order.line(line_id)
    base = line.frozen.units(_placed(line, units))
    return sum((_of(layer, units) for layer in layers(order, line_id, delivery=False, apart=apart)), base)


def delivery_worth(order: Order, line_id: str, units: Units, *, apart: bool = True) -> Share:
    """Their part of the delivery charge now; nothing where the group has no charge."""
    line, _ = order.line(line_id)
    base = line.delivery.units(_placed(line, units)) if line.delivery else Share(taxes=(0,) * len(order.group_of(line).taxes))
    return sum((_of(layer, units) for layer in layers(order, line_id, delivery=True, apart=apart)), base)


def whole(order: Order, line_id: str) -> list[list[int]]:
    """Every unit of the line that was ever ordered."""
    return [[1, order.summary.lines[line_id].ordered]]


def layers(order: Order, line_id: str, *, delivery: bool, apart: bool = True) -> Iterator[Layer]:
    """The layers on a line, or on its part of the delivery charge, oldest first."""
    for change in order.changes.values():
        for layer in change.layers:
            if layer.line_id == line_id and layer.delivery == delivery and (apart or not layer.apart):
                yield layer


def _placed(line: PlacedLine, units: Units) -> list[list[int]]:
    """Those of the units that were ordered when the order was placed; what came later is worth what its layer says."""
    return [[first, min(last, line.quantity)] for first, last in units if first <= line.quantity]


def _of(layer: Layer, units: Units) -> Share:
    total = Share()
    for band in layer.bands:
        times = count(
            [[max(first, band.first), min(last, band.last)] for first, last in units if first <= band.last and last >= band.first]
        )
        if times:
            total += band.share * times
    return total
