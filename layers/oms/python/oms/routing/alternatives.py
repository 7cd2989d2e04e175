"""The next best sets of as few places, for those who want to see what the choice was between."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from time import monotonic

from oms.routing.descent import Effort
from oms.routing.search import Found, Stock, smallest

_Entry = tuple[int, tuple[str, ...], Found, tuple[str, ...], frozenset[str]]
"""(score, ids, set, places it had to hold, places it had to do without)."""


def alternatives(
    best: Found, wanted: Mapping[str, int], stock: Stock, scores: Mapping[str, int], *, until: float, most: int
) -> list[Found]:
    """At most `most` sets of as many places as `best`, in the order of score and ids.

    All other sets are divided by the first place (by id) in which they differ from it, and the best of each part is found by the same
    search; what is taken out next is divided again (Lawler's method). So none is found twice and none is left out.
    """
    heap: list[_Entry] = []
    found: list[Found] = []
    last, without = best, frozenset[str]()
    held: tuple[str, ...] = ()
    effort = Effort(until)
    while len(found) < most and last.places and monotonic() < until:
        for entry in _parts(last, held, without, wanted, stock, scores, effort):
            heappush(heap, entry)
        if not heap:
            break
        _, _, last, held, without = heappop(heap)
        found.append(last)
    return found


def _parts(
    found: Found,
    held: tuple[str, ...],
    without: frozenset[str],
    wanted: Mapping[str, int],
    stock: Stock,
    scores: Mapping[str, int],
    effort: Effort,
) -> list[_Entry]:
    entries: list[_Entry] = []
    for place in [place for place in found.places if place not in held]:
        without_this = without | {place}
        rest = {sku: left for sku, units in wanted.items() if (left := units - sum(stock[each].get(sku, 0) for each in held)) > 0}
        others = {key: skus for key, skus in stock.items() if key not in held and key not in without_this}
        count = len(found.places) - len(held)
        if all(sum(skus.get(sku, 0) for skus in others.values()) >= units for sku, units in rest.items()):
            part = smallest(rest, others, scores, most=count, effort=effort)
            if part and len(part.places) == count:
                ids = tuple(sorted((*held, *part.places)))
                whole = Found(ids, sum(scores[each] for each in ids), found.proven and part.proven, effort.nodes)
                entries.append((whole.score, ids, whole, held, without_this))
        held = (*held, place)
    return entries
