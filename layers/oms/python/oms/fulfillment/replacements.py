"""Replacements: units that were sold and sent leave a second time, for nothing, by a fulfillment order of their own.

A replacement carries the numbers, and so the shares, of the units it replaces. It never counts as allocated, shipped or delivered: what
was sold was sent already. Its stock is reserved like any other, at concrete places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oms.errors import Fault
from oms.fulfillment.allocate import hand_out, portions
from oms.fulfillment.capacity import Ahead
from oms.money.units import Units, count, lowest, minus, union
from oms.orders.order import Order
from oms.orders.reserve import shortage
from oms.payments.records import ChangeLine
from oms.routing.serving import Left, StockRows, sale
from oms.routing.sourcing import source
from oms.service.changes import begin_change, go_on
from oms.service.pay_back import pay_back
from oms.service.stages import returning_units
from oms.settings import Settings


def replace_units(order: Order, line_id: str, units: Units, cause_id: str, reason: str | None = None) -> None:
    """These units are to be sent once more. `cause_id`: the change or return they are replaced for. They have no place yet: who calls this
    calls `place_replacements` next, or `reopen` (oms.fulfillment.work) so that Allocate does."""
    if not units:
        return
    state = order.summary.lines[line_id]
    state.reshipped += count(units)
    state.to_replace = {**state.to_replace, cause_id: union(state.to_replace.get(cause_id, []), units)}
    numbers = [list(run) for run in units]
    order.record("order.units_replaced", line_id=line_id, quantity=count(units), units=numbers, cause_id=cause_id, reason=reason)


def place_replacements(
    order: Order,
    stock: StockRows,
    settings: Settings,
    left: Left | None = None,
    ahead: Ahead | None = None,
    *,
    cause_id: str | None = None,
    pointer: Callable[[str], str] = lambda line_id: "",
) -> list[Fault]:
    """Reserve stock for units that are to be replaced (`cause_id`: for this only), and hand the work out, in this very commit. Returns what
    no location can serve, line by line; those units stay as they are. An order that is held for allocation gets nothing.

    `stock`: the rows of the lines' SKUs, which oms.fulfillment.allocate.needs_stock names. `left` and `ahead`: what locations of limited
    capacity still take. `pointer`: where a request names a line.
    """
    faults: list[Fault] = []
    for cause in _causes(order, cause_id):
        for group in order.groups:
            wanted = {line.id: count(state.to_replace[cause]) for line, state in order.lines_of(group) if cause in state.to_replace}
            if not wanted:
                continue
            if order.open_holds("allocate"):
                faults += [Fault(f"line '{line_id}': the order is held; release its holds first", pointer(line_id)) for line_id in wanted]
                continue
            route = source(order, group, _worth_trying(order, wanted, settings), stock, settings, left=left)
            for place, at in sorted(route.take.items()):
                for lines in portions(order, at):
                    units = {line_id: _take(order, cause, line_id, quantity) for line_id, quantity in lines.items()}
                    for line_id, quantity in lines.items():
                        order.stock += sale(order.line(line_id)[0].sku, place, quantity, stock, order.stock, order.draw)
                    hand_out(order, group, place, lines, settings, route, left, ahead, replaces=cause, units=units)
            for line_id, quantity in wanted.items():
                line, state = order.line(line_id)
                if missing := count(state.to_replace.get(cause, [])):
                    faults.append(Fault(f"line '{line_id}': {shortage(line.sku, missing, quantity, route)}", pointer(line_id)))
    return faults


def give_up_replacements(order: Order, reason: str) -> None:
    """What no location can send again is not sent again: the customer is paid back what those units are still worth, but for those that
    have come back, or are on their way: their return pays for them."""
    units = _unplaced(order)
    kept = kept_unplaced(order)
    change = begin_change(order, "reshipment", "allocate", reason=reason)
    for line_id, mine in units.items():
        state = order.summary.lines[line_id]
        state.reshipped -= sum(map(count, state.to_replace.values()))
        state.to_replace = {}
        change.lines.append(ChangeLine(line_id=line_id, units=mine, reason=reason))
        order.record("order.replacement_cancelled", line_id=line_id, quantity=count(mine), units=mine, reason=reason)
    pay_back(order, change, kept)
    go_on(order, change)


def kept_unplaced(order: Order) -> dict[str, list[list[int]]]:
    """Units that are to be sent once more and have no place, per line; none that have come back, or are on their way."""
    kept = {line_id: minus(mine, returning_units(order, line_id)) for line_id, mine in _unplaced(order).items()}
    return {line_id: mine for line_id, mine in kept.items() if mine}


def _unplaced(order: Order) -> dict[str, list[list[int]]]:
    return {line.id: union(*state.to_replace.values()) for line, state in order.lines() if state.to_replace}


def replaced(order: Order, line_id: str) -> list[list[int]]:
    """Units of a line that were sent once more, or are to be; none whose replacement was written off."""
    waiting = order.summary.lines[line_id].to_replace.values()
    work = [fo.lines[line_id].units for fo in order.fulfillment_orders.values() if fo.replaces and line_id in fo.lines]
    return union(*waiting, *work, *(parcel.brings(line_id) for parcel in order.shipments.values() if parcel.replaces))


def _causes(order: Order, only: str | None) -> list[str]:
    found = dict.fromkeys(cause for state in order.summary.lines.values() for cause in state.to_replace)
    return [cause for cause in found if only in (None, cause)]


def _worth_trying(order: Order, wanted: Mapping[str, int], settings: Settings) -> dict[str, int]:
    """What has been refused too often has no better chance now."""
    most = settings.channel(order.placed.channel).most_attempts
    return {line_id: units if order.summary.lines[line_id].attempts < most else 0 for line_id, units in wanted.items()}


def _take(order: Order, cause: str, line_id: str, quantity: int) -> list[list[int]]:
    """The lowest units of a line that wait to be replaced for this: they have a place now."""
    state = order.summary.lines[line_id]
    units = lowest(state.to_replace[cause], quantity)
    rest = {**state.to_replace, cause: minus(state.to_replace[cause], units)}
    state.to_replace = {each: runs for each, runs in rest.items() if runs}
    return units
