"""Capacity: how many orders a location takes per day or hour of its own clock.

A fulfillment order takes a place in a window with the transaction that makes it, and gives it back with the one in which nothing of it is
open or shipped any more (Order.booked says which places an order has). A new window is a new figure, so nothing is ever reset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from oms.clock import parse, stamp
from oms.orders.order import Order
from oms.settings import Location

MOST_AHEAD = 60
"""Windows that are looked at when a location that has to do the work is full, the present one included."""
Ahead = Callable[[Location, str, str], Mapping[str, int]]
"""Orders taken per window start of a location, from one start to another."""
_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Window:
    """From `start` up to `end`, both UTC."""

    start: str
    end: str


def window(location: Location, at: str) -> Window:
    """The location's window that `at` falls in: a calendar day of its time zone, or an hour as its clock shows it.

    Where clocks change, a day is one window of 23 or 25 hours; an hour that comes twice is two windows, one that is cut short is shorter.
    """
    zone, moment = _zone(location.time_zone), parse(at)
    hourly = location.capacity is not None and location.capacity.window == "hour"
    start, end = _hour(zone, moment) if hourly else _day(zone, moment)
    return Window(stamp(start), stamp(end))


def windows(location: Location, at: str, most: int = MOST_AHEAD) -> Iterator[Window]:
    """The window of `at` and those after it, without gaps."""
    for _ in range(most):
        found = window(location, at)
        yield found
        at = found.end


def is_full(left: Mapping[str, int] | None, place: str) -> bool:
    """Whether a location takes no more orders in its present window; one that is not named has no limit."""
    return left is not None and left.get(place, 1) <= 0


def book(order: Order, location: Location, left: Mapping[str, int] | None, ahead: Ahead | None) -> Window | None:
    """The window in which a location does one more fulfillment order of this commit: the present one, else the next with room.

    None without a limit, and when all windows in sight are full: the work is handed out all the same, because it was promised. What was
    read may be old; the condition of the write is the truth.
    """
    if location.capacity is None:
        return None
    limit = order.limits[location.id] = location.capacity.orders
    found = list(windows(location, order.now))
    booked = order.booked()

    def mine(each: Window) -> int:
        key = (location.id, each.start)
        return booked.get(key, 0) - order.booked_before.get(key, 0)

    if (left or {}).get(location.id, limit) - mine(found[0]) > 0:
        return found[0]
    taken = ahead(location, found[1].start, found[-1].start) if ahead else {}
    return next((each for each in found[1:] if taken.get(each.start, 0) + mine(each) < limit), None)


def _day(zone: tzinfo, moment: datetime) -> tuple[datetime, datetime]:
    date = moment.astimezone(zone).date()
    # A midnight that the clocks skip is the moment at which they do; one that comes twice is the first.
    start, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (date, date + timedelta(days=1)))
    return start, end


def _hour(zone: tzinfo, moment: datetime) -> tuple[datetime, datetime]:
    local = moment.astimezone(zone)
    start = moment - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    end = start + _HOUR
    # Clocks that change within the hour (by half an hour on Lord Howe Island) end one window and begin the next.
    while start.astimezone(zone).utcoffset() != local.utcoffset():
        start += _MINUTE
    while (end - _MINUTE).astimezone(zone).utcoffset() != local.utcoffset():
        end -= _MINUTE
    return start, end


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 few functions ever meet a location with a limit, and all pay for imports

    return ZoneInfo(name)
