"""When the units of a line are expected at the customer: from dated supply while they wait, from stock as soon as they have a place.

Supply is handed out in the order of the queue, the earliest first. What is expected counts from its date: then the location's processing
hours, then the days that the delivery method takes. Beyond dated supply there is no date to promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oms.clock import later
from oms.inventory.stock import Stock
from oms.orders.order import Order
from oms.orders.records import PROCESSING_HOURS, TRANSIT_DAYS, Promise, Waiting
from oms.routing.sourcing import may_come_from
from oms.settings import Location, MethodSettings, Settings

NO_DATE = "none"


@dataclass
class Supply:
    """Units expected at a place; those already promised are taken off."""

    expected_at: str
    location_id: str
    units: int
    reference: str


@dataclass(frozen=True)
class Expected:
    """When the last of the units is expected, and what that rests on."""

    earliest: str | None = None
    latest: str | None = None
    source: str = NO_DATE

    def differs_from(self, known: Promise | None) -> bool:
        """Whether the customer was promised something else."""
        return known is None or (known.earliest, known.latest, known.source) != (self.earliest, self.latest, self.source)


def forecast(sku: str, queue: Iterable[Waiting], rows: Sequence[Stock], settings: Settings, now: str) -> list[Expected]:
    """What each place in the queue may expect, in its order: those in front have the supply first."""
    supply = _supply(rows)
    known: dict[str, dict[str, Location]] = {}
    found = []
    for waiting in queue:
        kind = waiting.model_copy(update={"units": 0, "order_number": "", "promise": None}).model_dump_json()
        if kind not in known:
            known[kind] = {place.id: place for place in may_come_from(sku, waiting, settings, now)}
        found.append(_expected(supply, known[kind], waiting.units, settings.method(waiting.method), now))
    return found


def expected_behind(sku: str, waiting: Waiting, ahead: int, rows: Sequence[Stock], settings: Settings, now: str) -> Expected:
    """What units at the end of a queue may expect that has `ahead` units in front of them."""
    places = {place.id: place for place in may_come_from(sku, waiting, settings, now)}
    supply = _supply(rows)
    _take(supply, places, ahead)
    return _expected(supply, places, waiting.units, settings.method(waiting.method), now)


def promise(order: Order, line_id: str, expected: Expected) -> None:
    """Promise it. For an order that is stored and taken, a promise that moves is an event."""
    _, state = order.line(line_id)
    was = state.promise
    if not expected.differs_from(was):
        return
    state.promise = Promise(earliest=expected.earliest, latest=expected.latest, source=expected.source, changed_at=order.now)
    if order.summary.v and not order.half_taken:
        before = {"earliest": was.earliest, "latest": was.latest} if was else None
        order.record("promise.changed", line_id=line_id, earliest=expected.earliest, latest=expected.latest, was=before)


def promise_from_stock(order: Order, line_id: str, settings: Settings, since: str) -> None:
    """Promise a line whose units all have a place, until its fulfillment orders tell: counted from `since`.

    What follows from the time of the order and the usual figures is not stored.
    """
    line, state = order.line(line_id)
    hours = max((settings.locations.get(place, Location(id=place)).processing_hours for place in state.pins), default=PROCESSING_HOURS)
    method = settings.method(order.group_of(line).method)
    usual = (hours, (method.transit_days_min, method.transit_days_max)) == (PROCESSING_HOURS, TRANSIT_DAYS)
    if usual and since == order.placed.placed_at:
        state.promise = None
        return
    earliest, latest = _arrival(since, hours, method)
    promise(order, line_id, Expected(earliest, latest, "stock"))


def _supply(rows: Sequence[Stock]) -> list[Supply]:
    """All that is expected, the earliest first."""
    found = [
        Supply(str(future["expected_at"]), row.location_id, int(future["quantity"]), str(future.get("reference") or ""))
        for row in rows
        for future in row.futures
    ]
    return sorted(found, key=lambda each: (each.expected_at, each.location_id, each.reference))


def _take(supply: list[Supply], places: dict[str, Location], units: int) -> list[Supply]:
    """Take units off the supply of these places; what was taken from. Fewer than asked for when there are no more."""
    used = []
    for each in supply:
        part = min(units, each.units) if each.location_id in places else 0
        if part > 0:
            each.units, units = each.units - part, units - part
            used.append(each)
    return used if not units else []


def _expected(supply: list[Supply], places: dict[str, Location], units: int, method: MethodSettings, now: str) -> Expected:
    used = _take(supply, places, units)
    if not used:
        return Expected()
    # What should have come already is expected tomorrow, at the same time for everybody who asks today.
    tomorrow = later(now, days=1)[:10] + "T00:00:00.000Z"
    arrivals = [
        _arrival(each.expected_at if each.expected_at >= now else tomorrow, places[each.location_id].processing_hours, method)
        for each in used
    ]
    last = used[-1]
    source = f"supply:{last.reference or last.expected_at[:10]}"
    return Expected(max(earliest for earliest, _ in arrivals), max(latest for _, latest in arrivals), source)


def _arrival(ready: str, hours: int, method: MethodSettings) -> tuple[str, str]:
    """Earliest and latest moment at the customer of what a location can begin to process at `ready`."""
    return later(ready, hours=hours, days=method.transit_days_min), later(ready, hours=hours, days=method.transit_days_max)
