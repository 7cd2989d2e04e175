"""Why a route is as it is: small, and kept with every fulfillment order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from oms.routing.candidates import Candidates, Exclusion
from oms.routing.model import Demand, Rules
from oms.routing.scores import Score

MOST = 12
"""Candidates and exclusions that are listed; the others are counted."""


def explain(
    found: Candidates, scores: Mapping[str, Score], chosen: Sequence[str], rules: Rules, *, proven: bool, searched: int, reason: str
) -> dict[str, Any]:
    """Candidates (chosen first, then by score), exclusions (those with stock first), counts and the proof flag."""
    order = sorted(scores, key=lambda place: (place not in chosen, scores[place].total, place))
    excluded = sorted(found.excluded, key=lambda each: (not each.stocked, each.location_id, each.sku))
    explanation: dict[str, Any] = {
        "rule_group": rules.group_id or None,
        "places": len(chosen),
        "proven": proven,
        "searched": searched,
        "candidates": [_candidate(place, scores[place], place in chosen) for place in order[:MOST]],
        "more_candidates": max(0, len(order) - MOST),
        "excluded": [_exclusion(each) for each in excluded[:MOST]],
        "excluded_counts": dict(sorted(Counter(each.reason for each in excluded).items())),
    }
    if reason:
        explanation["reason"] = reason
    return explanation


def shortage(found: Candidates, demands: Sequence[Demand], unallocated: Mapping[str, int], rules: Rules) -> list[str]:
    """Why lines got less than they want, apart from the split cap: one sentence per cause."""
    group = f"rule group {rules.group_id or 'in force'}"
    short = found.short()
    causes: dict[str, list[str]] = {}
    for demand in demands:
        if demand.line_id in unallocated and demand.sku in short:
            ruled_out, admitted = found.ruled_out[demand.sku], found.admitted[demand.sku]
            if ruled_out and not admitted:
                cause = f"{group} leaves no location for"
            elif not admitted:
                cause = "no location may serve"
            else:
                cause = "not enough stock for"
            causes.setdefault(cause, []).append(demand.line_id)
    return [f"{cause} line{'s' if len(lines) > 1 else ''} {', '.join(lines[:MOST])}" for cause, lines in causes.items()]


def _candidate(place: str, score: Score, chosen: bool) -> dict[str, Any]:
    candidate = {"location_id": place, "score": score.total, "parts": score.parts, "chosen": chosen}
    return candidate | ({"unknown": list(score.unknown)} if score.unknown else {})


def _exclusion(each: Exclusion) -> dict[str, str]:
    return {"location_id": each.location_id, **({"sku": each.sku} if each.sku else {}), "reason": each.reason}
