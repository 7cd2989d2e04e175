"""Holds and the clock: what has expired lets go within the minute, and the work of an order follows its holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from oms.clock import stamp
from oms.fulfillment.work import follow_holds, to_follow
from oms.orders.holds import expire_holds, expired
from oms.orders.order import Order
from oms.service.closing import release_held
from oms.storage.lists import ALARM_SHARDS, alarm_list, listed
from oms.storage.orders import Cause, update

_PAGE = 100
_LEFT = 30  # seconds that a sweep leaves to the other sweeps


def sweep_holds(seconds_left: Callable[[], float]) -> int:
    """Let go of the holds that are due. Returns of how many orders; what one pass has no time for is the next one's.

    One that fails does not keep the others from it; the error is raised when they have had their turn, for the alarm.
    """
    done, failed = 0, None
    for order_id in _due(stamp()):
        if seconds_left() < _LEFT:
            break
        try:
            done += let_go(order_id, Cause("clock", "hold expired"))
        except Exception as error:
            # Whatever it is, as above.
            failed = error
    if failed:
        raise failed
    return done


def let_go(order_id: str, cause: Cause) -> bool:
    """Expire the holds of an order whose time is over; its work goes on. False if there was nothing to do: somebody came first."""
    found: list[bool] = []

    def expire(order: Order) -> None:
        found.append(bool(expired(order)))
        expire_holds(order)
        release_held(order)
        follow_holds(order)

    order = update(order_id, expire, cause)
    follow_rest(order, cause)
    return found[-1]


def follow_rest(order: Order, cause: Cause) -> Order:
    """The work of a large order follows its holds in several commits; if this dies, `reconcile` does the rest."""
    while to_follow(order):
        order = update(order.id, follow_holds, cause)
    return order


def _due(now: str) -> Iterator[str]:
    """Orders whose alarm has gone off, the longest due first in each shard. Whoever is seen to leaves the list."""
    for shard in range(ALARM_SHARDS):
        after = ""
        while page := listed(alarm_list(shard), newest_first=False, limit=_PAGE, after=after, until=f"{now}#~"):
            after = page[-1]["at"]
            yield from (row["pk"] for row in page)
