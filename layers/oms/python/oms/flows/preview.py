"""Where an order would go: the preview of a route. Nothing is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oms.clock import stamp
from oms.errors import Fault, invalid
from oms.flows.capacity import capacity_left
from oms.orders.records import PlacedGroup
from oms.routing.preview import RoutingPreview, preview
from oms.routing.rules import CostTable, RuleGroup
from oms.routing.sourcing import choices, rules_for
from oms.settings import Settings
from oms.storage.inventory import stock_of
from oms.storage.settings import settings


def routing_preview(request: RoutingPreview) -> dict[str, Any]:
    """The routes, best first. With `inventory` given nothing is read; else stock, places and rules are those of this moment.

    Invalid for rules that name a cost table which is not there.
    """
    if request.inventory is not None:
        return preview(request)
    known, now, channel = settings(), stamp(), request.channel or ""
    stock = stock_of({line.sku for line in request.lines}, certain=False)
    places = choices(channel, PlacedGroup(id="", method=""), known, stock, capacity_left(known, stock, now))
    rules = rules_for(channel, known, now)
    if request.rules and not request.cost_table:
        rules = replace(rules, costs=named_costs(request.rules, known))
    return preview(request, {place.id: place for place in places}, rules)


def named_costs(group: RuleGroup, known: Settings) -> CostTable | None:
    """The cost table that a rule group names, None if it names none; Invalid if there is no such table."""
    if group.cost_table is None:
        return None
    if group.cost_table not in known.cost_tables:
        fault = f"there is no cost table '{group.cost_table}'; put it under /v1/routing/cost-tables first, or give cost_table"
        raise invalid(Fault(fault, "/rules/cost_table"))
    costs: CostTable = known.cost_tables[group.cost_table]
    return costs
