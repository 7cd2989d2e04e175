"""The search is exact: nobody can serve a demand from fewer locations, or from better ones."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from oms.routing.fewest import fewest_locations

SKUS, PLACES = "abc", ["L1", "L2", "L3", "L4", "L5"]
QUANTITIES = st.integers(0, 4)
DEMANDS = st.dictionaries(st.sampled_from(SKUS), QUANTITIES, min_size=1)
SUPPLIES = st.dictionaries(st.sampled_from(PLACES), st.dictionaries(st.sampled_from(SKUS), QUANTITIES), max_size=5)
RANKS = st.dictionaries(st.sampled_from(PLACES), st.integers(0, 3))


def best_by_trying_all(
    wanted: dict[str, int], supply: dict[str, dict[str, int]], ranks: dict[str, int]
) -> tuple[int, int, tuple[str, ...]]:
    """(how many, sum of priorities, ids) of the best set of places that has all that is wanted."""
    return min(
        (size, sum(ranks.get(place, 100) for place in places), places)
        for size in range(len(supply) + 1)
        for places in combinations(sorted(supply), size)
        if all(sum(supply[place].get(sku, 0) for place in places) >= quantity for sku, quantity in wanted.items())
    )


@given(DEMANDS, SUPPLIES, RANKS)
def test_no_smaller_or_better_set_of_places_would_do(
    demand: dict[str, int], supply: dict[str, dict[str, int]], ranks: dict[str, int]
) -> None:
    route = fewest_locations(demand, supply, ranks)
    wanted = {sku: quantity - route.missing.get(sku, 0) for sku, quantity in demand.items()}
    size, cost, places = best_by_trying_all(wanted, supply, ranks)
    assert route.proven
    assert (len(route.take), tuple(sorted(route.take))) == (size, places)
    assert sum(ranks.get(place, 100) for place in route.take) == cost


@given(DEMANDS, SUPPLIES)
def test_all_that_is_there_is_taken_and_nothing_that_is_not(demand: dict[str, int], supply: dict[str, dict[str, int]]) -> None:
    route = fewest_locations(demand, supply)
    for place, skus in route.take.items():
        assert skus
        assert all(0 < quantity <= supply[place].get(sku, 0) for sku, quantity in skus.items())
    for sku, quantity in demand.items():
        taken = sum(skus.get(sku, 0) for skus in route.take.values())
        assert taken == min(quantity, sum(stock.get(sku, 0) for stock in supply.values()))
        assert taken + route.missing.get(sku, 0) == quantity


@given(DEMANDS, SUPPLIES, RANKS)
def test_the_choice_does_not_depend_on_the_order_of_anything(
    demand: dict[str, int], supply: dict[str, dict[str, int]], ranks: dict[str, int]
) -> None:
    shuffled = dict(sorted(supply.items(), reverse=True))
    turned = dict(sorted(demand.items(), reverse=True))
    assert fewest_locations(demand, supply, ranks) == fewest_locations(turned, shuffled, ranks)
