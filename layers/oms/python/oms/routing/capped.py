"""When the split cap allows no set of places that serves everything: the set that serves the most units.

Then the fewest places, then the smallest score, then the first ids. Exact: what a place adds can only shrink as others are chosen, so the
sum of the largest gains bounds what can still be reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oms.routing.cover import Cover, Open, better_places, cover_of
from oms.routing.descent import Effort

Worth = tuple[int, int, int, tuple[str, ...]]
"""(units not served, places, score, ids): the smaller, the better."""


def most_units(
    wanted: Mapping[str, int], stock: Mapping[str, Mapping[str, int]], scores: Mapping[str, int], most: int, effort: Effort
) -> tuple[int, tuple[str, ...]]:
    """Units that are still missing, and the at most `most` places that serve the most. Proven unless the effort is over."""
    order = sorted((place for place in scores if place in stock), key=lambda place: (scores[place], place))
    cover = cover_of(wanted, stock, sorted(wanted), order)
    kept = [order[index] for index, better in enumerate(better_places(cover)) if better is not None and better < most]
    cover = cover_of(wanted, stock, sorted(wanted), kept)
    search = _Capped(cover, kept, [scores[place] for place in kept], effort)
    search.descend(most, cover.open(), list(range(len(kept))), (), 0)
    return search.best[0], search.best[3]


class _Capped:
    """One search; `best` is the worth of the best set met."""

    def __init__(self, cover: Cover, ids: Sequence[str], costs: Sequence[int], effort: Effort) -> None:
        self.cover = cover
        self.ids = ids
        self.costs = costs
        self.effort = effort
        self.best: Worth = (sum(cover.needs), 0, 0, ())

    def descend(self, left: int, open_: Open, candidates: Sequence[int], chosen: tuple[int, ...], cost: int) -> None:
        """Try every set that adds at most `left` of the candidates to those chosen and could be better than the best."""
        missing = sum(units for _, units in open_)
        worth = (missing, len(chosen), cost, tuple(sorted(self.ids[place] for place in chosen)))
        self.best = min(self.best, worth)
        if not left or not missing or not self.effort.spend():
            return
        gains = [(self._gain(place, open_), place) for place in candidates]
        gains = sorted(((gain, place) for gain, place in gains if gain), key=lambda each: (-each[0], each[1]))
        for index, (_, place) in enumerate(gains):
            if not self._promises(missing, gains[index : index + left], len(chosen), cost):
                return
            rest = [other for _, other in gains[index + 1 :]]
            self.descend(left - 1, self.cover.after(place, open_), rest, (*chosen, place), cost + self.costs[place])
            if self.effort.over:
                return

    def _gain(self, place: int, open_: Open) -> int:
        row = self.cover.rows[place]
        return sum([min(row[sku], units) for sku, units in open_])

    def _promises(self, missing: int, gains: Sequence[tuple[int, int]], count: int, cost: int) -> bool:
        """Whether these largest gains could lead to less missing, or to as much with no more places and no worse score."""
        for gain, _ in gains:
            if missing <= self.best[0]:
                break
            missing, count = missing - gain, count + 1
        return max(0, missing) < self.best[0] or (missing <= self.best[0] and (count, cost) <= (self.best[1], self.best[2]))
