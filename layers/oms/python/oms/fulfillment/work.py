"""The hand-shake with a warehouse or store: which action is allowed in which status, as one table, and what each action does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from oms.errors import Conflict, Fault, NotFound, invalid
from oms.fulfillment.arrivals import arrive
from oms.fulfillment.attempts import note_attempt
from oms.fulfillment.records import FulfillmentOrder, Shipment
from oms.fulfillment.requests import CollectRequest, Package, PackageLine, RejectRequest, ShipRequest
from oms.money.units import Units, count, highest, lowest, minus, union
from oms.orders.order import Claim, Order, StockChange
from oms.orders.quantities import needs_place
from oms.orders.records import LineState
from oms.payments.cover import hold_uncovered
from oms.payments.records import Change
from oms.service import recalls
from oms.service.stages import free_units

OPEN = ("released", "accepted", "picking", "packed", "ready_for_pickup", "partially_shipped")
"""Statuses in which the location has work to do."""

ACTIONS: dict[str, tuple[tuple[str, ...], str | None]] = {
    "accept": (("released",), "accepted"),
    "pick": (("released", "accepted"), "picking"),
    "pack": (("released", "accepted", "picking"), "packed"),
    "ready": (("released", "accepted", "picking", "packed"), "ready_for_pickup"),
    "hold": (OPEN, "on_hold"),
    "release": (("on_hold",), None),
    "reject": (OPEN, None),
    "reroute": ((*OPEN, "on_hold"), None),
    "ship": (OPEN, None),
    "collect": (OPEN, None),
    "deliver": (("shipped", "partially_shipped"), None),
    "expire": ((*OPEN, "on_hold"), None),
}
"""Action: the statuses it is allowed in, and the status it leads to (None: it depends)."""
_FOLLOWED_AT_ONCE = 60
_VERBS = {"accept": "accepted", "pick": "picking", "pack": "packed", "ready": "ready_for_pickup", "hold": "held", "release": "released"}


Effects = Mapping[str, str]
"""What a reason says about the stock of what it was given for: "zero" or "recount"; the others say nothing."""


def check(fo: FulfillmentOrder, action: str) -> None:
    """Conflict unless the action is allowed in the present status."""
    allowed, _ = ACTIONS[action]
    if fo.status not in allowed:
        raise Conflict(f"{fo.id} is {fo.status}; {action} is possible when it is {' or '.join(allowed)}")


def advance(order: Order, fo: FulfillmentOrder, action: str) -> None:
    """The actions that only move the status. Repeating the last one changes nothing."""
    if action not in _VERBS:
        raise _no_action(action)
    _, target = ACTIONS[action]
    if fo.status == target:
        return
    check(fo, action)
    if action == "hold":
        fo.held_from, fo.held_by = fo.status, "location"
    if action == "release":
        if fo.held_by == "order":
            raise Conflict(f"{fo.id} is held by holds of its order; release those")
        if fo.held_by == "payment":
            raise Conflict(f"{fo.id} is held until its share is paid or authorized; another tender or a payment link releases it")
        target, fo.held_from, fo.held_by = fo.held_from or "released", None, None
    fo.status = target or fo.status
    order.record(f"fulfillment_order.{_VERBS[action]}", fulfillment_order_id=fo.id)


def to_follow(order: Order) -> list[FulfillmentOrder]:
    """Work that does not yet stand as the order's holds want it."""
    held = order.open_holds("ship")
    return [fo for fo in order.fulfillment_orders.values() if (fo.status in OPEN if held else fo.held_by == "order")]


def follow_holds(order: Order) -> None:
    """A hold of the order that blocks shipping holds its released work; when the last one goes, the work goes on where it was. So much of
    it as one transaction has room for; the rest of a large order follows in others (`to_follow`), and cannot be shipped meanwhile."""
    held = order.open_holds("ship")
    for fo in to_follow(order)[:_FOLLOWED_AT_ONCE]:
        if held:
            fo.held_from, fo.held_by, fo.status = fo.status, "order", "on_hold"
            order.record("fulfillment_order.held", fulfillment_order_id=fo.id)
        else:
            fo.status, fo.held_from, fo.held_by = fo.held_from or "released", None, None
            order.record("fulfillment_order.released", fulfillment_order_id=fo.id)
    hold_uncovered(order)


def new_packages(order: Order, fo: FulfillmentOrder, request: ShipRequest) -> list[Package]:
    """The packages of a request that are not recorded yet."""
    known = {shipment.reference for shipment in order.shipments_of(fo.id)}
    return [package for package in request.packages if _reference(package) is None or _reference(package) not in known]


