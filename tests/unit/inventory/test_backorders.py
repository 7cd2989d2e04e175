"""Waiting in line, being granted what arrives, and what is promised meanwhile: decided without any storage."""

from __future__ import annotations

from typing import Any

import pytest

from oms.inventory.backorders import end_wait, grant, home, wait_is_over
from oms.inventory.promises import Expected, forecast
from oms.inventory.stock import Stock
from oms.orders.order import Order, StockChange
from oms.orders.records import PROCESSING_HOURS, TRANSIT_DAYS, Promise, Waiting
from oms.orders.view import promise_of
from oms.settings import ChannelSettings, Location, MethodSettings, Settings
from tests.support.orders import a_line, an_order
from tests.unit.memory import NOW, World

NOTHING = {"A": {"berlin": 0, "lyon": 0}}


def settings(**more: Any) -> Settings:
    return Settings(locations={place: Location(id=place) for place in ("berlin", "lyon")}, **more)


def row(place: str, spare: int = 0, *futures: tuple[str, int], queued: int = 0, **more: Any) -> Stock:
    coming = [{"expected_at": f"{day}T00:00:00.000Z", "quantity": units} for day, units in futures]
    figures = {"on_hand": spare, "spare": spare, "queued": queued, "available": spare - queued, "parts": {0: spare - queued}}
    return Stock(sku="A", location_id=place, futures=coming, **{**figures, **more})


def expected(queue: list[Waiting], *rows: Stock, rules: Settings | None = None) -> list[Expected]:
    return forecast("A", queue, rows, rules or settings(), NOW)


def waiting_order(world: World, units: int = 3, **more: Any) -> Order:
    return world.place(an_order(a_line("1", "A", units, backorder="allow"), **more))


def test_usual_figures_are_those_of_settings_nobody_has_set() -> None:
    assert Location(id="x").processing_hours == PROCESSING_HOURS
    assert (MethodSettings().transit_days_min, MethodSettings().transit_days_max) == TRANSIT_DAYS


def test_those_in_front_have_the_supply_first() -> None:
    found = expected([Waiting(units=2), Waiting(units=2), Waiting(units=1)], row("berlin", 0, ("2027-01-01", 3), ("2027-02-01", 1)))
    assert [each.source for each in found] == ["supply:2027-01-01", "supply:2027-02-01", "none"]
    assert (found[0].earliest, found[0].latest) == ("2027-01-03T00:00:00.000Z", "2027-01-07T00:00:00.000Z")
    assert (found[2].earliest, found[2].latest) == (None, None)


def test_supply_comes_in_the_order_of_its_dates_from_the_places_that_may_serve() -> None:
    rules = settings(channels={"south": ChannelSettings(location_group="s")})
    rules.locations["lyon"].groups.append("s")
    rows = (row("berlin", 0, ("2027-01-01", 1)), row("lyon", 0, ("2027-03-01", 1), ("2027-02-01", 1)))
    queue = [Waiting(units=1, channel="south"), Waiting(units=1, channel="web"), Waiting(units=2, channel="web")]
    found = expected(queue, *rows, rules=rules)
    assert [each.source for each in found] == ["supply:2027-02-01", "supply:2027-01-01", "none"]


def test_a_promise_is_for_the_last_of_the_units_wherever_it_comes_from() -> None:
    rules = settings(methods={"slow": MethodSettings(transit_days_min=2, transit_days_max=9)})
    rules.locations["berlin"].processing_hours = 240
    (found,) = expected(
        [Waiting(units=2, method="slow")], row("berlin", 0, ("2027-01-01", 1)), row("lyon", 0, ("2027-01-05", 1)), rules=rules
    )
    assert (found.earliest, found.latest) == ("2027-01-13T00:00:00.000Z", "2027-01-20T00:00:00.000Z")
    assert found.source == "supply:2027-01-05"


def test_supply_that_is_late_is_expected_tomorrow() -> None:
    (found,) = expected([Waiting(units=1)], row("berlin", 0, ("2026-11-01", 1)))
    assert found.earliest == "2026-11-26T00:00:00.000Z"
    assert found.source == "supply:2026-11-01"


