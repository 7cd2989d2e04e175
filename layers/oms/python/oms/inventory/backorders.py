"""Units that wait for stock: a debt on one row of their SKU, a place in the queue, and a promise."""

from __future__ import annotations

from oms.orders.order import Order, StockChange
from oms.routing.sourcing import StockRows, may_serve
from oms.settings import Settings


def wait_in_line(order: Order, line_id: str, units: int, stock: StockRows, settings: Settings) -> bool:
    """Backorder units of a line; False if no location may ever serve it.

    Their debt stands where supply is expected first, else at the location of the best priority.
    """
    line, state = order.line(line_id)
    places = may_serve(order, line, settings)
    coming = {row.location_id: min(str(f["expected_at"]) for f in row.futures) for row in stock.get(line.sku, ()) if row.futures}
    first = min(places, key=lambda place: (coming.get(place.id, "~"), place.priority, place.id), default=None)
    if first is None:
        return False
    state.backordered += units
    order.stock.append(StockChange(line.sku, first.id, queue=units))
    return True


def grant(order: Order, line_id: str, place: str, units: int) -> None:
    """Waiting units get goods that are free at a place and owed to the queue there."""
    line, state = order.line(line_id)
    state.backordered -= units
    state.pins[place] = state.pins.get(place, 0) + units
    order.stock.append(StockChange(line.sku, place, reserve=units, queue=-units))
    order.record("backorder.granted", line_id=line_id, units=units, location_id=place)