def ship(order: Order, fo: FulfillmentOrder, request: ShipRequest, tracked: dict[str, Claim], effects: Effects | None = None) -> None:
    """Record what left and what was picked short. A package whose reference is known already counts once.

    `tracked` holds the claim of each new tracking number. Conflict if more is shipped than is open; Invalid for unknown lines.
    """
    new = new_packages(order, fo, request)
    if not request.packages and not request.short:
        raise invalid(Fault("name at least one package, or what is short", "/packages"))
    _check_names(request.packages)
    if not new and not request.short:
        return
    check(fo, "ship")
    if order.open_holds("ship"):
        raise Conflict(f"order {order.placed.order_number} is held; release its holds that block shipping first")
    _check_tracking(order, new)
    _check_quantities(fo, new, request.short, "/short")
    concerned: dict[str, Change] = {}
    for package in new:
        _send(order, fo, package, tracked, concerned)
    for reason in dict.fromkeys(row.reason for row in request.short):
        give_back(order, fo, _summed([row for row in request.short if row.reason == reason]), reason, effects)
    close_work(order, fo)
    for change in concerned.values():
        recalls.decide(order, change)
    reopen(order)


def reject(order: Order, fo: FulfillmentOrder, request: RejectRequest, effects: Effects | None = None) -> None:
    """The location does not do (a part of) the work; the units are routed again, elsewhere. What its reason says of its stock holds."""
    check(fo, "reject")
    rows = request.lines
    everything = {line_id: line.open for line_id, line in fo.lines.items()}
    quantities = everything if rows is None else _summed(rows)
    if rows is not None:
        _check_quantities(fo, [], rows, "/lines")
    give_back(order, fo, {line_id: quantity for line_id, quantity in quantities.items() if quantity}, request.reason, effects)
    close_work(order, fo)
    reopen(order)


def expire(order: Order, fo: FulfillmentOrder) -> None:
    """Nobody shipped in time: what is open goes back and is routed again."""
    if fo.status not in ACTIONS["expire"][0]:
        return
    take_back(order, fo, "not shipped in time")
    close_work(order, fo)
    if fo.status == "rejected":
        fo.status = "expired"
    order.record("fulfillment_order.expired", fulfillment_order_id=fo.id)
    reopen(order)


def collect(order: Order, fo: FulfillmentOrder, request: CollectRequest) -> None:
    """Handed over the counter: all open units are shipped and delivered at once."""
    check(fo, "collect")
    lines = [PackageLine(line_id=line_id, quantity=line.open) for line_id, line in fo.lines.items() if line.open]
    package = Package(reference="collected", lines=lines)
    ship(order, fo, ShipRequest(packages=[package]), {})
    arrive(order, order.under_way(fo.id), order.now)


def deliver(order: Order, fo: FulfillmentOrder) -> None:
    """Somebody other than a carrier confirms that all parcels have arrived."""
    check(fo, "deliver")
    arrive(order, order.under_way(fo.id), order.now)


def _no_action(action: str) -> NotFound:
    return NotFound(f"a fulfillment order has no action '{action}'; it has {', '.join(sorted(set(ACTIONS) - {'expire'}))}")


def _reference(package: Package) -> str | None:
    return package.reference or package.tracking_number


def _check_names(packages: list[Package]) -> None:
    """A reference, and a tracking number, names one package of a request."""
    for field in ("reference", "tracking_number"):
        names = [getattr(package, field) for package in packages]
        twice = [index for index, name in enumerate(names) if name is not None and name in names[:index]]
        if twice:
            raise invalid(*(Fault("another package of this request has it too", f"/packages/{index}/{field}") for index in twice))


def _check_quantities(fo: FulfillmentOrder, packages: list[Package], rest: Sequence[PackageLine], place_of_rest: str) -> None:
    asked: dict[str, int] = {}
    faults: list[Fault] = []
    named = [(f"/packages/{i}/lines/{j}", row) for i, package in enumerate(packages) for j, row in enumerate(package.lines)]
    named += [(f"{place_of_rest}/{i}", row) for i, row in enumerate(rest)]
    for place, row in named:
        if row.line_id not in fo.lines:
            faults.append(Fault(f"{fo.id} has no line '{row.line_id}'", f"{place}/line_id"))
        asked[row.line_id] = asked.get(row.line_id, 0) + row.quantity
    if faults:
        raise invalid(*faults)
    over = [f"line {k}: {quantity} asked, {fo.lines[k].open} open" for k, quantity in asked.items() if quantity > fo.lines[k].open]
    if over:
        raise Conflict(f"more than is open on {fo.id}: {'; '.join(over)}")


