"""Re-routing by hand: open work leaves its location and goes to another in the same commit, or nothing changes."""

from __future__ import annotations

from collections.abc import Mapping

from oms.errors import Conflict, Fault, NotFound
from oms.fulfillment.allocate import LINES_PER_ORDER, hand_out
from oms.fulfillment.attempts import note_attempt
from oms.fulfillment.capacity import Ahead
from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.work import check, settle_status, take_back
from oms.orders.order import Order
from oms.routing.serving import Left, StockRows, pin
from oms.routing.sourcing import source
from oms.settings import Settings
from oms.wire import Text, Wire


class DrainRequest(Wire):
    """`POST /v1/locations/{id}/drain`: why all its open work goes elsewhere."""

    reason: Text


def reroute(
    order: Order,
    fo: FulfillmentOrder,
    stock: StockRows,
    settings: Settings,
    left: Left | None = None,
    ahead: Ahead | None = None,
    *,
    to: str | None = None,
    reason: str = "",
) -> list[FulfillmentOrder]:
    """Give what is open of a fulfillment order to other locations: to the one named, or to those the rules in force choose without this
    one. Returns the new fulfillment orders.

    Conflict, and nothing changed, when there is nothing open or not all of it can be served; it names what is short.
    """
    check(fo, "reroute")
    if to is not None and to not in settings.locations:
        raise NotFound(f"there is no location '{to}'")
    if to == fo.location_id:
        raise Conflict(f"{fo.id} is at {to} already")
    cause = f"re-routed{f': {reason}' if reason else ''}"
    wanted = take_back(order, fo, cause)
    if not wanted:
        raise Conflict(f"{fo.id} has nothing open")
    for line_id in wanted:
        order.summary.lines[line_id].attempts -= 1  # what a person moves is no refusal
    if to is not None:
        settings = settings.model_copy(update={"locations": {to: settings.locations[to]}})
        for line_id in wanted:
            _, state = order.line(line_id)
            state.excluded = [place for place in state.excluded if place != to]
    made = (
        _place_again(order, fo, stock, settings, left, ahead, to)
        if fo.replaces
        else _place(order, fo, wanted, stock, settings, left, ahead, to)
    )
    settle_status(order, fo)
    order.summary.attempts[-1:] = []  # it has its result already
    note_attempt(order, f"{fo.id} at {fo.location_id}: {cause}", result="allocated", places=[each.location_id for each in made])
    order.record("fulfillment_order.rerouted", fulfillment_order_id=fo.id, to=[each.id for each in made], reason=reason or None)
    return made


def _place(
    order: Order,
    fo: FulfillmentOrder,
    wanted: Mapping[str, int],
    stock: StockRows,
    settings: Settings,
    left: Left | None,
    ahead: Ahead | None,
    to: str | None,
) -> list[FulfillmentOrder]:
    group = order.group(fo.delivery_group)
    route = source(order, group, wanted, stock, settings, left=left)
    if route.unallocated:
        raise _short(order, route.unallocated, route.explanation.get("reason"), to)
    made: list[FulfillmentOrder] = []
    for place, units in sorted(route.take.items()):
        for line_id, quantity in units.items():
            _, state = order.line(line_id)
            pins = dict(state.pins)
            pin(order, line_id, place, quantity, stock)
            state.pins, state.allocated = pins, state.allocated + quantity
        rows = sorted(units.items())
        for start in range(0, len(rows), LINES_PER_ORDER):
            made.append(hand_out(order, group, place, dict(rows[start : start + LINES_PER_ORDER]), settings, route, left, ahead))
    return made


def _place_again(
    order: Order, fo: FulfillmentOrder, stock: StockRows, settings: Settings, left: Left | None, ahead: Ahead | None, to: str | None
) -> list[FulfillmentOrder]:
    """The same for a replacement."""
    from oms.fulfillment.replacements import place_replacements  # noqa: PLC0415 few orders have any

    known = set(order.fulfillment_orders)
    faults = place_replacements(order, stock, settings, left, ahead, cause_id=fo.replaces)
    if faults:
        raise Conflict(_nowhere(to), kind="out-of-stock", errors=faults)
    return [each for each in order.fulfillment_orders.values() if each.id not in known]


def _nowhere(to: str | None) -> str:
    return f"{to} cannot serve it" if to else "no other location can serve it"


def _short(order: Order, unallocated: dict[str, int], why: str | None, to: str | None) -> Conflict:
    sku = {line.id: line.sku for line in order.every_line}
    faults = [Fault(f"{units} of {sku[line_id]} (line {line_id}): {why or 'not in stock'}") for line_id, units in unallocated.items()]
    return Conflict(_nowhere(to), kind="out-of-stock", errors=faults)
