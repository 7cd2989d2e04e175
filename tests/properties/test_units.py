"""Runs of unit numbers behave like sets of numbers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from oms.money.units import Units, count, highest, lowest, minus, runs, union

SETS = st.frozensets(st.integers(1, 40))


def members(units: Units) -> set[int]:
    """The numbers; they must be in sorted runs that neither touch nor overlap."""
    assert all(first <= last for first, last in units)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(units))
    return {number for first, last in units for number in range(first, last + 1)}


@given(SETS, SETS)
def test_runs_are_sets(some: frozenset[int], others: frozenset[int]) -> None:
    a, b = runs(some), runs(others)
    assert members(a) == some
    assert count(a) == len(some)
    assert members(union(a, b)) == some | others
    assert members(minus(a, b)) == some - others
    assert union(a, b) == union(b, a)


@given(SETS, st.data())
def test_lowest_and_highest_take_from_the_two_ends(some: frozenset[int], data: st.DataObject) -> None:
    quantity = data.draw(st.integers(0, len(some)))
    in_order = sorted(some)
    assert members(lowest(runs(some), quantity)) == set(in_order[:quantity])
    assert members(highest(runs(some), quantity)) == set(in_order[len(some) - quantity :])


@given(st.lists(SETS, max_size=4))
def test_overlapping_runs_in_any_order_are_one_set(sets: list[frozenset[int]]) -> None:
    loose = [run for some in sets for run in runs(some)]
    assert members(union(loose)) == frozenset().union(*sets)
