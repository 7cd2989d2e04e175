"""Routing: which places serve a demand. The fewest, then the cheapest by the rule group's score, then the first by id."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from oms.routing.alternatives import alternatives
from oms.routing.candidates import Candidates, candidates
from oms.routing.explain import explain, shortage
from oms.routing.fill import fill
from oms.routing.model import Demand, Destination, Place, Plan, Rules
from oms.routing.scores import Score, scores
from oms.routing.search import Found, search

__all__ = ["Demand", "Destination", "Place", "Plan", "Rules", "plan", "plans"]


def plan(demands: Sequence[Demand], destination: Destination, places: Sequence[Place], rules: Rules, *, seconds: float = 0.2) -> Plan:
    """The best route: fewest places, then the smallest score, then the first ids; with a split cap too small for that, the most units.

    What all places together lack is unallocated and the rest is still routed. `seconds` bounds the search (the rule group's
    `search_milliseconds` goes before it); a plan that it cut short is not proven.
    """
    return plans(demands, destination, places, rules, seconds=seconds, most=1)[0]


def plans(
    demands: Sequence[Demand], destination: Destination, places: Sequence[Place], rules: Rules, *, seconds: float = 0.2, most: int = 5
) -> list[Plan]:
    """The best route first, then the other sets of as few places that serve as much, by score; at most `most`.

    The alternatives have as much time again.
    """
    if rules.group and rules.group.search_milliseconds:
        seconds = rules.group.search_milliseconds / 1000
    found = candidates(demands, places, rules)
    scored = scores(found.places, demands, destination, rules)
    totals = {place: score.total for place, score in scored.items()}
    short = found.short()
    wanted = {sku: left for sku, units in found.wanted.items() if (left := units - short.get(sku, 0)) > 0}
    cap = rules.group.max_splits + 1 if rules.group and rules.group.max_splits is not None else None
    best = search(wanted, found.stock, totals, most=cap, until=monotonic() + seconds)
    others = [] if best.capped else alternatives(best, wanted, found.stock, totals, until=monotonic() + seconds, most=most - 1)
    return [_plan(each, demands, found, scored, rules, cap) for each in [best, *others]]


def _plan(route: Found, demands: Sequence[Demand], found: Candidates, scored: dict[str, Score], rules: Rules, cap: int | None) -> Plan:
    chosen = sorted(route.places, key=lambda place: (scored[place].total, place))
    take, unallocated = fill(demands, found.stock, chosen)
    reasons = [f"split cap: at most {cap} location{'s' if cap != 1 else ''}"] if route.capped else []
    reasons += shortage(found, demands, unallocated, rules)
    explanation = explain(found, scored, chosen, rules, proven=route.proven, searched=route.nodes, reason="; ".join(reasons))
    totals = {place: score.total for place, score in scored.items()}
    return Plan(take, unallocated, route.score, route.proven, explanation, totals)
