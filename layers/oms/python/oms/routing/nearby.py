"""Good sets of places, without proof: where the exact search starts from, and what is used when its time is over."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from oms.routing.cover import Cover, Open
from oms.routing.descent import Descent, Effort
from oms.routing.prices import SCALE, Prices


def greedy(cover: Cover) -> tuple[int, ...]:
    """Place by place the one that serves the largest part of what is open; in the end without those that turn out to be superfluous."""
    open_, left = cover.open(), list(range(len(cover.rows)))
    chosen: list[int] = []
    while open_:
        place = max(left, key=lambda place: (_gain(cover.rows[place], open_), -place))
        chosen.append(place)
        left.remove(place)
        open_ = cover.after(place, open_)
    for place in sorted(chosen, reverse=True):
        rest = [other for other in chosen if other != place]
        if not _open_after(cover, rest):
            chosen = rest
    return tuple(chosen)


def fewer(cover: Cover, chosen: tuple[int, ...], effort: Effort) -> tuple[int, ...]:
    """Put one place instead of two, or two instead of three, as long as that is possible."""
    return _exchange(cover, [0] * len(cover.rows), chosen, effort, leave=(2, 3), take=-1)


def cheaper(cover: Cover, costs: Sequence[int], chosen: tuple[int, ...], effort: Effort) -> tuple[int, ...]:
    """Put cheaper places instead of one or two, as long as that is possible. The places are numbered by cost."""
    return _exchange(cover, costs, chosen, effort, leave=(1, 2), take=0)


def _exchange(
    cover: Cover, costs: Sequence[int], chosen: tuple[int, ...], effort: Effort, *, leave: tuple[int, ...], take: int
) -> tuple[int, ...]:
    """Exact searches for better company of all places but a few."""
    prices = Prices([0] * len(cover.needs), [cost * SCALE for cost in costs])
    again = True
    while again and not effort.over:
        again = False
        for size in leave:
            for out in combinations(sorted(chosen, reverse=True), size):
                rest = tuple(place for place in chosen if place not in out)
                budget = sum(costs[place] for place in chosen) + (take < 0)
                allowed = cover.all
                for place in rest:
                    allowed &= ~(1 << place)
                descent = Descent(cover, costs, prices, effort, budget=budget)
                descent.run(size + take, _open_after(cover, rest), allowed, rest)
                if descent.best is not None:
                    chosen, again = descent.best, True
                    break
            if again:
                break
    return chosen


def _open_after(cover: Cover, chosen: Sequence[int]) -> Open:
    open_ = cover.open()
    for place in chosen:
        open_ = cover.after(place, open_)
    return open_


def _gain(row: Sequence[int], open_: Open) -> int:
    """How much of what is open a place has: the sum over the SKUs of the part, each SKU counting the same."""
    return sum([(have << 20) // units if (have := row[sku]) < units else 1 << 20 for sku, units in open_])
