"""The simulator: two sets of rules over the same orders and the same stock, with figures worked out by hand."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from oms.clock import later
from oms.routing import simulate as module
from oms.routing.measures import average
from oms.routing.model import Demand, Destination, Place, Plan, Rules
from oms.routing.rules import CostTable, RuleGroup
from oms.routing.simulate import Case, Ground, RulesFor, Simulation, proposal, simulate

MONDAY = "2026-11-23T09:00:00.000Z"
# On the equator, where a degree is 111.19 km.
WEST = Place("west", priority=1, latitude=0.0, longitude=0.0)
EAST = Place("east", priority=2, latitude=0.0, longitude=10.0)
STOCK = {"west": {"A": 3}, "east": {"A": 5, "B": 2}}
HOURS = {"west": 24, "east": 72}
NEAREST = RuleGroup.model_validate({"weights": {"distance": 1}})


def a_case(order_id: str, to: float, *, places: Sequence[Place] = (WEST, EAST), days: int = 0, weight_g: int = 0, **units: int) -> Case:
    """An order to a place on the equator, due at the usual time: a day and five days of transit."""
    product = {"weight_g": weight_g} if weight_g else {}
    demands = [Demand(sku, sku, count, product) for sku, count in units.items()]
    at = later(MONDAY, days=days)
    return Case(order_id, "g1", demands, Destination("", "", 0.0, to), places, at, due=later(at, days=6))


CASES = [a_case("o1", 9, A=2), a_case("o2", 1, A=2, B=1), a_case("o3", 0, A=4), a_case("o4", 10, A=1)]


def in_force(_: str) -> Rules:
    return Rules()


def run(cases: Sequence[Case], group: RuleGroup = NEAREST, *, ground: Ground | None = None, beside: RulesFor = in_force) -> Simulation:
    return simulate(cases, ground or Ground(STOCK, processing_hours=HOURS), beside, proposal(group, "nearest", None, beside))


def figures(done: Simulation, *names: str) -> list[tuple[Any, Any]]:
    before, after = done.in_force.view(), done.proposed.view()
    return [(before[name], after[name]) for name in names]


def test_the_figures_are_those_worked_out_by_hand() -> None:
    # by priority:  o1 west 2 (1001 km), o2 east 3 (1001), o3 west 1 (0) + east 3 (1112), o4 nothing is left
    # by distance:  o1 east 2 (111),     o2 east 3 (1001), o3 west 3 (0) + east 1 (1112), o4 nothing is left
    done = run(CASES).view()
    same = {
        "orders": 4,
        "units": 10,
        "unfillable_orders": 1,
        "unfillable_units": 1,
        "parcels": 4,
        "splits": 1,
        "splits_per_100_orders": 25,
        "split_orders": 1,
        "split_percent": 25,
        "parcels_of_unknown_distance": 0,
        "total_cost": 0,
        "average_cost": 0,
        "parcels_of_unknown_cost": 4,
        "parcels_beyond_capacity": 0,
        "proven_percent": 100,
        "average_hours_late": 48,
    }
    before, after = done["in_force"], done["proposed"]
    assert isinstance(before.pop("milliseconds"), int)
    assert isinstance(after.pop("milliseconds"), int)
    assert before == same | {
        "rule_groups": [],
        "total_km": 3114,
        "average_km": 779,
        "late_orders": 2,
        "hours_late": 96,
        "locations": [
            {"location_id": "east", "parcels": 2, "units": 6, "percent": 67},
            {"location_id": "west", "parcels": 2, "units": 3, "percent": 33},
        ],
    }
    assert after == same | {
        "rule_groups": ["nearest"],
        "total_km": 2224,
        "average_km": 556,
        "late_orders": 3,
        "hours_late": 144,
        "locations": [
            {"location_id": "east", "parcels": 3, "units": 6, "percent": 67},
            {"location_id": "west", "parcels": 1, "units": 3, "percent": 33},
        ],
    }
    assert (done["orders"], done["left_out"], done["changed_orders"]) == (4, 0, 2)
    assert done["changed"] == [
        {"order_id": "o1", "delivery_group": "g1", "in_force": {"west": 2}, "proposed": {"east": 2}},
        {"order_id": "o3", "delivery_group": "g1", "in_force": {"east": 3, "west": 1}, "proposed": {"east": 1, "west": 3}},
    ]


@pytest.mark.parametrize(("wanted", "late"), [("2026-11-29", 0), ("2026-11-28", 9), ("2026-11-29T08:30:00.000Z", 1)])
def test_what_is_wanted_on_a_day_may_come_until_its_end(wanted: str, late: int) -> None:
    done = run([replace(a_case("o1", 0, A=1), due=wanted)])
    assert figures(done, "hours_late") == [(late, late)]


def test_the_stock_it_is_given_stays_and_a_second_run_says_the_same() -> None:
    ground = Ground(copy.deepcopy(STOCK), processing_hours=HOURS)
    first, second = run(CASES, ground=ground), run(CASES, ground=ground)
    assert ground.stock == STOCK
    for done in (first, second):
        done.in_force.nanoseconds = done.proposed.nanoseconds = 0
    assert first == second


def test_the_oldest_order_comes_first() -> None:
    late, early = a_case("late", 0, days=1, A=1), a_case("early", 10, A=1)
    done = run([late, early], ground=Ground({"west": {"A": 1}, "east": {"A": 1}}))
    # By priority the early one has west; by distance each has its own.
    assert [(each["order_id"], each["in_force"]) for each in done.view()["changed"]] == [("early", {"west": 1}), ("late", {"east": 1})]


def test_when_time_is_over_it_says_how_many_orders_are_left_out() -> None:
    answers = iter([True, True, False])
    done = simulate(CASES, Ground(STOCK), in_force, in_force, lambda: next(answers))
    assert (done.view()["orders"], done.left_out) == (2, 2)


def test_the_delivery_groups_of_an_order_are_one_order() -> None:
    first = a_case("o1", 0, A=3)
    done = run([first, replace(first, group_id="g2", demands=[Demand("2", "A", 5)])])
    assert figures(done, "orders", "parcels", "splits", "units") == [(1, 1), (2, 2), (0, 0), (8, 8)]


def test_a_parcel_costs_by_its_own_weight() -> None:
    rows = [{"ship_from": "west", "up_to_g": 1000, "amount": 500}, {"ship_from": "west", "amount": 900}]
    costs = CostTable.model_validate({"rows": rows})
    ground = Ground({"west": {"A": 3}, "east": {"A": 1}}, costs=costs)
    # o1: west 1, 600 g: 500. o2: west 2, 1200 g: 900, and east 1, for which there is no row.
    done = run([a_case("o1", 0, A=1, weight_g=600), a_case("o2", 0, A=3, weight_g=600)], ground=ground)
    assert figures(done, "total_cost", "average_cost", "parcels_of_unknown_cost") == [(1400, 1400), (700, 700), (1, 1)]


def test_where_nobody_knows_the_distance_the_parcels_are_counted() -> None:
    done = run([replace(a_case("o1", 0, A=1), destination=Destination("FR")), a_case("o2", 10, A=1)])
    assert figures(done, "parcels_of_unknown_distance", "average_km") == [(1, 1), (1112, 0)]


def test_what_is_collected_travels_nowhere() -> None:
    done = run([replace(a_case("o1", 9, A=1), sent=False)])
    assert figures(done, "parcels", "total_km", "parcels_of_unknown_cost") == [(1, 1), (0, 0), (0, 0)]


def test_a_location_takes_as_many_orders_a_day_as_it_may() -> None:
    places = [replace(WEST, capacity=1), EAST]
    orders = [a_case(f"o{n}", 0, places=places, days=day, A=1) for n, day in enumerate((0, 0, 1))]
    done = run(orders)
    assert [(each["location_id"], each["parcels"]) for each in done.in_force.view()["locations"]] == [("west", 2), ("east", 1)]
    assert done.in_force.beyond_capacity == 0


def test_a_full_location_comes_in_when_the_others_cannot_serve_all() -> None:
    places = [replace(WEST, capacity=1), EAST]
    done = run([a_case(f"o{n}", 0, places=places, A=1) for n in range(2)], ground=Ground({"west": {"A": 2}}))
    assert figures(done, "unfillable_units", "parcels_beyond_capacity") == [(0, 0), (1, 1)]


def test_overstock_is_what_is_left_above_the_target_level() -> None:
    least_surplus = RuleGroup.model_validate({"weights": {"overstock": 1}})
    ground = Ground({"west": {"A": 9}, "east": {"A": 9}}, targets={"west": {"A": 9}, "east": {"A": 7}})
    # east has two units too many; once they are gone both are equal, and the first id decides.
    done = run([a_case("o1", 0, A=2), a_case("o2", 0, A=3)], least_surplus, ground=ground)
    assert [each["proposed"] for each in done.view()["changed"]] == [{"east": 2}, {"east": 3}]
    assert done.proposed.places["east"].units == 5


def test_a_proposal_for_some_channels_leaves_the_others_alone() -> None:
    group = NEAREST.model_copy(update={"channels": ["web"]})
    done = run([replace(a_case("o1", 10, A=1), channel="web"), replace(a_case("o2", 10, A=1), channel="shop")], group)
    assert [each["order_id"] for each in done.view()["changed"]] == ["o1"]


def test_its_dates_do_not_matter() -> None:
    ended = NEAREST.model_copy(update={"ends_at": "2020-01-01T00:00:00.000Z"})
    assert run(CASES, ended).proposed.km == 2224


def test_no_search_takes_longer_than_a_simulation_can_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = []

    def spy(demands: Any, destination: Any, places: Any, rules: Rules) -> Plan:
        bounds.append(rules.group.search_milliseconds if rules.group else None)
        return Plan({}, {}, 0, True, {})

    monkeypatch.setattr(module, "plan", spy)
    run(CASES[:1], NEAREST.model_copy(update={"search_milliseconds": 10_000}))
    run(CASES[:1], NEAREST.model_copy(update={"search_milliseconds": 50}))
    assert bounds == [None, module.LONGEST_SEARCH, None, 50]


@pytest.mark.parametrize(("total", "count", "nearest"), [(3, 2, 2), (5, 4, 1), (7, 4, 2), (0, 5, 0), (5, 0, 0)])
def test_averages_are_whole(total: int, count: int, nearest: int) -> None:
    assert average(total, count) == nearest
