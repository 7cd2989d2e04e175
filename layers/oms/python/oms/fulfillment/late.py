"""A location ships what was taken back from it: the goods have left, so it is recorded as the fact it is, and a person is told.

Each unit takes the place of one that has not left yet (on another fulfillment order, reserved, waiting): that one is taken back, so nothing
is shipped or charged twice. Where none is left (the other parcel has gone too, or the unit was cancelled), only the stock falls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.requests import Package, PackageLine, ShipRequest
from oms.fulfillment.work import OPEN, new_packages, settle_status
from oms.inventory.stock import Stock
from oms.money.units import count, lowest, minus, union
from oms.orders.order import Order, StockChange
from oms.orders.quantities import open_units, reserved
from oms.service.opening import exception_about, put_before_somebody

KIND = "shipped_after_reroute"
_HINT = "The goods left after their work was given to others. Where a second parcel has gone too, ask for one back; then resolve it."


def late_units(order: Order, fo: FulfillmentOrder, request: ShipRequest) -> dict[str, int]:
    """Units per line that the location ships although they were taken back from it; empty for any other request, right or wrong."""
    asked: Counter[str] = Counter()
    for package in new_packages(order, fo, request):
        for row in package.lines:
            asked[row.line_id] += row.quantity
    lines = fo.lines
    over = {line_id: units - lines[line_id].open for line_id, units in asked.items() if line_id in lines and units > lines[line_id].open}
    return over if all(units <= lines[line_id].taken_back for line_id, units in over.items()) else {}


def reclaim(
    order: Order, fo: FulfillmentOrder, request: ShipRequest, late: Mapping[str, int], stock: Mapping[str, Stock]
) -> ShipRequest | None:
    """Put late units back on their fulfillment order, out of wherever they are now, and raise the exception that names both.

    `stock`: the location's row of each SKU. What the books no longer have (it was counted since) cannot leave them again; what others
    have reserved meanwhile is told as short. Returns what of the request can be shipped in the usual way; None if nothing.
    """
    from_, twice = {}, {}
    for line_id, units in sorted(late.items()):
        line, _ = order.line(line_id)
        found = (_sent_again if fo.replaces else _replaced)(order, fo, line_id, units)
        matched = sum(found.values())
        row = fo.lines[line_id]
        books = stock.get(line.sku) or Stock(sku=line.sku, location_id=fo.location_id)
        there = max(0, books.on_hand - row.open)
        row.taken_back -= units
        row.rejected -= matched
        # Shipping gives the reservation back and takes the goods: here the first is gone already, the second perhaps.
        missing = max(0, matched - there)
        order.stock.append(StockChange(line.sku, fo.location_id, reserve=matched, on_hand=missing))
        surplus = min(units - matched, there - (matched - missing))
        if surplus:
            order.stock.append(StockChange(line.sku, fo.location_id, on_hand=-surplus))
        short = books.reserved - books.on_hand + min(units, there)
        if short > 0:
            where = {"sku": line.sku, "location_id": fo.location_id}
            order.news.append((line.sku, "stock.short", {**where, "units": short, "counted_at": order.now}))
        from_[line_id] = found
        if units > matched:
            twice[line_id] = units - matched
    if any(row.open for row in fo.lines.values()):
        _take_up(order, fo)
    _raise(order, fo, request, from_, twice)
    return _without(request, twice)


def told_before(order: Order, fo: FulfillmentOrder, request: ShipRequest) -> bool:
    """Whether the location has reported these very parcels before, and nothing of them could be shipped in the usual way."""
    return bool(new_packages(order, fo, request)) and _exception_id(order, fo, request) in order.exceptions


def _exception_id(order: Order, fo: FulfillmentOrder, request: ShipRequest) -> str:
    """One per report of a location; parcels without a name are always news."""
    names = [package.reference or package.tracking_number for package in request.packages]
    return exception_about(order, f"{fo.id}/{KIND}/{'/'.join(map(str, names)) if all(names) else order.summary.sequence}")


def _replaced(order: Order, fo: FulfillmentOrder, line_id: str, units: int) -> dict[str, int]:
    """Take units of a line from where they are now, and count them as allocated here: from whom how many."""
    line, state = order.line(line_id)
    found: dict[str, int] = {}

    def take(name: str, there: int) -> int:
        part = min(there, units - sum(found.values()))
        if part > 0:
            found[name] = part
        return max(0, part)

    loose = take("units without a place", open_units(state) - reserved(state))
    state.allocated += loose
    for place in sorted(state.pins):
        part = take(f"reserved at {place}", state.pins[place])
        state.pins[place] -= part
        state.allocated += part
        order.stock.append(StockChange(line.sku, place, reserve=-part))
    state.pins = {place: left for place, left in state.pins.items() if left}
    waiting = take("units that waited", state.backordered)
    if waiting:
        state.backordered -= waiting
        state.allocated += waiting
        order.stock.append(StockChange(line.sku, "", queue=-waiting))
        state.promise = state.promise if state.backordered else None
    for other in _same_work(order, fo, line_id):
        part = take(other.id, other.lines[line_id].open)
        if part:
            _take_from(order, fo, other, line_id, part)
    return found


def _sent_again(order: Order, fo: FulfillmentOrder, line_id: str, units: int) -> dict[str, int]:
    """The same for a replacement: its units wait for a place, or are on other work for the same cause."""
    row, state, cause = fo.lines[line_id], order.summary.lines[line_id], fo.replaces or ""
    found: dict[str, int] = {}
    waiting = state.to_replace.get(cause, [])
    mine = lowest(waiting, min(units, count(waiting)))
    if mine:
        found["units without a place"] = count(mine)
        rest = {**state.to_replace, cause: minus(waiting, mine)}
        state.to_replace = {each: runs for each, runs in rest.items() if runs}
    for other in _same_work(order, fo, line_id):
        there = other.lines[line_id]
        part = lowest(there.units, min(units - sum(found.values()), count(there.units)))
        if part:
            found[other.id] = count(part)
            there.units, mine = minus(there.units, part), union(mine, part)
            _take_from(order, fo, other, line_id, count(part))
    row.units = union(row.units, mine)
    return found


def _same_work(order: Order, fo: FulfillmentOrder, line_id: str) -> list[FulfillmentOrder]:
    """Other work with the line that is of the same kind: what was ordered, or what replaces it for the same cause."""
    every = order.fulfillment_orders.values()
    return [each for each in every if each.id != fo.id and line_id in each.lines and each.replaces == fo.replaces]


def _take_from(order: Order, fo: FulfillmentOrder, other: FulfillmentOrder, line_id: str, units: int) -> None:
    other.lines[line_id].rejected += units
    order.stock.append(StockChange(order.line(line_id)[0].sku, other.location_id, reserve=-units))
    settle_status(order, other)
    order.record("fulfillment_order.rejected", fulfillment_order_id=other.id, lines={line_id: units}, reason=f"{fo.id} has shipped it")


def _take_up(order: Order, fo: FulfillmentOrder) -> None:
    """Work that had ended goes on; its execution has ended too, unless it still waits and will look by itself."""
    if fo.status in (*OPEN, "on_hold"):
        return
    wait = order.waits.get(fo.id)
    if wait is None or order.relayed.resumed.get(fo.id) == wait.entered:
        fo.run += 1
        order.record("fulfillment_order.reopened", fulfillment_order_id=fo.id, run=fo.run)
    fo.status = "partially_shipped" if order.shipments_of(fo.id) else "released"


def _raise(
    order: Order, fo: FulfillmentOrder, request: ShipRequest, from_: Mapping[str, Mapping[str, int]], twice: Mapping[str, int]
) -> None:
    names = ", ".join(package.tracking_number or package.reference or "a parcel" for package in request.packages)
    taken = [f"line {line_id}: {units} of {name}" for line_id, found in from_.items() for name, units in found.items()]
    also = [f"line {line_id}: {units}" for line_id, units in twice.items()]
    said = [f"it takes the place of {'; '.join(taken)}"] if taken else []
    said += [f"nothing is left to take back for {'; '.join(also)}: these units leave a second time or were cancelled"] if also else []
    others = sorted({name for found in from_.values() for name in found if name.startswith("fo_")} or _others(order, fo, twice))
    cause = f"{fo.id} at {fo.location_id} shipped {names} after its work was given to {', '.join(others) or 'nobody'}; {'; '.join(said)}"
    put_before_somebody(
        order,
        _exception_id(order, fo, request),
        kind=KIND,
        step="Ship",
        cause=cause,
        hint=_HINT,
        actions=["resolve:accept", "abandon"],
        subject=fo.id,
    )


def _others(order: Order, fo: FulfillmentOrder, lines: Mapping[str, int]) -> set[str]:
    return {each.id for each in order.fulfillment_orders.values() if each.id != fo.id and lines.keys() & each.lines.keys()}


def _without(request: ShipRequest, surplus: Mapping[str, int]) -> ShipRequest | None:
    """The request without the units that cannot be shipped in the usual way, taken off its last packages."""
    left = dict(surplus)
    packages: list[Package] = []
    for package in reversed(request.packages):
        rows: list[PackageLine] = []
        for row in package.lines:
            off = min(row.quantity, left.get(row.line_id, 0))
            left[row.line_id] = left.get(row.line_id, 0) - off
            if row.quantity > off:
                rows.append(row.model_copy(update={"quantity": row.quantity - off}))
        if rows:
            packages.insert(0, package.model_copy(update={"lines": rows}))
    return request.model_copy(update={"packages": packages}) if packages or request.short else None
