"""Allocate: confirm the places that capture has pinned or move to better ones, and hand the work out."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence

from oms.clock import later
from oms.fulfillment.attempts import conclude_attempts
from oms.fulfillment.capacity import Ahead, book, is_full
from oms.fulfillment.records import Explanation, FulfillmentLine, FulfillmentOrder
from oms.fulfillment.unfillable import NO_PLACE, give_up_group
from oms.inventory.backorders import wait_in_line
from oms.money.units import Units
from oms.orders.order import Order, StockChange
from oms.orders.quantities import open_units, reserved
from oms.orders.records import LineState, PlacedGroup, PlacedLine
from oms.orders.statuses import totals
from oms.payments.cover import hold_uncovered
from oms.payments.releases import after_release
from oms.routing.route import Plan
from oms.routing.serving import Left, StockRows, may_serve, pin
from oms.routing.sourcing import source
from oms.service.changes import open_change
from oms.settings import Location, Settings

LINES_PER_ORDER = 40
"""Lines of one fulfillment order at most: all of them can leave in one transaction (a stock row and a movement each)."""
_MOST_MOVES = 40
_MOST_WRITES = 86
"""What a ship of one fulfillment order of a large order may need: two writes per line, two per chunk of lines (counters, reservations);
beside it there are a dozen others."""
_SHORT = 800
"""Characters that a fulfillment order and its explanation have together at most, so that they are one item below a kilobyte for as long
as it is worked on. A longer explanation is an item of its own, which is written once."""
Lines = Sequence[tuple[PlacedLine, LineState]]


def needs_stock(order: Order) -> set[str]:
    """SKUs whose stock Allocate looks at: those with units, or replacements, that are on no fulfillment order yet."""
    return {line.sku for line, state in order.lines() if open_units(state) or state.to_replace}


def allocate(
    order: Order, stock: StockRows, settings: Settings, left: Left | None = None, ahead: Ahead | None = None, visit: str = ""
) -> str:
    """Make fulfillment orders of all that can be served. Returns what comes next: allocated, wait_for_stock, unfillable, and so on.

    Idempotent: units already on fulfillment orders are left alone, so a second run finds nothing to do. A group that ships complete
    is handed out when all of it has a place. What no location can serve is given up if the channel says so; replacements only if a person
    has said so. `left` and `ahead`: what
    locations of limited capacity still take; `visit`: when the step was entered.
    """
    early = {"received": "capture", "declined": "declined", "cancelled": "cancelled"}.get(order.summary.status)
    if early:
        return early
    if order.open_holds("allocate"):
        return "wait_for_release"
    decided = order.summary.gives_up
    gives_up = decided or settings.channel(order.placed.channel).on_unfillable == "cancel_and_refund"
    given_up, order.summary.gives_up, before = 0, False, totals(order).grand_total if gives_up else 0
    for group in order.groups:
        lines = order.lines_of(group)
        if any(open_units(state) for _, state in lines) and not order.waits_for_all(group):
            _allocate_group(order, group, lines, stock, settings, left, ahead)
            units = give_up_group(order, group, settings) if gives_up else 0
            given_up += units
            if units and any(open_units(state) for _, state in lines):
                _allocate_group(order, group, lines, stock, settings, left, ahead)  # what had to wait for them goes without them
    if any(state.to_replace for state in order.summary.lines.values()):
        from oms.fulfillment import replacements  # noqa: PLC0415 few orders have any, and every Allocate would pay for it

        if replacements.place_replacements(order, stock, settings, left, ahead) and decided:
            replacements.give_up_replacements(order, NO_PLACE)
    if given_up:
        open_change(order, "cancellation", worth=before - totals(order).grand_total, reason=NO_PLACE)
    created = [fo for fo in order.fulfillment_orders.values() if not fo.v]
    if created:
        order.record("order.allocated", fulfillment_orders=[fo.id for fo in created])
        hold_uncovered(order)
    next_ = _what_next(order)
    result = "cancelled" if given_up else {"unfillable": "unfillable", "wait_for_stock": "backordered"}.get(next_, "allocated")
    if conclude_attempts(order, result, [fo.location_id for fo in created], visit or order.now):
        order.record("order.rerouted", result=result, fulfillment_orders=[fo.id for fo in created])
    return next_


def allocate_part(
    order: Order, part: Collection[str], stock: StockRows, settings: Settings, left: Left | None, ahead: Ahead | None, *, gives_up: bool
) -> None:
    """The same for some lines of a large order, in a commit of their own; what comes next is asked of `allocate` when all are done.

    `gives_up`: what of them no location can serve is given up.
    """
    for group in order.groups:
        lines = [row for row in order.lines_of(group) if row[0].id in part]
        if any(open_units(state) for _, state in lines) and not order.waits_for_all(group):
            _allocate_group(order, group, lines, stock, settings, left, ahead)
            if gives_up:
                give_up_group(order, group, settings, only=part)
    created = [fo.id for fo in order.fulfillment_orders.values() if not fo.v]
    if created:
        order.record("order.allocated", fulfillment_orders=created)


def to_place(order: Order, settings: Settings) -> list[str]:
    """Lines that have to be routed before they can be handed out: some units have no place, or one that may not send them any more."""
    known: dict[tuple[str, ...], set[str]] = {}
    out = []
    for line, state in order.lines():
        kind = (line.delivery_group, *state.excluded)
        if state.pins and kind not in known:
            known[kind] = {place.id for place in may_serve(order, line, settings)}
        if open_units(state) > reserved(state) or (state.pins and not state.pins.keys() <= known[kind]):
            out.append(line.id)
    return out


def to_hand_out(order: Order) -> list[str]:
    """Lines with a place for every unit, whose delivery group need not wait for others."""
    ready = [group for group in order.groups if not _incomplete(order, group)]
    return [line.id for group in ready for line, state in order.lines_of(group) if state.pins and open_units(state) == reserved(state)]


def _incomplete(order: Order, group: PlacedGroup) -> bool:
    """Whether a group that ships complete has units without a place."""
    return group.ship_complete and any(open_units(state) > reserved(state) or state.backordered for _, state in order.lines_of(group))


def _allocate_group(
    order: Order, group: PlacedGroup, lines: Lines, stock: StockRows, settings: Settings, left: Left | None, ahead: Ahead | None
) -> None:
    own: dict[str, dict[str, int]] = {}
    for line, state in lines:
        for place, units in state.pins.items():
            at = own.setdefault(place, {})
            at[line.sku] = at.get(line.sku, 0) + units
    most = settings.channel(order.placed.channel).most_attempts
    # What has been refused that often has no better chance now; what is reserved for the line has its place.
    wanted = {line.id: open_units(state) if state.attempts < most else reserved(state) for line, state in lines}
    route = source(order, group, wanted, stock, settings, left=left, own=own)
    if _is_better(order, lines, own, route, settings, left):
        _follow(order, lines, route, stock)
    for line, state in lines:
        short = open_units(state) - reserved(state)
        if short and line.backorder == "allow":
            wait_in_line(order, line.id, short, stock, settings)
    if _incomplete(order, group):
        return
    work: dict[str, dict[str, int]] = {}
    for line, state in lines:
        open_to = {place.id for place in may_serve(order, line, settings)}
        for place in [place for place in state.pins if place in open_to]:
            units = state.pins.pop(place)
            work.setdefault(place, {})[line.id] = units
            state.allocated += units
        if not state.backordered and not state.pins:
            state.promise = None  # from here on its fulfillment orders tell
    for place, at in sorted(work.items()):
        for rows in portions(order, at):
            hand_out(order, group, place, rows, settings, route, left, ahead)


def portions(order: Order, at: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Lines at a place, as many to a fulfillment order as can leave in one transaction; of a large order in the order of its lines,
    because every chunk that they are stored in is written too."""
    if not order.chunks:
        rows = sorted(at.items())
        yield from (dict(rows[start : start + LINES_PER_ORDER]) for start in range(0, len(rows), LINES_PER_ORDER))
        return
    chunk_of = {line_id: number for number, chunk in order.chunks.items() for line_id in chunk.lines if line_id in at}
    portion: dict[str, int] = {}
    chunks: set[str] = set()
    for line_id, chunk in chunk_of.items():
        full = 2 * (len(portion) + 1 + len(chunks | {chunk})) > _MOST_WRITES
        if full or len(portion) == LINES_PER_ORDER:
            yield portion
            portion, chunks = {}, set()
        portion[line_id] = at[line_id]
        chunks.add(chunk)
    yield portion


