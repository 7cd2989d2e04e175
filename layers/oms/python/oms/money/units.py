"""Which units: every unit of a line has a number from 1 up; sets of them are kept as sorted runs, [[1, 3], [7, 7]] being 1, 2, 3 and 7.

Shipping takes the lowest free numbers, cancelling the highest, a return the lowest of what it may take (design section 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Units = Sequence[Sequence[int]]
"""Sorted, disjoint runs of (first, last) unit numbers."""


def runs(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers as runs."""
    out: list[list[int]] = []
    for number in sorted(set(numbers)):
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return out


def count(units: Units) -> int:
    """How many units."""
    return sum(last - first + 1 for first, last in units)


def union(*sets: Units) -> list[list[int]]:
    """All units that are in any of the sets."""
    out: list[list[int]] = []
    for first, last in sorted((run[0], run[1]) for units in sets for run in units):
        if out and first <= out[-1][1] + 1:
            out[-1][1] = max(out[-1][1], last)
        else:
            out.append([first, last])
    return out


def minus(units: Units, taken: Units) -> list[list[int]]:
    """The units that are not taken."""
    out = [list(run) for run in union(units)]
    for first, last in union(taken):
        left: list[list[int]] = []
        for low, high in out:
            if low < first:
                left.append([low, min(high, first - 1)])
            if high > last:
                left.append([max(low, last + 1), high])
        out = left
    return out


def both(some: Units, others: Units) -> list[list[int]]:
    """The units that are in both sets."""
    return minus(some, minus(some, others))


def lowest(units: Units, quantity: int) -> list[list[int]]:
    """The lowest `quantity` of the units; ValueError if there are not as many."""
    out: list[list[int]] = []
    for first, last in union(units):
        take = min(quantity, last - first + 1)
        if take > 0:
            out.append([first, first + take - 1])
            quantity -= take
    if quantity > 0:
        raise ValueError(f"{quantity} units are missing")
    return out


def highest(units: Units, quantity: int) -> list[list[int]]:
    """The highest `quantity` of the units; ValueError if there are not as many."""
    spare = count(units) - quantity
    if spare < 0:
        raise ValueError(f"{-spare} units are missing")
    return minus(units, lowest(units, spare))
