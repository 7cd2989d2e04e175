"""Units that wait for stock: a debt on one row of their SKU, a place in the queue, and a promise."""

from __future__ import annotations

from collections.abc import Sequence

from oms.clock import later
from oms.inventory import shards
from oms.inventory.promises import expected_behind, promise, promise_from_stock
from oms.inventory.stock import Stock
from oms.orders.order import Order, StockChange
from oms.orders.records import Waiting
from oms.routing.serving import StockRows
from oms.routing.sourcing import may_come_from, source
from oms.settings import Location, Settings


def wait_in_line(order: Order, line_id: str, units: int, stock: StockRows, settings: Settings) -> bool:
    """Backorder units of a line; False if no location may ever serve it, or its time of waiting is over.

    Their debt stands where supply is expected first, else at the location of the best priority.
    """
    line, state = order.line(line_id)
    rows = stock.get(line.sku, ())
    asked = order.place_in_queue(line, state)
    stand = home(line.sku, asked, rows, settings, order.now)
    if stand is None or (order.summary.v and not order.half_taken and wait_is_over(order, settings)):
        return False
    places = {place.id for place in may_come_from(line.sku, asked, settings, order.now)}
    before = sum(row.queued - max(0, row.spare) for row in rows if row.location_id in places) - state.backordered
    before += sum(change.queue for change in order.stock if change.sku == line.sku)
    state.backordered += units
    order.stock.append(StockChange(line.sku, stand.id, queue=units))
    waiting = order.place_in_queue(line, state)
    promise(order, line_id, expected_behind(line.sku, waiting, max(0, before), rows, settings, order.now))
    return True


def home(sku: str, waiting: Waiting, rows: Sequence[Stock], settings: Settings, now: str, besides: str = "") -> Location | None:
    """Where a debt stands while there is no stock: where supply is expected first, else at the location of the best priority."""
    coming = {row.location_id: min(str(each["expected_at"]) for each in row.futures) for row in rows if row.futures}
    places = [place for place in may_come_from(sku, waiting, settings, now) if place.id != besides]
    return min(places, key=lambda place: (coming.get(place.id, "~"), place.priority, place.id), default=None)


def wait_is_over(order: Order, settings: Settings) -> bool:
    """Whether the order has waited for stock as long as its channel lets it."""
    return order.now >= later(order.placed.placed_at, days=settings.channel(order.placed.channel).backorder_days)


def end_wait(order: Order, line_id: str, reason: str) -> int:
    """Take a line out of the queue; its units are open again and must be served now or never. Returns how many they were."""
    line, state = order.line(line_id)
    units = state.backordered
    if units:
        state.backordered, state.promise = 0, None
        order.stock.append(StockChange(line.sku, "", queue=-units))
        order.record("backorder.ended", line_id=line_id, units=units, reason=reason)
    return units


def grant(order: Order, line_id: str, stock: StockRows, settings: Settings) -> int:
    """Pin waiting units of a line to places that have goods, whether these are owed to the queue there or not. Returns how many.

    Each unit gives up a debt: at the place that serves it, or else wherever one stands.
    """
    line, state = order.line(line_id)
    if not state.backordered:
        return 0
    rows = {row.location_id: row for row in stock.get(line.sku, ())}
    spare = {line.sku: [row.model_copy(update={"available": row.spare}) for row in rows.values()]}
    route = source(order, order.group_of(line), {line_id: state.backordered}, spare, settings)
    granted = 0
    for place, lines in sorted(route.take.items()):
        units = lines[line_id]
        order.stock += _from_row(order, rows[place], units)
        state.pins[place] = state.pins.get(place, 0) + units
        state.backordered -= units
        granted += units
        order.record("backorder.granted", line_id=line_id, units=units, location_id=place)
    if granted and not state.backordered:
        promise_from_stock(order, line_id, settings, order.now)
    return granted


def _from_row(order: Order, row: Stock, units: int) -> list[StockChange]:
    """Reserve units that are not promised to anybody. Debts, and what arrives, are on row 0 of a hot item; its other rows may have more."""
    owed = min(units, row.queued)
    first = min(units, max(0, row.parts.get(0, row.available) + row.queued))
    others = {shard: available for shard, available in row.parts.items() if shard}
    rest = shards.take(units - first, others, shards.order(max(others, default=0) + 1, order.draw))
    first = units - sum(rest.values())
    changes = [StockChange(row.sku, row.location_id, reserve=first, queue=-owed)]
    changes += [StockChange(row.sku, row.location_id, reserve=part, shard=shard) for shard, part in rest.items()]
    return [*changes, StockChange(row.sku, "", queue=owed - units)] if units > owed else changes