def _is_better(order: Order, lines: Lines, own: dict[str, dict[str, int]], route: Plan, settings: Settings, left: Left | None) -> bool:
    """Whether to leave the pinned places for the route: it places what has none, or does with fewer or better places, or has capacity."""
    pinned = sum(reserved(state) for _, state in lines)
    placed = sum(units for at in route.take.values() for units in at.values())
    changes = {(line_id, place) for place, at in route.take.items() for line_id in at} | {
        (line.id, place) for line, state in lines for place in state.pins
    }
    if not pinned:
        return placed > 0
    if placed < pinned or len(changes) > _MOST_MOVES:
        return False
    closed = any(place not in {p.id for p in may_serve(order, line, settings)} for line, state in lines for place in state.pins)
    if placed > pinned or closed:
        return True
    full, full_here = (sum(is_full(left, place) for place in places) for places in (route.take, own))
    here = sum(route.scores.get(place, 0) for place in own)
    return (full, len(route.take), route.score) < (full_here, len(own), here)


def _follow(order: Order, lines: Lines, route: Plan, stock: StockRows) -> None:
    """Move the pins to where the route has them; what stays is left alone."""
    for line, state in lines:
        wanted = {place: at[line.id] for place, at in route.take.items() if at.get(line.id)}
        for place in list(state.pins):
            over = state.pins[place] - wanted.get(place, 0)
            if over > 0:
                state.pins[place] -= over
                order.stock.append(StockChange(line.sku, place, reserve=-over))
        state.pins = {place: units for place, units in state.pins.items() if units}
        for place, units in wanted.items():
            more = units - state.pins.get(place, 0)
            if more > 0:
                pin(order, line.id, place, more, stock)


