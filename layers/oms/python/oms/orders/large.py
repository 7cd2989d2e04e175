"""Capture of a large order: its lines are reserved, or given back, part by part, each part in a commit of its own.

Nothing but the lines says how far it is: one is done when every open unit has a place or waits in the queue. While `summary.declining`
says why, everything goes back; when nothing is left, the order is declined.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from oms.clock import later, stamp
from oms.inventory.backorders import wait_in_line
from oms.inventory.promises import promise_from_stock
from oms.orders.capture import LEASE_SECONDS, decline
from oms.orders.order import Order
from oms.orders.quantities import open_units, reserved
from oms.orders.records import Lease
from oms.orders.reserve import shortage
from oms.routing.serving import Left, StockRows, pin
from oms.routing.sourcing import source
from oms.settings import Settings

_MOST_NAMED = 20
"""Lines whose shortage is told when an order is declined for it; the others are counted."""


@dataclass
class Routed:
    """Where lines are to be reserved: line to place to units; and what is missing of others, by line, with the reason."""

    take: dict[str, dict[str, int]] = field(default_factory=dict)
    short: dict[str, str] = field(default_factory=dict)


def lacking(order: Order) -> list[str]:
    """Lines with open units that have no place yet, and may still get one at capture."""
    return [line.id for line, state in order.lines() if open_units(state) > reserved(state) and not state.short]


def holding(order: Order) -> list[str]:
    """Lines that hold a place, or stand in the queue."""
    return [line.id for line, state in order.lines() if state.pins or state.backordered]


def parts(order: Order, lines: Collection[str], most: int) -> Iterator[list[str]]:
    """These lines in parts of at most so many, each from one chunk: a commit writes one chunk."""
    wanted = set(lines)
    for chunk in order.chunks.values():
        mine = [line_id for line_id in chunk.lines if line_id in wanted]
        yield from (mine[start : start + most] for start in range(0, len(mine), most))


def route(order: Order, lines: Collection[str], stock: StockRows, settings: Settings, left: Left | None) -> Routed:
    """Where to reserve these lines, by the rules in force: the fewest places for all of a delivery group together. Changes nothing."""
    routed, wanted = Routed(), set(lines)
    for group in order.placed.delivery_groups:
        units = {line.id: open_units(state) - reserved(state) for line, state in order.lines_of(group) if line.id in wanted}
        plan = source(order, group, units, stock, settings, left=left) if units else None
        for place, at in plan.take.items() if plan else ():
            for line_id, count in at.items():
                routed.take.setdefault(line_id, {})[place] = count
        for line_id, missing in plan.unallocated.items() if plan else ():
            line, state = order.line(line_id)
            routed.short[line_id] = shortage(line.sku, missing, state.ordered, plan) if plan else ""
    return routed


def reserve_part(order: Order, lines: Sequence[str], routed: Routed, stock: StockRows, settings: Settings) -> dict[str, str]:
    """Pin these lines where they were routed to; what may wait and has no stock waits. A line that changed since is left for later.
    Returns the lines that cannot be served, with the reason."""
    unserved: dict[str, str] = {}
    for line_id in lines:
        line, state = order.line(line_id)
        take = routed.take.get(line_id, {})
        missing = open_units(state) - reserved(state) - sum(take.values())
        if missing < 0 or bool(missing) != (line_id in routed.short):
            continue
        if missing and (line.backorder != "allow" or not wait_in_line(order, line_id, missing, stock, settings)):
            unserved[line_id] = routed.short[line_id]
            continue
        for place, units in take.items():
            pin(order, line_id, place, units, stock)
        if state.pins and not state.backordered:
            promise_from_stock(order, line_id, settings, order.placed.placed_at)
    return unserved


def refused(order: Order, routed: Routed) -> dict[str, str]:
    """Lines that stock is short for and that may not wait, with the reason."""
    return {line_id: why for line_id, why in routed.short.items() if order.line(line_id)[0].backorder != "allow"}


def begin_decline(order: Order, short: Mapping[str, str]) -> None:
    """Stock is short: from now on everything that is reserved goes back. An order that rather waits for a person goes on without it."""
    if order.summary.status != "received" or order.summary.declining:
        return
    named = [f"line {line_id}: {why}" for line_id, why in list(short.items())[:_MOST_NAMED]]
    more = [f"and {len(short) - _MOST_NAMED} more lines"] if len(short) > _MOST_NAMED else []
    if order.placed.on_problem == "hold":
        from oms.orders.problems import hold_short  # noqa: PLC0415 it is seldom

        hold_short(order, [*named, *more])
        for line_id in short:
            order.line(line_id)[1].short = True
    else:
        order.summary.declining = "; ".join(["stock is short", *named, *more])


def end_decline(order: Order) -> None:
    """Nothing is held any more: the order is declined."""
    if order.summary.status == "received" and order.summary.declining and not holding(order):
        order.summary.lease = None
        decline(order, reason=order.summary.declining)


def keep_lease(order: Order, owner: str) -> None:
    """The capture goes on, in this commit's time."""
    order.now = stamp()
    order.summary.lease = Lease(owner=owner, until=later(order.now, seconds=LEASE_SECONDS))
    order.summary.updated_at = order.now
