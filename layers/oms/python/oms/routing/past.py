"""Past orders as the simulator sees them: what they wanted, by when, and what they took from where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from oms.clock import later
from oms.orders.order import Order
from oms.orders.quantities import kept
from oms.orders.records import PROCESSING_HOURS, TRANSIT_DAYS, LineState, PlacedGroup
from oms.routing.model import Demand, Destination, Place
from oms.routing.simulate import Case
from oms.settings import Settings

PlacesFor = Callable[[str, PlacedGroup], Sequence[Place]]
"""The places that a delivery group of a channel chooses from."""
Units = dict[str, dict[str, int]]
"""Units per place and SKU."""


def cases_of(order: Order, places_for: PlacesFor, settings: Settings) -> Iterator[Case]:
    """A case for each delivery group, of the units that were not cancelled; none where nothing is left."""
    for group in order.groups:
        rows = [(line, state) for line, state in order.lines_of(group) if kept(state) > 0]
        if rows:
            yield Case(
                order_id=order.id,
                group_id=group.id,
                demands=[Demand(line.id, line.sku, kept(state), line.product or {}) for line, state in rows],
                destination=_destination(group),
                places=places_for(order.placed.channel, group),
                placed_at=order.placed.placed_at,
                channel=order.placed.channel,
                due=group.desired_date or promised([state for _, state in rows], order.placed.placed_at),
                transit_days=settings.method(group.method).transit_days_max,
                sent=group.type == "ship",
            )


def promised(states: Sequence[LineState], placed_at: str) -> str:
    """When the last line was promised at the latest; empty if some line was promised no date. What is not stored is the usual promise."""
    usual = usually(placed_at)
    dates = [state.promise.latest if state.promise else usual for state in states]
    return max((date or "" for date in dates), default="") if all(dates) else ""


def usually(placed_at: str) -> str:
    """The latest arrival that is promised where nobody has set anything else."""
    return later(placed_at, hours=PROCESSING_HOURS, days=TRANSIT_DAYS[1])


def took(order: Order) -> Units:
    """Units that the order has reserved or got, per place and SKU; what came back to the shelf is not counted."""
    skus = {line.id: line.sku for line in order.every_line}
    pinned = [(place, line_id, units) for line_id, state in order.summary.lines.items() for place, units in state.pins.items()]
    worked = [
        (fo.location_id, line_id, row.quantity - row.rejected - row.cancelled)
        for fo in order.fulfillment_orders.values()
        for line_id, row in fo.lines.items()
    ]
    back = [
        (receipt.location_id, receipt.line_id, -receipt.quantity)
        for ret in order.returns.values()
        for receipt in ret.receipts
        if receipt.settled and receipt.disposition == "restock"
    ]
    out: Units = {}
    for place, line_id, units in [*pinned, *worked, *back]:
        at = out.setdefault(place, {})
        at[skus[line_id]] = at.get(skus[line_id], 0) + units
    return out


def _destination(group: PlacedGroup) -> Destination:
    to = group.destination
    return Destination(to.country, to.postal_area, to.latitude, to.longitude)
