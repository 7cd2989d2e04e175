"""Prices on units: what proves, without trying, that no set of so many places can be cheap enough.

Give every unit that is wanted a price. Places that cover the open units together earn at least the price of them all. So what the chosen
places cost, plus the price of all open units, plus, for those still to choose, the smallest differences between what a place costs and what
its stock could earn, is never more than what any complete set costs. This holds for every choice of prices (it is the Lagrangian bound of
the covering problem); `tuned` looks for prices that prove much. All numbers are whole (costs are multiplied by SCALE): the bound is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest
from time import monotonic

from oms.routing.cover import Cover, Open, bits

SCALE = 1 << 32
_FRACTION = 1 << 16
_ROUNDS = 60
"""Rounds of tuning; more of them improve little."""


class Prices:
    """Prices per unit of each SKU, with the places numbered by reduced cost (cost less earnings), the smallest first."""

    def __init__(self, prices: Sequence[int], reduced: Sequence[int]) -> None:
        self.prices = prices
        self.reduced = reduced
        self.useless = not any(prices)

    def base(self, cost: int, open_: Open) -> int:
        """The part of the bound that does not depend on who is chosen next."""
        if self.useless:
            return cost * SCALE
        prices = self.prices
        return cost * SCALE + sum([prices[sku] * units for sku, units in open_])

    def too_dear(self, base: int, count: int, allowed: int, budget: int) -> bool:
        """Whether no `count` of the allowed places can complete the set for less than the budget."""
        for _ in range(count):
            if not allowed:
                return True
            low = allowed & -allowed
            base += self.reduced[low.bit_length() - 1]
            allowed ^= low
        return base > (budget - 1) * SCALE

    def too_dear_with(self, base: int, place: int, count: int, allowed: int, budget: int) -> bool:
        """The same, when this place is one of them."""
        return self.too_dear(base + self.reduced[place], count - 1, allowed & ~(1 << place), budget)

    def affordable(self, base: int, count: int, open_: Open, allowed: int, budget: int, cover: Cover, costs: Sequence[int]) -> int:
        """Of the allowed places those that can be among `count` that complete the set for less than the budget.

        Dearer to compute than `too_dear` and sharper: what a place has beyond the open units earns nothing.
        """
        priced = [(sku, units, price) for sku, units in open_ if (price := self.prices[sku])]
        rows = cover.rows
        reduced: list[tuple[int, int]] = []
        for place in bits(allowed):
            row = rows[place]
            earned = sum([price * (have if (have := row[sku]) < units else units) for sku, units, price in priced])
            reduced.append((costs[place] * SCALE - earned, place))
        if len(reduced) < count:
            return 0
        rest = base + sum([each for each, _ in nsmallest(count - 1, reduced)])
        most = (budget - 1) * SCALE - rest  # by which the others may not be dearer, beside the best count - 1
        mask = 0
        for each, place in reduced:
            if each <= most:
                mask |= 1 << place
        return mask if mask.bit_count() >= count else 0


def reduced_costs(rows: Sequence[Sequence[int]], costs: Sequence[int], prices: Sequence[int]) -> list[int]:
    """Cost less earnings of each place, in SCALE."""
    priced = [(sku, price) for sku, price in enumerate(prices) if price]
    return [cost * SCALE - sum([price * row[sku] for sku, price in priced]) for cost, row in zip(costs, rows, strict=True)]


def tuned(cover: Cover, costs: Sequence[int], count: int, budget: int, until: float) -> tuple[list[int], bool]:
    """Prices that prove much about sets of `count` places, and whether they prove already that none costs less than the budget.

    A subgradient search: raise the price of what the `count` most profitable places leave uncovered, lower it where they have too much. The
    prices are kept per whole need (not per unit), so that a SKU of which many are wanted moves like any other.
    """
    needs = cover.needs
    totals = _first(cover, costs)
    best: tuple[int, list[int]] | None = None
    goal = max((budget - 1) * SCALE + 1, SCALE // 4)
    step, stale = 12, 0  # sixteenths of the way to the goal
    for _ in range(_ROUNDS):
        prices = [total // need for total, need in zip(totals, needs, strict=True)]
        reduced = reduced_costs(cover.rows, costs, prices)
        chosen = nsmallest(count, range(len(reduced)), key=reduced.__getitem__)
        bound = sum(price * need for price, need in zip(prices, needs, strict=True)) + sum(reduced[place] for place in chosen)
        if best is None or bound > best[0]:
            best, stale = (bound, prices), 0
        else:
            stale += 1
            if stale % 3 == 0:
                step = max(1, step * 2 // 3)
        if bound > (budget - 1) * SCALE:
            return prices, True
        rows = [cover.rows[place] for place in chosen]
        slopes = [((need - sum([row[sku] for row in rows])) * _FRACTION) // need for sku, need in enumerate(needs)]
        slopes = [0 if slope < 0 and not total else slope for slope, total in zip(slopes, totals, strict=True)]
        norm = sum(slope * slope for slope in slopes)
        if not norm or monotonic() > until:
            break
        stride = (goal - bound) * step * _FRACTION // 16
        totals = [max(0, total + stride * slope // norm) for total, slope in zip(totals, slopes, strict=True)]
    return (best[1] if best else [0] * len(needs)), False


def _first(cover: Cover, costs: Sequence[int]) -> list[int]:
    """To begin with: a SKU is worth the more, the fewer places have it."""
    most = max(1, *costs) * SCALE
    return [most // max(1, holders.bit_count()) for holders in cover.holders]