def _check_tracking(order: Order, packages: list[Package]) -> None:
    """A tracking number is one parcel's: news of two could not be told apart."""
    used = {parcel.tracking_number: parcel.id for parcel in order.shipments.values() if parcel.tracking_number}
    for number in (package.tracking_number for package in packages):
        if number in used:
            raise Conflict(f"tracking number {number} belongs to shipment {used[number]}", kind="duplicate-tracking-number")


def _summed(rows: Sequence[PackageLine]) -> dict[str, int]:
    """Units per line; a line may be named more than once."""
    quantities: Counter[str] = Counter()
    for row in rows:
        quantities[row.line_id] += row.quantity
    return dict(quantities)


def _next_units(order: Order, fo: FulfillmentOrder, line_id: str, packed: Units, quantity: int) -> list[list[int]]:
    """The lowest free numbers; those that were asked back of this very work only when there are no others."""
    free = minus(free_units(order, line_id), packed)
    first = lowest(free, min(quantity, count(free)))
    asked = union(*(line.held for _, line in recalls.asked_of(order, fo.id, line_id)))
    return union(first, lowest(minus(asked, packed), quantity - count(first)))


def _send(order: Order, fo: FulfillmentOrder, package: Package, tracked: dict[str, Claim], concerned: dict[str, Change]) -> None:
    shipment_id = order.next_id("shp")
    shipment = Shipment(
        id=shipment_id,
        fulfillment_order_id=fo.id,
        reference=_reference(package) or shipment_id,
        carrier=package.carrier,
        tracking_number=package.tracking_number,
        tracking_url=package.tracking_url,
        status_at=order.now,
        shipped_at=order.now,
        lines={},
        replaces=fo.replaces,
    )
    for row in package.lines:
        line, state = order.line(row.line_id)
        work = fo.lines[line.id]
        work.shipped += row.quantity
        order.stock.append(StockChange(line.sku, fo.location_id, reserve=-row.quantity, on_hand=-row.quantity))
        if fo.replaces:
            units = lowest(work.units, row.quantity)
            shipment.lines[line.id], work.units = union(shipment.lines.get(line.id, []), units), minus(work.units, units)
            continue
        units = _next_units(order, fo, line.id, shipment.lines.get(line.id, []), row.quantity)
        shipment.lines[line.id] = union(shipment.lines.get(line.id, []), units)
        state.shipped += row.quantity
        for change in recalls.refuse_shipped(order, fo, line.id, units):
            concerned.setdefault(change.id, change)
    order.shipments[shipment.id] = shipment
    if package.tracking_number:
        claim = tracked[package.tracking_number]
        order.claims.append(Claim(claim.key, {"order_id": order.id, "shipment_id": shipment.id}, seen=claim.seen))
    order.record(
        "fulfillment_order.shipped",
        fulfillment_order_id=fo.id,
        shipment_id=shipment.id,
        tracking_number=package.tracking_number,
        lines={row.line_id: row.quantity for row in package.lines},
    )


def give_back(
    order: Order, fo: FulfillmentOrder, quantities: dict[str, int], reason: str, effects: Effects | None = None
) -> dict[str, int]:
    """Units leave the fulfillment order: their reservation is released and this place is not asked again for this line. Those that were
    asked back are cancelled. Returns the others, which go elsewhere.

    Where the reason says that the shelf is not what the books say, nothing more is sold of the SKU there until it is counted again.
    """
    quantities, concerned = recalls.stop_first(order, fo, quantities)
    for change in concerned:
        recalls.decide(order, change)
    effect = (effects or {}).get(reason.strip(), "none")
    block = f"{fo.id}/{order.summary.sequence + 1}" if effect != "none" else ""
    for line_id, quantity in quantities.items():
        line, state = order.line(line_id)
        fo.lines[line_id].rejected += quantity
        _lose_place(fo, line_id, state, quantity)
        state.attempts += 1
        if fo.location_id not in state.excluded:
            state.excluded.append(fo.location_id)
        order.stock.append(StockChange(line.sku, fo.location_id, reserve=-quantity, block=block))
    if block:
        told = {"location_id": fo.location_id, "effect": effect, "reason": reason, "cause": block}
        skus = sorted({order.line(line_id)[0].sku for line_id in quantities})
        order.news += [(sku, "stock.blocked", {"sku": sku, **told}) for sku in skus]
    if quantities:
        order.record("fulfillment_order.rejected", fulfillment_order_id=fo.id, lines=quantities, reason=reason)
        note_attempt(order, f"{fo.id} at {fo.location_id}: {reason}")
    return quantities


