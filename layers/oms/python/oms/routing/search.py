"""The best set of places for a demand: the fewest, among those the cheapest, among those the first by id; and whether that is proven.

The number of places is raised one by one from what the scarcest SKU needs at least; each number is refuted or met by an exact search
(oms.routing.descent). Then the same search finds the cheapest set of that number, and at last the first of equally cheap ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oms.routing import nearby
from oms.routing.capped import most_units
from oms.routing.cover import Cover, better_places, bits, cover_of, reduced
from oms.routing.descent import Descent, Effort
from oms.routing.prices import Prices, reduced_costs, tuned

Stock = Mapping[str, Mapping[str, int]]
"""Units per place and SKU."""

_EASY_NODES = 300
"""So many nodes are tried before time is spent on prices."""


@dataclass(frozen=True)
class Found:
    """A set of places. `capped`: the split cap allows no set that serves everything; `nodes`: how long it was searched."""

    places: tuple[str, ...]
    score: int
    proven: bool
    nodes: int = 0
    capped: bool = False


def search(wanted: Mapping[str, int], stock: Stock, scores: Mapping[str, int], *, most: int | None, until: float) -> Found:
    """The best set of places for `wanted` units per SKU, of which all places together have enough.

    `most` is the split cap in places. If no so small set serves everything: the most units, then the fewest places, then score and ids.
    `until` (time.monotonic) ends the search; what it did not prove is then the best it had found.
    """
    effort = Effort(until)
    found = smallest(wanted, stock, scores, most=most, effort=effort)
    if found is None:
        missing, places = most_units(wanted, stock, scores, most or 0, effort)
        found = Found(places, sum(scores[place] for place in places), not effort.over, effort.nodes, capped=missing > 0)
    return found


def smallest(wanted: Mapping[str, int], stock: Stock, scores: Mapping[str, int], *, most: int | None, effort: Effort) -> Found | None:
    """The best set that serves everything; None if no set of at most `most` places does (or none was found in time)."""
    if not wanted:
        return Found((), 0, proven=True)
    order = sorted((place for place in scores if place in stock), key=lambda place: (scores[place], place))
    skus, places = reduced(wanted, stock, order)
    problem = _Problem(cover_of(wanted, stock, skus, places), places, [scores[place] for place in places], effort)
    chosen = problem.solve(len(places) if most is None else most)
    if chosen is None:
        return None
    ids = tuple(sorted(places[place] for place in chosen))
    return Found(ids, sum(scores[place] for place in ids), problem.proven, effort.nodes)


class _Problem:
    """One covering problem, its places in order of preference; `proven` says what the last answer is worth."""

    def __init__(self, cover: Cover, ids: Sequence[str], costs: Sequence[int], effort: Effort) -> None:
        self.cover = cover
        self.ids = ids
        self.costs = costs
        self.effort = effort
        self.better = better_places(cover)
        self.proven = True

    def solve(self, most: int) -> tuple[int, ...] | None:
        """The best set of at most `most` places; None if there is none."""
        chosen = self._fewest(most)
        if chosen is None or len(chosen) > most:
            return None
        stage = _Stage(self, len(chosen), self.costs)
        chosen = stage.cheapest(chosen)
        self.proven = self.proven and not self.effort.over
        return stage.first(chosen) if self.proven else chosen

    def _fewest(self, most: int) -> tuple[int, ...] | None:
        """Some set of as few places as possible, at most `most`. Time is kept for the second question, which of them is cheapest."""
        known: tuple[int, ...] | None = None  # good, but perhaps not the fewest
        until = self.effort.hurry()
        for count in range(self._at_least(), most + 1):
            stage = _Stage(self, count, [0] * len(self.costs))
            chosen, certain = stage.easily(budget=1)
            if not certain:
                known = known or nearby.fewer(self.cover, nearby.greedy(self.cover), self.effort)
                chosen = known if len(known) <= count else stage.tightly(budget=1)
            if chosen is not None:
                known = chosen
                break
            if self.effort.over:
                self.proven = False
                break
        else:
            known = None
        self.effort.resume(until)
        return known

    def _at_least(self) -> int:
        """As many places as the SKU needs that needs the most of them."""
        cover = self.cover
        return max(cover.fewest(sku, units, cover.all, len(self.ids)) for sku, units in cover.open())


class _Stage:
    """Sets of a given number of places, by given costs."""

    def __init__(self, problem: _Problem, count: int, costs: Sequence[int]) -> None:
        self.problem = problem
        self.count = count
        self.places = [place for place, better in enumerate(problem.better) if better is not None and better < count]
        self._number([0] * len(problem.cover.needs), costs)

    def _number(self, prices: Sequence[int], costs: Sequence[int]) -> None:
        """Number the places anew, by their reduced costs."""
        rows = self.problem.cover.rows
        known = dict(
            zip(
                self.places,
                reduced_costs([rows[place] for place in self.places], [costs[place] for place in self.places], prices),
                strict=True,
            )
        )
        self.places.sort(key=lambda place: (known[place], place))
        as_they_were = self.places == list(range(len(rows)))
        self.cover = self.problem.cover if as_they_were else Cover(self.problem.cover.needs, [rows[place] for place in self.places])
        self.costs = [costs[place] for place in self.places]
        self.all_costs = costs
        self.prices = Prices(prices, [known[place] for place in self.places])

    def cheapest(self, chosen: tuple[int, ...]) -> tuple[int, ...]:
        """The cheapest set; `chosen` if none is cheaper or none was found before the effort was over."""
        problem = self.problem
        better, certain = self.easily(self._cost(chosen))
        chosen = better or chosen
        if not certain:
            chosen = nearby.cheaper(problem.cover, problem.costs, chosen, problem.effort)
            chosen = self.tightly(self._cost(chosen)) or chosen
        return chosen

    def easily(self, budget: int) -> tuple[tuple[int, ...] | None, bool]:
        """The cheapest set below the budget, and whether a few nodes were enough to be certain of it."""
        descent = Descent(self.cover, self.costs, self.prices, self.problem.effort, budget=budget, limit=_EASY_NODES)
        descent.run(self.count, self.cover.open(), self.cover.all)
        return self._named(descent.best), not descent.spent

    def tightly(self, budget: int) -> tuple[int, ...] | None:
        """The cheapest set below the budget, with prices that prove as much as possible; the best found when the effort is over."""
        prices, refuted = tuned(self.cover, self.costs, self.count, budget, self.problem.effort.until)
        if refuted:
            return None
        self._number(prices, self.all_costs)
        descent = Descent(self.cover, self.costs, self.prices, self.problem.effort, budget=budget)
        descent.run(self.count, self.cover.open(), self.cover.all)
        return self._named(descent.best)

    def _cost(self, chosen: Sequence[int]) -> int:
        return sum(self.all_costs[place] for place in chosen)

    def first(self, chosen: tuple[int, ...]) -> tuple[int, ...]:
        """The first set by its sorted ids among those that cost the same as `chosen`: id by id, is there a set that begins so?"""
        numbers = {place: number for number, place in enumerate(self.places)}
        best = {numbers[place] for place in chosen}
        cost = sum(self.costs[number] for number in best)
        fixed: tuple[int, ...] = ()
        open_ = self.cover.open()
        base = self.prices.base(0, open_)
        allowed = self.prices.affordable(base, self.count, open_, self.cover.all, cost + 1, self.cover, self.costs)
        for number in sorted(bits(allowed), key=lambda number: self.problem.ids[self.places[number]]):
            allowed &= ~(1 << number)
            if number not in best:
                descent = Descent(self.cover, self.costs, self.prices, self.problem.effort, budget=cost + 1, enough=cost)
                descent.run(self.count - len(fixed) - 1, self.cover.after(number, open_), allowed, (*fixed, number))
                if descent.best is None:
                    continue
                best = set(descent.best)
            fixed, open_ = (*fixed, number), self.cover.after(number, open_)
            if len(fixed) == self.count:
                break
        return tuple(self.places[number] for number in best)

    def _named(self, numbers: Sequence[int] | None) -> tuple[int, ...] | None:
        return None if numbers is None else tuple(self.places[number] for number in numbers)
