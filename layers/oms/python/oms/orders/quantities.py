"""Quantities of a line: what follows from the counters, and the laws that every change must keep (design section 4)."""

from __future__ import annotations

from oms.money.units import Units, count, minus, union
from oms.orders.records import LineState

NO_COUNTERS = {"pins", "excluded", "attempts", "promise", "cancelled_runs", "to_replace", "short"}
_COUNTERS = set(LineState.model_fields) - NO_COUNTERS


def reserved(state: LineState) -> int:
    """Units that have a place but no fulfillment order."""
    return sum(state.pins.values())


def open_units(state: LineState) -> int:
    """Units that still need a fulfillment order."""
    return state.ordered - state.cancelled - state.allocated - state.backordered


def kept(state: LineState) -> int:
    """Units that are not cancelled."""
    return state.ordered - state.cancelled


def cancelled_units(state: LineState) -> list[list[int]]:
    """Numbers of the cancelled units: the highest, unless a shipment or a recall had those, or units were added later."""
    return [list(run) for run in state.cancelled_runs] or _highest(state)


def cancel_units(state: LineState, units: Units) -> None:
    """Count these units as cancelled; their numbers are free so far."""
    gone = union(cancelled_units(state), units)
    state.cancelled = count(gone)
    state.cancelled_runs = gone if gone != _highest(state) else []


def restore_units(state: LineState, units: Units) -> None:
    """Cancelled units are ordered again, under their numbers."""
    gone = minus(cancelled_units(state), units)
    state.cancelled = count(gone)
    state.cancelled_runs = gone if gone != _highest(state) else []


def add_units(state: LineState, quantity: int) -> list[list[int]]:
    """More units of a line are ordered: they get new numbers, which are returned."""
    gone, last = cancelled_units(state), state.ordered
    state.ordered += quantity
    state.cancelled_runs = gone if gone != _highest(state) else []
    return [[last + 1, state.ordered]]


def _highest(state: LineState) -> list[list[int]]:
    return [[state.ordered - state.cancelled + 1, state.ordered]] if state.cancelled else []


def available_to_cancel(state: LineState) -> int:
    """Units that could still be cancelled."""
    return state.ordered - state.cancelled - state.shipped - state.cancel_requested


def available_to_return(state: LineState, confirmed: bool) -> int:
    """Units that may come back: delivered ones, or shipped ones where nobody confirms delivery; none that is lost, unless its replacement
    has arrived."""
    there = state.delivered - state.lost_delivered if confirmed else state.shipped - state.lost
    return max(0, there + state.lost_replaced - state.return_initiated)


def arrived(state: LineState) -> int:
    """Units whose delivery is over: they were delivered, or are lost."""
    return state.delivered + state.lost - state.lost_delivered


def available_to_reship(state: LineState) -> int:
    """Units that may be sent again."""
    return max(0, state.shipped - state.reshipped - state.return_initiated)


def needs_place(state: LineState) -> bool:
    """Whether units of the line, or replacements of such, have to be placed by the order machine."""
    return open_units(state) > 0 or bool(state.to_replace)


def broken_laws(state: LineState) -> list[str]:
    """The quantity laws that these counters break; empty when all hold."""
    laws = {
        "no counter is negative": min(state.model_dump(include=_COUNTERS).values()) >= 0,
        "no pin is negative": all(quantity > 0 for quantity in state.pins.values()),
        "returned <= return_initiated <= shipped <= allocated": state.returned
        <= state.return_initiated
        <= state.shipped
        <= state.allocated,
        "allocated + cancelled + backordered <= ordered": state.allocated + state.cancelled + state.backordered <= state.ordered,
        "reserved <= open units": reserved(state) <= open_units(state),
        "cancel_requested <= allocated - shipped": state.cancel_requested <= state.allocated - state.shipped,
        "delivered + lost, each unit once, <= shipped": arrived(state) <= state.shipped,
        "lost_delivered, lost_replaced <= lost": max(state.lost_delivered, state.lost_replaced) <= state.lost,
        "lost_delivered <= delivered": state.lost_delivered <= state.delivered,
    }
    return [law for law, holds in laws.items() if not holds]


def line_status(state: LineState) -> str:
    """Status of a line, first match wins (contract: Quantities)."""
    live, over = kept(state), arrived(state)
    rules = [
        ("cancelled", live == 0),
        ("returned", live > 0 and state.returned >= live),
        ("return_initiated", 0 < state.shipped <= state.return_initiated),
        ("partially_returned", state.returned > 0),
        ("delivered", over >= live),
        ("partially_delivered", over > 0),
        ("shipped", state.shipped >= live),
        ("partially_shipped", state.shipped > 0),
        ("allocated", state.allocated >= live),
        ("partially_allocated", state.allocated > 0),
        ("backordered", state.backordered > 0),
    ]
    return next((status for status, matches in rules if matches), "ordered")
