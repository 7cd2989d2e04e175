"""Capacity windows: the calendar of the location's own zone, and which window a fulfillment order takes a place in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.clock import later, parse, stamp
from oms.fulfillment.capacity import MOST_AHEAD, book, window, windows
from oms.fulfillment.requests import RejectRequest
from oms.fulfillment.work import reject
from oms.orders.order import Order
from oms.settings import Capacity, Location
from tests.support.orders import a_group, a_line, an_order
from tests.unit.memory import NOW, World

Unit = Literal["day", "hour"]


def place(zone: str = "UTC", unit: Unit = "day", orders: int = 1, id_: str = "berlin", **more: Any) -> Location:
    return Location(id=id_, time_zone=zone, capacity=Capacity(orders=orders, window=unit), **more)


def shown(zone: str, unit: Unit, at: str, many: int) -> list[str]:
    """Windows from `at` on, as "start minutes"."""
    found = windows(place(zone, unit), at, many)
    return [f"{each.start[8:16]} {int((parse(each.end) - parse(each.start)).total_seconds()) // 60}" for each in found]


@pytest.mark.parametrize(
    ("zone", "unit", "at", "expected"),
    [
        # A day is a day of the location's calendar, of 23 hours in spring and 25 in autumn.
        ("UTC", "day", "2026-11-23T08:00:00Z", ["23T00:00 1440", "24T00:00 1440"]),
        ("Europe/Berlin", "day", "2026-11-23T08:00:00Z", ["22T23:00 1440", "23T23:00 1440"]),
        ("Europe/Berlin", "day", "2026-11-23T23:00:00Z", ["23T23:00 1440", "24T23:00 1440"]),
        ("Europe/Berlin", "day", "2026-03-29T00:30:00Z", ["28T23:00 1380", "29T22:00 1440"]),
        ("Europe/Berlin", "day", "2026-10-25T00:30:00Z", ["24T22:00 1500", "25T23:00 1440"]),
        ("America/New_York", "day", "2026-03-08T12:00:00Z", ["08T05:00 1380", "09T04:00 1440"]),
        ("America/New_York", "day", "2026-11-01T12:00:00Z", ["01T04:00 1500", "02T05:00 1440"]),
        ("Australia/Lord_Howe", "day", "2026-04-04T16:00:00Z", ["04T13:00 1470", "05T13:30 1440"]),
        # Clocks that skip midnight: the day begins when they do.
        ("America/Santiago", "day", "2026-09-06T04:00:00Z", ["06T04:00 1380", "07T03:00 1440"]),
        # The hour that is skipped is none, the one that comes twice is two.
        ("Europe/Berlin", "hour", "2026-03-29T00:30:00Z", ["29T00:00 60", "29T01:00 60"]),
        ("Europe/Berlin", "hour", "2026-10-25T00:30:00Z", ["25T00:00 60", "25T01:00 60", "25T02:00 60"]),
        ("America/New_York", "hour", "2026-11-01T05:59:59.999Z", ["01T05:00 60", "01T06:00 60"]),
        ("Asia/Kolkata", "hour", "2026-11-23T08:00:00Z", ["23T07:30 60", "23T08:30 60"]),
        # Half an hour back: one o'clock lasts an hour, then its second half comes again.
        ("Australia/Lord_Howe", "hour", "2026-04-04T14:10:00Z", ["04T14:00 60", "04T15:00 30", "04T15:30 60"]),
        # Half an hour ahead: two o'clock begins at half past.
        ("Australia/Lord_Howe", "hour", "2026-10-03T15:10:00Z", ["03T14:30 60", "03T15:30 30", "03T16:00 60"]),
    ],
)
def test_windows_follow_the_clock_on_the_wall(zone: str, unit: Unit, at: str, expected: list[str]) -> None:
    assert shown(zone, unit, at, len(expected)) == expected


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu", "America/St_Johns"]
MOMENTS = st.integers(0, 4 * 365 * 24 * 60).map(lambda minutes: stamp(datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)))


@settings(max_examples=200, deadline=None)
@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from(["day", "hour"]))
def test_every_moment_is_in_exactly_one_window_and_windows_leave_no_gap(at: str, zone: str, unit: Unit) -> None:
    found = list(windows(place(zone, unit), at, 4))
    assert found[0].start <= at < found[0].end
    assert all(before.end == after.start for before, after in pairwise(found))
    for each in found:
        last = later(each.end, seconds=-0.001)
        assert window(place(zone, unit), each.start) == window(place(zone, unit), last) == each


def two_places(world: World, **limits: Capacity) -> World:
    world.settings.locations = {id_: Location(id=id_, capacity=limits.get(id_)) for id_ in ("berlin", "lyon")}
    return world


ONE_A_DAY = Capacity(orders=1, window="day")
BOTH = {"A": {"berlin": 100, "lyon": 100}}


def test_a_place_that_is_full_is_left_for_one_that_is_not() -> None:
    world = two_places(World(BOTH), berlin=ONE_A_DAY)
    order = world.place(an_order(a_line()))
    assert order.summary.lines["1"].pins == {"berlin": 2}
    assert world.allocate(order, left={"berlin": 0}) == "allocated"
    (fo,) = order.fulfillment_orders.values()
    assert (fo.location_id, fo.window) == ("lyon", None)
    assert (world.row("A").reserved, world.row("A", "lyon").reserved) == (0, 2)


def test_a_promise_at_a_full_place_gets_its_next_window_with_room() -> None:
    world = two_places(World({"A": {"berlin": 100}, "B": {"lyon": 1}}), berlin=ONE_A_DAY)
    order = world.place(an_order(a_line()))
    taken = {"2026-11-24T00:00:00.000Z": 1, "2026-11-25T00:00:00.000Z": 0}
    assert world.allocate(order, left={"berlin": 0}, ahead=lambda *_: taken) == "allocated"
    (fo,) = order.fulfillment_orders.values()
    assert (fo.location_id, fo.window) == ("berlin", "2026-11-25T00:00:00.000Z")
    assert fo.ship_by == "2026-11-26T00:00:00.000Z", "processing hours count from the window"
    assert order.booked() == {("berlin", "2026-11-25T00:00:00.000Z"): 1}


def test_an_order_that_needs_more_places_than_are_left_takes_the_next_window_for_the_rest() -> None:
    world = two_places(World({"A": {"berlin": 100}, "B": {"lyon": 1}}), berlin=ONE_A_DAY)
    groups = [a_group("g1"), a_group("g2")]
    order = world.place(an_order(a_line("1"), a_line("2", delivery_group="g2"), delivery_groups=groups))
    world.allocate(order, left={"berlin": 1}, ahead=lambda *_: {})
    assert [fo.window for fo in order.fulfillment_orders.values()] == ["2026-11-23T00:00:00.000Z", "2026-11-24T00:00:00.000Z"]


def test_work_is_handed_out_even_when_no_window_in_sight_has_room() -> None:
    full: Mapping[str, int] = {each.start: 1 for each in windows(place(), NOW)}
    order = World().place(an_order())
    assert book(order, place(), {"berlin": 0}, lambda *_: full) is None
    assert len(full) == MOST_AHEAD


def test_a_place_in_a_window_is_given_back_when_nothing_was_shipped_and_only_then() -> None:
    world = two_places(World(BOTH), berlin=ONE_A_DAY)

    def allocated() -> Order:
        order = world.place(an_order(a_line()))
        world.allocate(order, left={"berlin": 1})
        assert len(order.booked()) == 1
        return order

    order = allocated()
    fo = next(iter(order.fulfillment_orders.values()))
    reject(order, fo, RejectRequest(reason="flood"))
    assert order.booked() == {}
    order = allocated()
    fo = next(iter(order.fulfillment_orders.values()))
    world.ship(order, fo, {"1": 1}, short={"1": 1})
    assert len(order.booked()) == 1, "half of it left"


def test_what_only_full_places_have_is_sold_all_the_same() -> None:
    world = two_places(World({"A": {"berlin": 100}, "B": {"berlin": 1, "lyon": 1}}), berlin=ONE_A_DAY)
    order = world.take(an_order(a_line("1", "A"), a_line("2", "B", 1)), left={"berlin": 0})
    assert {line_id: state.pins for line_id, state in order.summary.lines.items()} == {"1": {"berlin": 2}, "2": {"berlin": 1}}
    order = world.take(an_order(a_line("2", "B", 1)), left={"berlin": 0})
    assert order.summary.lines["2"].pins == {"lyon": 1}