def _lose_place(fo: FulfillmentOrder, line_id: str, state: LineState, quantity: int) -> None:
    """Units of the work have nobody who works on them any more. Of a replacement it is the highest of those that it has still to send."""
    if not fo.replaces:
        state.allocated -= quantity
        return
    row = fo.lines[line_id]
    units = highest(row.units, quantity)
    row.units = minus(row.units, units)
    state.to_replace = {**state.to_replace, fo.replaces: union(state.to_replace.get(fo.replaces, []), units)}


def take_back(order: Order, fo: FulfillmentOrder, reason: str) -> dict[str, int]:
    """All that is open leaves the fulfillment order, though its location has not said so: it may have sent it all the same. Returns it."""
    quantities = give_back(order, fo, {line_id: line.open for line_id, line in fo.lines.items() if line.open}, reason)
    for line_id, quantity in quantities.items():
        fo.lines[line_id].taken_back += quantity
    return quantities


def cancel_work(order: Order, fo: FulfillmentOrder) -> dict[str, int]:
    """All that is open leaves the fulfillment order for good: nobody looks for another place. Returns the units per line; their
    reservation is released, and they are the caller's to cancel (those that were asked back are cancelled here)."""
    quantities, concerned = recalls.stop_first(order, fo, {line_id: line.open for line_id, line in fo.lines.items() if line.open})
    for change in concerned:
        recalls.decide(order, change)
    for line_id, quantity in quantities.items():
        line, state = order.line(line_id)
        fo.lines[line_id].cancelled += quantity
        state.allocated -= quantity
        order.stock.append(StockChange(line.sku, fo.location_id, reserve=-quantity))
    close_work(order, fo)
    return quantities


def close_work(order: Order, fo: FulfillmentOrder) -> None:
    """The status after units have left the work, one way or another: with nothing left, and something cancelled, it is cancelled."""
    settle_status(order, fo)
    if fo.status == "rejected" and any(line.cancelled for line in fo.lines.values()):
        fo.status, fo.held_from, fo.held_by = "cancelled", None, None
        lines = {line_id: line.cancelled for line_id, line in fo.lines.items() if line.cancelled}
        order.record("fulfillment_order.cancelled", fulfillment_order_id=fo.id, lines=lines)


def settle_status(order: Order, fo: FulfillmentOrder) -> None:
    """The status that follows from what is shipped and what is open."""
    shipped, open_ = (sum(getattr(line, name) for line in fo.lines.values()) for name in ("shipped", "open"))
    if open_ == 0 and shipped:
        fo.status = "shipped" if order.under_way(fo.id) else "delivered"
    elif open_ == 0:
        fo.status = "rejected"
    elif shipped:
        fo.status = "partially_shipped"


def hand_back(order: Order, fo: FulfillmentOrder, reason: str) -> None:
    """What is open leaves the work and stays reserved where it is (a replacement does not), to be routed anew: what was said of it to the
    location is not true any more. Units that were asked back are cancelled."""
    quantities, concerned = recalls.stop_first(order, fo, {line_id: line.open for line_id, line in fo.lines.items() if line.open})
    for change in concerned:
        recalls.decide(order, change)
    for line_id, quantity in quantities.items():
        line, state = order.line(line_id)
        row = fo.lines[line_id]
        row.rejected, row.taken_back = row.rejected + quantity, row.taken_back + quantity
        _lose_place(fo, line_id, state, quantity)
        if fo.replaces:
            order.stock.append(StockChange(line.sku, fo.location_id, reserve=-quantity))
            continue
        state.pins = {**state.pins, fo.location_id: state.pins.get(fo.location_id, 0) + quantity}
    if quantities:
        order.record("fulfillment_order.rejected", fulfillment_order_id=fo.id, lines=quantities, reason=reason)
        note_attempt(order, f"{fo.id} at {fo.location_id}: {reason}")
    fo.held_from = fo.held_by = None
    close_work(order, fo)


def reopen(order: Order) -> None:
    """Units lost their place: the order runs again, unless an execution of it is waiting and will look by itself."""
    waiting = any(wait.id == order.id for wait in order.waits.values()) and any(s.backordered for s in order.summary.lines.values())
    parked = any(problem.status == "open" and problem.subject == order.id for problem in order.exceptions.values())
    if any(needs_place(state) for state in order.summary.lines.values()) and not waiting and not parked:
        order.summary.run += 1
        order.record("order.reopened", run=order.summary.run)
