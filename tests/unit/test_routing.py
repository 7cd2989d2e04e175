"""The fewest locations, then the best priorities, then the id."""

from __future__ import annotations

import pytest

from oms.routing.fewest import Demand, Supply, fewest_locations


@pytest.mark.parametrize(
    ("demand", "supply", "take"),
    [
        pytest.param({"a": 1, "b": 1}, {"L1": {"a": 10, "b": 10}, "L2": {"a": 10}}, {"L1": {"a": 1, "b": 1}}, id="E24-covers-more-lines"),
        pytest.param(
            {"a": 1, "b": 1}, {"L0": {"a": 1}, "L1": {"b": 1}, "L2": {"a": 1, "b": 1}}, {"L2": {"a": 1, "b": 1}}, id="one-for-two"
        ),
        pytest.param({"a": 3}, {"L1": {"a": 2}, "L2": {"a": 2}}, {"L1": {"a": 2}, "L2": {"a": 1}}, id="split-when-it-must"),
        pytest.param({"a": 1, "b": 1}, {"L1": {"b": 1}, "L2": {"a": 1}}, {"L1": {"b": 1}, "L2": {"a": 1}}, id="each-has-one"),
        pytest.param({"a": 0}, {"L1": {"a": 1}}, {}, id="nothing-wanted"),
    ],
)
def test_the_fewest_locations(demand: Demand, supply: Supply, take: dict[str, dict[str, int]]) -> None:
    route = fewest_locations(demand, supply)
    assert (route.take, route.missing, route.proven) == (take, {}, True)


@pytest.mark.parametrize(
    ("ranks", "place"),
    [
        pytest.param({}, "A", id="E23-no-opinion-takes-the-first"),
        pytest.param({"A": 5, "B": 1, "C": 5}, "B", id="E23-single-best"),
        pytest.param({"A": 0, "B": 0, "C": 1}, "A", id="E23-tie-goes-on-to-the-id"),
        pytest.param({"C": 0}, "C", id="E23-one-opinion"),
    ],
)
def test_among_equals_the_best_priority_then_the_id(ranks: dict[str, int], place: str) -> None:
    supply = {key: {"a": 1} for key in "CBA"}
    assert list(fewest_locations({"a": 1}, supply, ranks).take) == [place]


def test_priorities_never_cost_another_parcel() -> None:
    supply = {"far": {"a": 2}, "near1": {"a": 1}, "near2": {"a": 1}}
    assert fewest_locations({"a": 2}, supply, {"far": 999, "near1": 1, "near2": 1}).take == {"far": {"a": 2}}


def test_what_all_locations_lack_is_missing_and_the_rest_is_routed() -> None:
    route = fewest_locations({"a": 9, "b": 1}, {"L1": {"a": 4}, "L2": {"b": 1}})
    assert route.take == {"L1": {"a": 4}, "L2": {"b": 1}}
    assert route.missing == {"a": 5}


def test_no_location_at_all() -> None:
    route = fewest_locations({"a": 1}, {})
    assert (route.take, route.missing) == ({}, {"a": 1})


def test_a_search_that_runs_out_of_its_bound_says_so() -> None:
    supply = {f"L{i:02d}": {f"s{i}": 1} for i in range(24)}
    route = fewest_locations({f"s{i}": 1 for i in range(24)}, supply)
    assert route.proven is False
    assert len(route.take) == 24
