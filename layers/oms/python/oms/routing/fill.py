"""Handing out what the chosen places have to the lines that want it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oms.routing.model import Demand

Stock = Mapping[str, Mapping[str, int]]
"""Units per place and SKU."""


def fill(demands: Sequence[Demand], stock: Stock, chosen: Sequence[str]) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """What each chosen place (best first) gives to each line, and what each line lacks.

    A SKU is taken whole from the first place that has all of it, else from place to place; lines are served in their order.
    """
    wanted: dict[str, int] = {}
    for demand in demands:
        wanted[demand.sku] = wanted.get(demand.sku, 0) + demand.quantity
    shares = {sku: _shares(units, sku, stock, chosen) for sku, units in wanted.items()}
    take: dict[str, dict[str, int]] = {place: {} for place in chosen}
    lacking: dict[str, int] = {}
    for demand in demands:
        left = demand.quantity
        for place, units in shares[demand.sku].items():
            if (part := min(left, units)) > 0:
                take[place][demand.line_id] = take[place].get(demand.line_id, 0) + part
                shares[demand.sku][place] -= part
                left -= part
        if left > 0:
            lacking[demand.line_id] = lacking.get(demand.line_id, 0) + left
    return {place: lines for place, lines in take.items() if lines}, lacking


def _shares(units: int, sku: str, stock: Stock, chosen: Sequence[str]) -> dict[str, int]:
    """Units of one SKU per place."""
    whole = next((place for place in chosen if stock[place].get(sku, 0) >= units), None)
    shares: dict[str, int] = {}
    for place in [whole] if whole else chosen:
        if (part := min(units, stock[place].get(sku, 0))) > 0:
            shares[place] = part
            units -= part
    return shares
