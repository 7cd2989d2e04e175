"""Reserving: every unit of an order gets a place, by the same search that Allocate confirms, or waits for stock where it may."""

from __future__ import annotations

from collections.abc import Collection

from oms.errors import Conflict, Fault
from oms.inventory.backorders import wait_in_line
from oms.inventory.promises import promise_from_stock
from oms.orders.order import Order
from oms.orders.quantities import open_units, reserved
from oms.routing.model import Plan
from oms.routing.serving import Left, StockRows, pin
from oms.routing.sourcing import source
from oms.settings import Settings


def reserve(
    order: Order,
    stock: StockRows,
    settings: Settings,
    left: Left | None = None,
    *,
    only: Collection[str] | None = None,
    or_hold: bool = False,
) -> None:
    """Pin every open unit to a place, by the rules in force, each delivery group by itself; what may wait and has no stock waits. `only`:
    units of these lines. `or_hold`: lines that cannot be served hold the order.

    Conflict naming the lines that cannot be served, each with the reason.
    """
    faults: list[Fault] = []
    positions = {line.id: index for index, line in enumerate(order.every_line)}
    for group in order.groups:
        lines_ = [(line, state) for line, state in order.lines_of(group) if only is None or line.id in only]
        wanted = {line.id: open_units(state) - reserved(state) for line, state in lines_}
        route = source(order, group, wanted, stock, settings, left=left)
        for place, lines in route.take.items():
            for line_id, units in lines.items():
                pin(order, line_id, place, units, stock)
        for line_id, short in route.unallocated.items():
            line, state = order.line(line_id)
            if line.backorder != "allow" or not wait_in_line(order, line_id, short, stock, settings):
                faults.append(Fault(shortage(line.sku, short, state.ordered, route), f"/lines/{positions[line.id]}/quantity"))
    for line, state in order.lines():
        if state.pins and not state.backordered and (only is None or line.id in only):
            promise_from_stock(order, line.id, settings, order.placed.placed_at)
    if faults and or_hold:
        from oms.orders.problems import hold_short  # noqa: PLC0415 it is seldom, and every cold start would pay for it

        hold_short(order, [fault.detail for fault in faults])
    elif faults:
        raise Conflict("stock is short", kind="out-of-stock", errors=faults)


def shortage(sku: str, short: int, ordered: int, route: Plan) -> str:
    """What is not there, and which rule is in the way if it is not plainly the stock."""
    reasons = [reason for reason in route.explanation.get("reason", "").split("; ") if reason and not reason.startswith("not enough stock")]
    return f"{short} of {ordered} {sku} are not in stock" + (f" ({'; '.join(reasons)})" if reasons else "")
