"""Which units: sets of unit numbers as sorted runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from oms.money.units import Units, count, highest, lowest, minus, runs, union


@pytest.mark.parametrize(
    ("numbers", "expected"), [([], []), ([3], [[3, 3]]), ([3, 1, 2, 2], [[1, 3]]), ([1, 2, 4, 5, 9], [[1, 2], [4, 5], [9, 9]])]
)
def test_numbers_become_runs(numbers: list[int], expected: list[list[int]]) -> None:
    assert runs(numbers) == expected
    assert count(expected) == len(set(numbers))


def test_union_joins_what_touches_or_overlaps() -> None:
    assert union([[1, 2], [8, 9]], [[3, 4]], [[9, 10]]) == [[1, 4], [8, 10]]
    assert union() == []


@pytest.mark.parametrize(
    ("taken", "left"),
    [([], [[1, 9]]), ([[1, 9]], []), ([[4, 5]], [[1, 3], [6, 9]]), ([[1, 1], [9, 12]], [[2, 8]]), ([[20, 30]], [[1, 9]])],
)
def test_minus_leaves_what_is_not_taken(taken: Units, left: Units) -> None:
    assert minus([[1, 9]], taken) == left


def test_lowest_and_highest_cross_runs() -> None:
    units = [[2, 3], [5, 7]]
    assert lowest(units, 3) == [[2, 3], [5, 5]]
    assert highest(units, 4) == [[3, 3], [5, 7]]
    assert lowest(units, 0) == []
    assert highest(units, 0) == []


@pytest.mark.parametrize("choose", [lowest, highest])
def test_more_than_there_are_is_refused(choose: Callable[[Units, int], list[list[int]]]) -> None:
    with pytest.raises(ValueError, match="1 units are missing"):
        choose([[1, 2]], 3)


def test_nothing_given_is_changed() -> None:
    units = [[1, 3]]
    minus(units, [[2, 2]])
    union(units, [[4, 4]])
    assert units == [[1, 3]]