def test_a_debt_stands_where_supply_comes_first_else_at_the_best_location() -> None:
    rules = settings()
    rules.locations["lyon"].priority = 1
    rows = [row("berlin", 0, ("2027-01-01", 1)), row("lyon", 0, ("2027-02-01", 1))]
    stands = [home("A", Waiting(units=1), having, rules, NOW) for having in (rows, [])]
    assert [place.id for place in stands if place] == ["berlin", "lyon"]


def test_what_is_there_is_reserved_and_the_rest_waits() -> None:
    """E11: 2 in stock, 3 wanted: reserved 2, backordered 1."""
    world = World({"A": {"berlin": 2, "lyon": 0}})
    state = waiting_order(world).summary.lines["1"]
    assert (state.pins, state.backordered) == ({"berlin": 2}, 1)
    assert (world.row("A").reserved, world.row("A").queued, world.row("A").available) == (2, 1, -1)


def test_a_grant_gives_up_the_debt_wherever_it_stands() -> None:
    world = World(NOTHING)
    order = waiting_order(world, 3)
    assert world.row("A").queued == 3
    rows = {"A": [row("berlin", 0, queued=2), row("lyon", 3, queued=1)]}
    assert grant(order, "1", rows, world.settings) == 3
    assert order.stock == [StockChange("A", "lyon", reserve=3, queue=-1), StockChange("A", "", queue=-2)]
    assert order.summary.lines["1"].pins == {"lyon": 3}


def test_a_grant_of_a_hot_item_takes_what_arrived_and_then_from_the_other_rows() -> None:
    world = World(NOTHING)
    order = waiting_order(world, 3)
    hot = row("berlin", 3, queued=3, shards=2, width=2, parts={0: -2, 1: 2})
    assert grant(order, "1", {"A": [hot]}, world.settings) == 3
    assert order.stock == [StockChange("A", "berlin", reserve=1, queue=-3), StockChange("A", "berlin", reserve=2, shard=1)]


def test_a_grant_twice_gives_nothing_more() -> None:
    world = World(NOTHING)
    order = waiting_order(world, 1)
    world.arrive("A", "berlin", 5)
    assert grant(order, "1", world.rows, world.settings) == 1
    world.commit(order)
    assert grant(order, "1", world.rows, world.settings) == 0
    assert (world.row("A").reserved, world.row("A").queued, world.row("A").available) == (1, 0, 4)


def test_units_of_several_places_are_granted_together() -> None:
    world = World(NOTHING)
    order = waiting_order(world, 3)
    rows = {"A": [row("berlin", 1, queued=3), row("lyon", 1)]}
    assert grant(order, "1", rows, world.settings) == 2
    state = order.summary.lines["1"]
    assert (state.pins, state.backordered) == ({"berlin": 1, "lyon": 1}, 1)
    assert [fact.data["location_id"] for fact in order.facts if fact.type == "backorder.granted"] == ["berlin", "lyon"]


def test_a_granted_line_is_promised_from_now_on() -> None:
    world = World(NOTHING)
    order = waiting_order(world, 1)
    order.summary.v, order.now = 1, "2026-12-01T00:00:00.000Z"
    rows = {"A": [row("berlin", 1, queued=1)]}
    grant(order, "1", rows, world.settings)
    promise = Promise(earliest="2026-12-03T00:00:00.000Z", latest="2026-12-07T00:00:00.000Z", source="stock", changed_at=order.now)
    assert promise_of(order, "1") == promise


@pytest.mark.parametrize(("day", "over"), [("2026-12-02", False), ("2026-12-03", True)])
def test_a_wait_is_over_when_its_channel_says_so(day: str, over: bool) -> None:
    world = World(NOTHING)
    world.settings.channels["web"] = ChannelSettings(backorder_days=10)
    order = waiting_order(world, 1, placed_at="2026-11-23T08:00:00Z")
    order.now = f"{day}T08:00:00.000Z"
    assert wait_is_over(order, world.settings) is over


def test_who_leaves_the_queue_gives_the_debt_back_once() -> None:
    world = World(NOTHING)
    order = waiting_order(world, 2)
    assert (end_wait(order, "1", "too long"), end_wait(order, "1", "too long")) == (2, 0)
    world.commit(order)
    assert (world.row("A").queued, world.row("A").available) == (0, 0)
    assert promise_of(order, "1") is None
