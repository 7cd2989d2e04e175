"""The choice of places, and what the explanation says about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oms.routing.route import Demand, Destination, Place, Plan, Rules, plan, plans
from oms.routing.rules import RuleGroup

NOWHERE = Destination()


def lines(**wanted: int) -> list[Demand]:
    """Lines named after their SKUs."""
    return [Demand(sku, sku, quantity) for sku, quantity in wanted.items()]


def places(**stock: dict[str, int]) -> list[Place]:
    return [Place(key, stock=have) for key, have in stock.items()]


def group(**values: Any) -> Rules:
    return Rules(RuleGroup.model_validate(values), "autumn")


def route(demands: list[Demand], among: list[Place], rules: Rules | None = None) -> Plan:
    return plan(demands, NOWHERE, among, rules or Rules())


@pytest.mark.parametrize(
    ("wanted", "stock", "take"),
    [
        pytest.param({"a": 1, "b": 1}, {"L1": {"a": 10, "b": 10}, "L2": {"a": 10}}, {"L1": {"a": 1, "b": 1}}, id="E24-more-lines"),
        pytest.param({"a": 1, "b": 1}, {"L0": {"a": 1}, "L1": {"b": 1}, "L2": {"a": 1, "b": 1}}, {"L2": {"a": 1, "b": 1}}, id="one"),
        pytest.param({"a": 3}, {"L1": {"a": 2}, "L2": {"a": 2}}, {"L1": {"a": 2}, "L2": {"a": 1}}, id="split-when-it-must"),
        pytest.param({"a": 1, "b": 1}, {"L1": {"b": 1}, "L2": {"a": 1}}, {"L1": {"b": 1}, "L2": {"a": 1}}, id="each-has-one"),
        pytest.param(
            {"a": 2, "b": 3},
            {"L1": {"a": 2, "b": 1}, "L2": {"a": 1, "b": 2}},
            {"L1": {"a": 2, "b": 1}, "L2": {"b": 2}},
            id="whole",
        ),
        pytest.param({"a": 0}, {"L1": {"a": 1}}, {}, id="nothing-wanted"),
        pytest.param({}, {"L1": {"a": 1}}, {}, id="no-lines"),
    ],
)
def test_the_fewest_places(wanted: dict[str, int], stock: dict[str, dict[str, int]], take: dict[str, dict[str, int]]) -> None:
    found = route(lines(**wanted), places(**stock))
    assert (found.take, found.unallocated, found.proven) == (take, {}, True)


@pytest.mark.parametrize(
    ("ranks", "place"),
    [
        pytest.param({}, "A", id="E23-no-opinion-takes-the-first"),
        pytest.param({"A": 5, "B": 1, "C": 5}, "B", id="E23-single-best"),
        pytest.param({"A": 0, "B": 0, "C": 0}, "A", id="E23-tie-goes-on-to-the-id"),
        pytest.param({"C": 0}, "C", id="E23-one-opinion"),
    ],
)
def test_among_equals_the_best_priority_then_the_id(ranks: dict[str, int], place: str) -> None:
    among = [Place(key, priority=ranks.get(key, 100), stock={"a": 1}) for key in "CBA"]
    assert list(route(lines(a=1), among).take) == [place]


def test_no_location_at_all_as_in_e23() -> None:
    found = route(lines(a=1), [])
    assert (found.take, found.unallocated, found.score, found.splits, found.proven) == ({}, {"a": 1}, 0, 0, True)
    assert found.explanation["reason"] == "no location may serve line a"


def test_a_better_score_never_costs_another_parcel() -> None:
    among = [Place("far", priority=999, stock={"a": 2}), *(Place(key, priority=1, stock={"a": 1}) for key in ("near1", "near2"))]
    assert route(lines(a=2), among).take == {"far": {"a": 2}}


def test_what_all_places_lack_is_unallocated_and_the_rest_is_routed() -> None:
    found = route(lines(a=9, b=1), places(L1={"a": 4}, L2={"b": 1}))
    assert (found.take, found.unallocated) == ({"L1": {"a": 4}, "L2": {"b": 1}}, {"a": 5})
    assert found.splits == 1
    assert found.explanation["reason"] == "not enough stock for line a"


def test_lines_of_one_sku_share_its_stock_in_their_order() -> None:
    demands = [Demand("1", "a", 2), Demand("2", "a", 2), Demand("3", "a", 2)]
    found = route(demands, places(L1={"a": 3}, L2={"a": 2}))
    assert found.take == {"L1": {"1": 2, "2": 1}, "L2": {"2": 1, "3": 1}}
    assert found.unallocated == {"3": 1}


class TestRules:
    STORES = [
        Place("S1", type="store", stock={"a": 5, "b": 5}),
        Place("W1", stock={"a": 5}, priority=500),
        Place("W2", stock={"b": 5}, priority=500),
    ]

    def test_a_filter_leaves_places_out(self) -> None:
        rules = group(filters=[{"field": "location.type", "op": "eq", "value": "warehouse"}])
        found = route(lines(a=1, b=1), self.STORES, rules)
        assert list(found.take) == ["W1", "W2"]
        assert found.explanation["excluded"] == [{"location_id": "S1", "reason": "filter location.type eq warehouse"}]

    def test_a_filter_with_a_condition_binds_only_its_lines(self) -> None:
        heavy = {"field": "product.weight_g", "op": "gte", "value": 5000}
        rules = group(filters=[{"field": "location.type", "op": "eq", "value": "warehouse", "when": heavy}])
        demands = [Demand("1", "a", 1, {"weight_g": 9000}), Demand("2", "b", 1, {"weight_g": 100})]
        found = route(demands, self.STORES, rules)
        assert found.take == {"S1": {"2": 1}, "W1": {"1": 1}}
        assert found.explanation["excluded"] == [{"location_id": "S1", "sku": "a", "reason": "filter location.type eq warehouse"}]

    def test_places_can_be_excluded_by_name(self) -> None:
        found = route(lines(a=1), self.STORES, group(exclude_locations=["S1"]))
        assert list(found.take) == ["W1"]
        assert found.explanation["excluded"][0] == {"location_id": "S1", "reason": "excluded by the rule group"}

    def test_a_group_that_leaves_no_place_for_a_line_is_named(self) -> None:
        rules = group(
            filters=[
                {"field": "location.country", "op": "eq", "value": "FR", "when": {"field": "product.sku", "op": "eq", "value": "a"}},
            ]
        )
        found = route(lines(a=1, b=1), self.STORES, rules)
        assert found.unallocated == {"a": 1}
        assert found.explanation["reason"] == "rule group autumn leaves no location for line a"

    def test_a_place_whose_capacity_is_used_up_is_out(self) -> None:
        among = [Place("L1", stock={"a": 1}, capacity=5, capacity_left=0), Place("L2", stock={"a": 1}, capacity=5, capacity_left=1)]
        found = route(lines(a=1), among)
        assert list(found.take) == ["L2"]
        assert found.explanation["excluded"] == [{"location_id": "L1", "reason": "no capacity left in this window"}]

    def test_a_place_can_be_barred_for_a_sku_or_for_all(self) -> None:
        among = [
            Place("L1", stock={"a": 1, "b": 1}, barred={"a": "rejected"}),
            Place("L2", stock={"a": 1}, barred={"*": "off"}),
            Place("L3", stock={"a": 1}),
        ]
        found = route(lines(a=1, b=1), among)
        assert found.take == {"L1": {"b": 1}, "L3": {"a": 1}}
        assert found.explanation["excluded"] == [
            {"location_id": "L1", "sku": "a", "reason": "rejected"},
            {"location_id": "L2", "reason": "off"},
        ]

    def test_the_time_of_the_rule_group_goes_before_that_of_the_call(self) -> None:
        assert plan(lines(a=1), NOWHERE, places(L1={"a": 1}), group(search_milliseconds=500), seconds=-1).proven


class TestSplitCap:
    SPREAD = places(L1={"a": 3, "b": 1}, L2={"b": 2, "c": 4}, L3={"d": 1}, L4={"a": 3})

    def test_a_cap_that_is_large_enough_changes_nothing(self) -> None:
        found = route(lines(a=3, b=3, c=1), self.SPREAD, group(max_splits=1))
        assert (list(found.take), found.unallocated) == (["L1", "L2"], {})
        assert "reason" not in found.explanation

    def test_a_smaller_one_serves_the_most_units(self) -> None:
        found = route(lines(a=3, b=3, c=4, d=1), self.SPREAD, group(max_splits=0))
        assert (found.take, found.unallocated) == ({"L2": {"b": 2, "c": 4}}, {"a": 3, "b": 1, "d": 1})
        assert found.proven
        assert found.explanation["reason"] == "split cap: at most 1 location"

    def test_as_many_units_from_fewer_places_if_that_is_possible(self) -> None:
        among = places(L1={"a": 2}, L2={"a": 2}, L3={"a": 4, "b": 1}, L4={"b": 1, "c": 1}, L5={"c": 1, "d": 1})
        found = route(lines(a=4, b=1, c=1, d=1), among, group(max_splits=1))
        assert (list(found.take), found.unallocated) == (["L3", "L5"], {})
        assert route(lines(a=4, b=1, c=1, d=1), among, group(max_splits=0)).unallocated == {"c": 1, "d": 1}

    def test_the_cap_and_a_shortage_are_both_told(self) -> None:
        found = route(lines(a=9, d=1), self.SPREAD, group(max_splits=0))
        assert found.take == {"L1": {"a": 3}}
        assert found.explanation["reason"] == "split cap: at most 1 location; not enough stock for line a"


class TestExplanation:
    def test_what_it_holds(self) -> None:
        among = [
            Place("L1", priority=3, stock={"a": 1}),
            Place("L2", priority=2, stock={"a": 2}),
            Place("L3"),
            Place("L4", stock={"a": 9}, priority=9),
        ]
        found = route(lines(a=2), among)
        assert found.score == 2
        assert found.scores == {"L1": 3, "L2": 2, "L4": 9}
        assert found.explanation == {
            "rule_group": None,
            "places": 1,
            "proven": True,
            "searched": found.explanation["searched"],
            "candidates": [
                {"location_id": "L2", "score": 2, "parts": {"priority": 2}, "chosen": True},
                {"location_id": "L1", "score": 3, "parts": {"priority": 3}, "chosen": False},
                {"location_id": "L4", "score": 9, "parts": {"priority": 9}, "chosen": False},
            ],
            "more_candidates": 0,
            "excluded": [{"location_id": "L3", "reason": "no stock of what is wanted"}],
            "excluded_counts": {"no stock of what is wanted": 1},
        }

    def test_it_stays_small_however_many_places_there_are(self) -> None:
        among = [Place(f"L{i:03d}", stock={"a": 1}) for i in range(300)] + [Place(f"X{i:03d}") for i in range(200)]
        found = route(lines(a=3), among, group(exclude_locations=["L007"]))
        assert len(found.explanation["candidates"]) == len(found.explanation["excluded"]) == 12
        assert found.explanation["more_candidates"] == 299 - 12
        assert found.explanation["excluded"][0]["location_id"] == "L007"  # it had stock
        assert found.explanation["excluded_counts"] == {"excluded by the rule group": 1, "no stock of what is wanted": 200}
        assert found.explanation["rule_group"] == "autumn"
        assert len(json.dumps(found.explanation)) < 4000

    def test_an_unknown_distance_is_told(self) -> None:
        among = [Place("L1", stock={"a": 1}), Place("L2", stock={"a": 1}, latitude=1.0, longitude=1.0)]
        found = plan(lines(a=1), Destination(latitude=0.0, longitude=0.0), among, group(weights={"distance": 1}))
        unknown = {each["location_id"]: each.get("unknown") for each in found.explanation["candidates"]}
        assert unknown == {"L1": ["distance"], "L2": None}


def test_a_search_that_runs_out_of_its_time_says_so() -> None:
    among = [Place(f"L{i:02d}", stock={f"s{j}": 1 for j in (i, (i * 7 + 1) % 40, (i * 11 + 5) % 40)}) for i in range(40)]
    found = plan([Demand(f"s{i}", f"s{i}", 1) for i in range(40)], NOWHERE, among, Rules(), seconds=-1)
    assert (found.proven, found.explanation["proven"], found.unallocated) == (False, False, {})


def test_the_alternatives_come_by_score() -> None:
    among = [Place(key, priority=rank, stock={"a": 1}) for key, rank in (("L1", 3), ("L2", 1), ("L3", 2), ("L4", 2))]
    found = plans(lines(a=2), NOWHERE, among, Rules(), most=4)
    assert [(sorted(each.take), each.score) for each in found] == [
        (["L2", "L3"], 3),
        (["L2", "L4"], 3),
        (["L1", "L2"], 4),
        (["L3", "L4"], 4),
    ]
