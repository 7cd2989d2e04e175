"""The covering problem as the search works on it: small numbers for SKUs, bits for places.

Place i is bit i of a mask, so that sets of places are whole numbers and "who has at least 3 of this" is one of them. Places are numbered in
order of preference, the best first, so that the lowest bit of a mask is its best place.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

Open = list[tuple[int, int]]
"""What is still to be covered: (SKU, units)."""


class Cover:
    """Who has how much of what. `needs` are units per SKU, `rows` units per place and SKU (never more than needed)."""

    def __init__(self, needs: Sequence[int], rows: Sequence[Sequence[int]]) -> None:
        self.needs = list(needs)
        self.rows = rows
        self.all = (1 << len(rows)) - 1
        self.by_stock: list[list[tuple[int, int]]] = []  # per SKU: (units, bit of the place), most first
        self.holders: list[int] = []
        self._levels: list[list[int]] = []  # per SKU: units that some place has, rising; and for each who has at least as many
        self._reach: list[list[int]] = []
        for sku in range(len(self.needs)):
            having = sorted(((row[sku], 1 << place) for place, row in enumerate(rows) if row[sku]), reverse=True)
            levels: list[int] = []
            reach: list[int] = []
            mask = 0
            for units, bit in having:
                mask |= bit
                if levels and levels[-1] == units:
                    reach[-1] = mask
                else:
                    levels.append(units)
                    reach.append(mask)
            self.by_stock.append(having)
            self.holders.append(mask)
            self._levels.append(levels[::-1])
            self._reach.append(reach[::-1])

    def having(self, sku: int, units: int) -> int:
        """The places that have at least `units` of a SKU, as a mask."""
        level = bisect_left(self._levels[sku], units)
        return self._reach[sku][level] if level < len(self._levels[sku]) else 0

    def fewest(self, sku: int, units: int, allowed: int, most: int) -> int:
        """How many of the allowed places it takes at least for `units` of a SKU; more than `most` if that many are not enough."""
        if self.having(sku, units) & allowed:
            return 1
        count = 0
        for have, bit in self.by_stock[sku]:
            if bit & allowed:
                count += 1
                units -= have
                if units <= 0 or count > most:
                    return count
        return most + 1

    def open(self) -> Open:
        """Everything that is to be covered."""
        return list(enumerate(self.needs))

    def after(self, place: int, open_: Open) -> Open:
        """What is left to be covered when a place gives what it has."""
        row = self.rows[place]
        return [(sku, units - have) for sku, units in open_ if (have := row[sku]) < units]


def bits(mask: int) -> Iterator[int]:
    """The places in a mask, the best first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def reduced(wanted: Mapping[str, int], stock: Mapping[str, Mapping[str, int]], order: Sequence[str]) -> tuple[list[str], list[str]]:
    """The SKUs and places (in `order`, the preferred first) that decide; leaving out the rest changes neither the best set nor its proof.

    A SKU goes when whoever has some of another SKU has all that is wanted of this one. A place goes when better places have, each, at least
    as much of everything it has, and together all that is wanted of it: the best set holds all of them before it would hold this one.
    """
    skus, places = sorted(wanted), list(order)
    while True:
        cover = cover_of(wanted, stock, skus, places)
        kept_skus = [skus[index] for index in _deciding_skus(cover)]
        kept_places = [places[index] for index, better in enumerate(better_places(cover)) if better is not None]
        if len(kept_skus) == len(skus) and len(kept_places) == len(places):
            return skus, places
        skus, places = kept_skus, kept_places


def cover_of(wanted: Mapping[str, int], stock: Mapping[str, Mapping[str, int]], skus: Sequence[str], places: Sequence[str]) -> Cover:
    """The covering problem of these SKUs and places."""
    return Cover([wanted[sku] for sku in skus], [[min(wanted[sku], stock[place].get(sku, 0)) for sku in skus] for place in places])


def better_places(cover: Cover) -> list[int | None]:
    """For each place how many better ones have at least as much of everything it has; None if they make it useless.

    The best set of places holds those before it would hold this one; so a place with as many of them as places are sought is useless, too.
    """
    counts: list[int | None] = []
    for place, row in enumerate(cover.rows):
        better = (1 << place) - 1
        for sku, have in enumerate(row):
            if have:
                better &= cover.having(sku, have)
                if not better:
                    break
        useless = not any(row) or (better and _enough(cover, row, better))
        counts.append(None if useless else better.bit_count())
    return counts


def _deciding_skus(cover: Cover) -> list[int]:
    """SKUs not covered as a matter of course by those who cover another SKU."""
    full = [cover.having(sku, units) for sku, units in enumerate(cover.needs)]
    kept: list[int] = []
    for sku in sorted(range(len(full)), key=lambda sku: (cover.holders[sku].bit_count(), sku)):
        if not any(cover.holders[other] & ~full[sku] == 0 for other in kept):
            kept.append(sku)
    return sorted(kept)


def _enough(cover: Cover, row: Sequence[int], better: int) -> bool:
    """Whether the better places together have all that is wanted of what this one has."""
    for sku, have in enumerate(row):
        if have and not cover.having(sku, cover.needs[sku]) & better:
            units = 0
            for place in bits(better):
                units += cover.rows[place][sku]
            if units < cover.needs[sku]:
                return False
    return True
