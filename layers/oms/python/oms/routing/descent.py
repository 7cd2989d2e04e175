"""The exact search for the cheapest set of a given number of places that covers everything.

Branch: some place must have some of the scarcest SKU, so each of those that do is tried in turn, and left out from then on. The last place
must have all that is left: one intersection of masks finds it. Bound: see `Prices`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from oms.routing.cover import Cover, Open, bits
from oms.routing.prices import Prices

_SHALLOW = 2
"""With more places than this to choose, the sharper bound pays."""
_LOOK_AT_CLOCK = 64
"""Nodes between two looks at the clock."""


@dataclass
class Effort:
    """What the search may spend, and has spent."""

    until: float
    nodes: int = 0
    over: bool = False

    def spend(self) -> bool:
        """Count a node; False when time is over."""
        self.nodes += 1
        if self.nodes % _LOOK_AT_CLOCK == 0 and monotonic() > self.until:
            self.over = True
        return not self.over

    def hurry(self) -> float:
        """Bring the end forward to two thirds of the time that is left; returns the end to `resume` with."""
        until, now = self.until, monotonic()
        self.until = now + (until - now) * 2 / 3
        return until

    def resume(self, until: float) -> None:
        """Time goes on until then."""
        self.until, self.over = until, False


class Descent:
    """One search, in places numbered by reduced cost: a set that costs less than `budget`, the cheapest or the first of at most `enough`.

    `best` is the best set met, in the end the best there is, unless `spent`: then the effort (or `limit` nodes) did not suffice to know.
    """

    def __init__(
        self, cover: Cover, costs: Sequence[int], prices: Prices, effort: Effort, *, budget: int, enough: int = 0, limit: int | None = None
    ) -> None:
        self.cover = cover
        self.costs = costs
        self.prices = prices
        self.effort = effort
        self.budget = budget
        self.best: tuple[int, ...] | None = None
        self.spent = False
        self._enough = enough
        self._last_node = None if limit is None else effort.nodes + limit

    def run(self, count: int, open_: Open, allowed: int, chosen: tuple[int, ...] = ()) -> None:
        """Search for `count` of the allowed places that cover what is open, beside those chosen already."""
        if open_ and count:
            self._descend(count, open_, allowed, sum(self.costs[place] for place in chosen), chosen)

    @property
    def _over(self) -> bool:
        return self.spent or (self.best is not None and self.budget <= self._enough)

    def _descend(self, count: int, open_: Open, allowed: int, cost: int, chosen: tuple[int, ...]) -> None:
        effort = self.effort
        if not effort.spend() or (self._last_node is not None and effort.nodes > self._last_node):
            self.spent = True
            return
        if count == 1:
            self._finish(open_, allowed, cost, chosen)
            return
        base = self.prices.base(cost, open_)
        if self.prices.too_dear(base, count, allowed, self.budget):
            return
        if count > _SHALLOW and not self.prices.useless:
            allowed = self.prices.affordable(base, count, open_, allowed, self.budget, self.cover, self.costs)
        branch = self._scarcest(count, open_, allowed)
        if branch is None:
            return
        sku, units = branch
        candidates = self.cover.holders[sku] & allowed
        for place in bits(candidates):
            if self.prices.too_dear_with(base, place, count, allowed, self.budget):
                return  # those that follow are dearer still
            allowed ^= 1 << place
            self._descend(count - 1, self.cover.after(place, open_), allowed, cost + self.costs[place], (*chosen, place))
            if self._over or self.cover.fewest(sku, units, allowed, count) > count:
                return

    def _finish(self, open_: Open, allowed: int, cost: int, chosen: tuple[int, ...]) -> None:
        having = self.cover.having
        for sku, units in open_:
            allowed &= having(sku, units)
            if not allowed:
                return
        for place in bits(allowed):
            if cost + self.costs[place] < self.budget:
                self.budget = cost + self.costs[place]
                self.best = (*chosen, place)
                if self.budget <= self._enough:
                    return

    def _scarcest(self, count: int, open_: Open, allowed: int) -> tuple[int, int] | None:
        """The SKU that leaves the least choice; None if some SKU cannot be covered by `count` places any more."""
        best, least = None, self.cover.all.bit_length() + 1
        holders, having, fewest = self.cover.holders, self.cover.having, self.cover.fewest
        for sku, units in open_:
            choice = (holders[sku] & allowed).bit_count()
            if not having(sku, units) & allowed:
                need = fewest(sku, units, allowed, count)
                if need > count:
                    return None
                choice -= need - 1
            if choice < least:
                best, least = (sku, units), choice
        return best
