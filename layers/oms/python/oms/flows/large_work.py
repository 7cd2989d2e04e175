"""The Allocate state of a large order: confirm its places and hand the work out, some lines at a time, each in a commit of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oms.errors import Invalid
from oms.flows.capacity import capacity_ahead, capacity_left
from oms.fulfillment.allocate import allocate, allocate_part, to_hand_out, to_place
from oms.inventory.stock import Stock
from oms.orders.large import parts
from oms.orders.order import Order
from oms.settings import Settings
from oms.storage.inventory import stock_of
from oms.storage.orders import Cause, StockShort, commit, load
from oms.storage.settings import settings
from oms.storage.table import Lost

_ROUTED = 20
"""Lines of one commit whose places may change: two stock rows each, and what moves with them."""
_HANDED_OUT = 800
"""Lines of one commit that stay where they are reserved: it writes their fulfillment orders, no stock."""
_RESERVE = 8
"""Seconds kept for the commit that a run is at, and for its answer."""
_MISSES = 10


def allocate_large(order: Order, execution: str, entered: str, seconds_left: Callable[[], float]) -> str:
    """Hand out all that can be handed out; returns what comes next: this state again, when the time of this run is over.

    Lost when others were first again and again.
    """
    cause, most, misses, seen = Cause("allocate", execution), 1.0, 0, set[tuple[bool, str]]()
    while seconds_left() > _RESERVE:
        picture = settings()
        routed, part = _next_part(order, picture, seen, most)
        next_ = ""
        if part:
            _do(order, part, routed, picture)
        else:
            again = {line.sku for line, state in order.lines() if state.to_replace}
            next_ = allocate(order, stock_of(again) if again else {}, picture, None, None, entered)
        try:
            commit(order, cause)
            misses, seen = 0, seen | {(routed, line_id) for line_id in part}
        except (Lost, StockShort):
            misses += 1
            if misses == _MISSES:
                raise
            order, next_ = load(order.id), ""
        except Invalid as error:
            if error.kind != "too-large" or len(part) < 2:
                raise
            order, most, next_ = load(order.id), most / 2, ""
        if next_:
            return next_
    return "allocate"


def _next_part(order: Order, picture: Settings, seen: set[tuple[bool, str]], most: float) -> tuple[bool, Sequence[str]]:
    """What is done next: lines that have to be routed (True), then lines that need not; nothing when the order may not go on now. A line
    is tried once each way in a run."""
    if order.summary.status in ("received", "declined", "cancelled") or order.open_holds("allocate"):
        return False, []
    loose = [line_id for line_id in to_place(order, picture) if (True, line_id) not in seen]
    if loose:
        return True, next(parts(order, loose, max(1, int(_ROUTED * most))))
    return False, [line_id for line_id in to_hand_out(order) if (False, line_id) not in seen][: max(1, int(_HANDED_OUT * most))]


def _do(order: Order, part: Sequence[str], routed: bool, picture: Settings) -> None:
    lines = [order.line(line_id) for line_id in part]
    if routed:
        stock = stock_of({line.sku for line, _ in lines})
        gives_up = order.summary.gives_up or picture.channel(order.placed.channel).on_unfillable == "cancel_and_refund"
    else:
        # They stay where they are: nothing has to be known of the shelves, but how much work their places still take.
        stock, gives_up = {}, False
    near = {place for _, state in lines for place in state.pins}
    known = {**stock, "": [Stock(sku="", location_id=place) for place in sorted(near)]}
    left = capacity_left(picture, known, order.now)
    allocate_part(order, set(part), stock, picture, left, capacity_ahead, gives_up=gives_up)