def _what_next(order: Order) -> str:
    states = {line.id: state for line, state in order.lines()}
    waiting = [line.id for group in order.groups if order.waits_for_all(group) for line, _ in order.lines_of(group)]
    if any(open_units(state) > 0 for line_id, state in states.items() if line_id not in waiting):
        return "unfillable"
    if any(state.to_replace for state in states.values()):
        return "unfillable"
    if any(state.backordered for state in states.values()):
        return "wait_for_stock"
    return after_release(order)


def hand_out(
    order: Order,
    group: PlacedGroup,
    place: str,
    lines: dict[str, int],
    settings: Settings,
    route: Plan,
    left: Left | None = None,
    ahead: Ahead | None = None,
    *,
    replaces: str | None = None,
    units: Mapping[str, Units] | None = None,
) -> FulfillmentOrder:
    """Make one fulfillment order: `lines` at a place, in its first capacity window that has room. The units are counted as allocated by
    who calls this. `replaces`: they were sent before, and this is what for they are sent again; `units` then says which they are."""
    location = settings.locations.get(place, Location(id=place))
    method, held = settings.method(group.method), order.open_holds("ship")
    window = book(order, location, left, ahead)
    fo = FulfillmentOrder(
        id=order.next_id("fo"),
        location_id=place,
        delivery_group=group.id,
        type=location.type if group.type == "ship" else group.type,
        status="on_hold" if held else "released",
        held_from="released" if held else None,
        held_by="order" if held else None,
        ship_by=later(max(order.now, window.start) if window else order.now, hours=location.processing_hours),
        window=window.start if window else None,
        assume_delivered_after_days=None if method.delivery_confirmation == "carrier" else method.assume_delivered_after_days,
        transit_days_min=method.transit_days_min,
        transit_days_max=method.transit_days_max,
        lines={line_id: FulfillmentLine(quantity=n, units=list(map(list, (units or {}).get(line_id, [])))) for line_id, n in lines.items()},
        replaces=replaces,
        created_at=order.now,
    )
    if len(fo.model_dump_json(exclude_defaults=True)) + len(json.dumps(route.explanation)) <= _SHORT:
        fo.explanation = route.explanation
    else:
        fo.explained_by = f"{order.id}-{group.id}-{order.summary.run}"
        order.explanations.setdefault(fo.explained_by, Explanation(id=fo.explained_by, reasons=route.explanation))
    order.fulfillment_orders[fo.id] = fo
    order.record(
        "fulfillment_order.created", fulfillment_order_id=fo.id, location_id=place, status=fo.status, lines=lines, replaces=replaces
    )
    return fo
