"""What a place's part in a route costs."""

from __future__ import annotations

from typing import Any

import pytest

from oms.routing.model import Demand, Destination, Place, Rules
from oms.routing.rules import CostTable, RuleGroup
from oms.routing.scores import Score, capacity_used, scores

BERLIN, HAMBURG, MUNICH = (52.52, 13.405), (53.5511, 9.9937), (48.1351, 11.582)
DEMANDS = [Demand("1", "A", 3, {"weight_g": 400}), Demand("2", "B", 1)]


def at(key: str, where: tuple[float, float] | None = None, **values: Any) -> Place:
    return Place(key, latitude=where[0] if where else None, longitude=where[1] if where else None, **values)


def rules(costs: list[dict[str, Any]] | None = None, areas: dict[str, tuple[float, float]] | None = None, **weights: int) -> Rules:
    table = CostTable.model_validate({"rows": costs}) if costs else None
    return Rules(RuleGroup.model_validate({"weights": weights}), "g", table, areas or {})


def test_without_a_rule_group_only_the_priority_counts() -> None:
    places = [at("L1", HAMBURG, priority=7), at("L2", BERLIN)]
    assert scores(places, DEMANDS, Destination("DE", "", *BERLIN), Rules()) == {
        "L1": Score(7, {"priority": 7}),
        "L2": Score(100, {"priority": 100}),
    }


def test_the_distance_is_in_kilometres_times_its_weight() -> None:
    found = scores([at("L1", HAMBURG), at("L2", MUNICH)], DEMANDS, Destination("DE", "", *BERLIN), rules(distance=2))
    assert {key: score.parts for key, score in found.items()} == {"L1": {"distance": 510}, "L2": {"distance": 1008}}


def test_without_coordinates_the_postal_area_is_used() -> None:
    places = [Place("L1", country="DE", postal_code="20095"), at("L2", MUNICH)]
    areas = {"DE-20": HAMBURG, "DE-10": BERLIN}
    found = scores(places, DEMANDS, Destination("DE", "10115"), rules(areas=areas, distance=1))
    assert (found["L1"].total, found["L2"].total) == (255, 504)


def test_an_unknown_distance_counts_like_the_farthest_and_says_so() -> None:
    found = scores([at("L1"), at("L2", MUNICH), at("L3", HAMBURG)], DEMANDS, Destination("DE", "", *BERLIN), rules(distance=1))
    assert found["L1"] == Score(504, {"distance": 504}, ("distance",))
    assert found["L3"].unknown == ()


def test_an_unknown_destination_makes_all_places_equally_far() -> None:
    found = scores([at("L1", HAMBURG), at("L2", MUNICH)], DEMANDS, Destination("DE"), rules(distance=9))
    assert found == {key: Score(0, {"distance": 0}, ("distance",)) for key in ("L1", "L2")}


def test_the_cost_is_that_of_the_whole_group_by_weight() -> None:
    """3 x 400 g, and a line of unknown weight that counts as nothing."""
    rows = [
        {"ship_from": "L1", "ship_to": "DE", "up_to_g": 1199, "amount": 1},
        {"ship_from": "L1", "ship_to": "DE", "up_to_g": 1200, "amount": 450},
        {"ship_from": "north", "ship_to": "DE", "amount": 300},
    ]
    found = scores([at("L1"), at("L2", groups=["north"]), at("L3")], DEMANDS, Destination("DE", "1"), rules(rows, cost=1))
    assert {key: score.total for key, score in found.items()} == {"L1": 450, "L2": 300, "L3": 450}
    assert found["L3"].unknown == ("cost",)


@pytest.mark.parametrize(
    ("capacity", "left", "percent"), [(None, None, 0), (10, None, 0), (10, 10, 0), (3, 2, 33), (10, 1, 90), (10, -2, 100), (10, 12, 0)]
)
def test_capacity_counts_in_percent_used(capacity: int | None, left: int | None, percent: int) -> None:
    assert capacity_used(Place("L", capacity=capacity, capacity_left=left)) == percent


def test_overstock_counts_in_percent_that_it_cannot_serve() -> None:
    places = [at("all", overstock={"A": 9, "B": 1}), at("some", overstock={"A": 2}), at("none", overstock={"C": 9})]
    found = scores(places, DEMANDS, Destination(), rules(overstock=1))
    assert {key: score.total for key, score in found.items()} == {"all": 0, "some": 50, "none": 100}


def test_the_score_is_the_sum_of_its_parts() -> None:
    place = at("L1", HAMBURG, priority=3, capacity=2, capacity_left=1)
    found = scores([place], DEMANDS, Destination("DE", "", *BERLIN), rules(distance=1, priority=10, capacity=2, overstock=1))["L1"]
    assert found == Score(255 + 30 + 100 + 100, {"distance": 255, "priority": 30, "capacity": 100, "overstock": 100})
