"""The simulation of a rule group over past orders: what is read for it, and when it has to stop. Nothing is written.

Past orders begin with the stock that can be sold now and what these very orders reserved or got, so that they find what there was for
them; who waits for stock does not come first here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from oms.clock import stamp
from oms.errors import Fault, invalid
from oms.flows.preview import named_costs
from oms.fulfillment.capacity import window
from oms.inventory.stock import Stock
from oms.orders.records import PlacedGroup
from oms.routing.model import Place, Rules
from oms.routing.past import Units, cases_of, took, usually
from oms.routing.rules import RuleGroup
from oms.routing.simulate import Case, Ground, proposal, simulate
from oms.routing.simulation_request import SimulationRequest, demands_of, destination_of, place_of
from oms.routing.sourcing import choices, rules_for
from oms.settings import Settings
from oms.storage.inventory import stock_of
from oms.storage.lists import listed, status_lists
from oms.storage.orders import load
from oms.storage.settings import settings

_PAST = ("open", "on_hold", "completed")
_MARGIN = 6.0  # seconds: the last order may need four searches of a second each, and the answer has to be made and sent
GoOn = Callable[[], bool]


@dataclass
class _Past:
    """Past orders: what they wanted, what each took from where, how many were not read for lack of time, and before when there are more."""

    cases: list[Case] = field(default_factory=list)
    took: dict[str, Units] = field(default_factory=dict)
    unread: int = 0
    continue_to: str | None = None


def simulation(request: SimulationRequest, seconds_left: Callable[[], float]) -> dict[str, Any]:
    """Run a rule group over orders beside the rules in force. Stops in time and says how many orders it left out.

    Invalid for a rule group or cost table that is not there.
    """
    known, now = settings(), stamp()
    group_id, group = _proposed(request, known)
    own_costs = request.cost_table or named_costs(group, known)
    areas = {key: (area.latitude, area.longitude) for key, area in (request.postal_areas or known.postal_areas).items()}

    @cache
    def in_force(channel: str) -> Rules:
        return replace(rules_for(channel, known, now), areas=areas)

    budget = seconds_left() - _MARGIN

    def until(share: float) -> GoOn:
        return lambda: seconds_left() > _MARGIN + budget * share

    places_for = _places_for(request, known)
    past = _Past(_given(request, known, places_for, now)) if request.orders else _past(request, known, places_for, until(0.6))
    cases, stock, targets = _stock(request, past, until(0.35))
    ground = Ground(
        stock,
        targets,
        processing_hours=_processing_hours(request, known),
        costs=own_costs or (in_force(cases[0].channel).costs if cases else None),
        areas=areas,
        window=_window(request, known),
    )
    done = simulate(cases, ground, in_force, proposal(group, group_id, own_costs, in_force), until(0)).view()
    done["left_out"] += past.unread + _orders(past.cases) - _orders(cases)
    basis = "as given" if request.inventory is not None else "what can be sold now and what these orders took"
    return {**done, "stock": basis, "continue_to": past.continue_to}


def _proposed(request: SimulationRequest, known: Settings) -> tuple[str, RuleGroup]:
    if request.rules is not None:
        return "proposed", request.rules
    key = request.rule_group_id or ""
    if key not in known.rule_groups:
        raise invalid(Fault(f"there is no rule group '{key}'; put it under /v1/routing/rule-groups first, or give rules", "/rule_group_id"))
    return key, known.rule_groups[key]


def _places_for(request: SimulationRequest, known: Settings) -> Callable[[str, PlacedGroup], Sequence[Place]]:
    """The places to choose from: those given, else those of the settings, and those that only the inventory names."""
    if request.locations is not None:
        given = [place_of(location) for location in request.locations]
        return lambda channel, group: given
    others = [Place(id=key) for key in request.inventory or () if key not in known.locations]
    found: dict[tuple[str, str | None], list[Place]] = {}

    def places(channel: str, group: PlacedGroup) -> list[Place]:
        key = (channel, (group.location_id or "") if group.type == "pickup" else None)
        if key not in found:
            found[key] = [*choices(channel, group, known, {}), *(others if group.type != "pickup" else ())]
        return found[key]

    return places


def _given(request: SimulationRequest, known: Settings, places_for: Callable[[str, PlacedGroup], Sequence[Place]], now: str) -> list[Case]:
    return [
        Case(
            order_id=order.id,
            group_id="",
            demands=demands_of(order.lines),
            destination=destination_of(order.address),
            places=places_for(order.channel or "", PlacedGroup(id="", method=order.method or "")),
            placed_at=order.placed_at or now,
            channel=order.channel or "",
            due=order.desired_date or usually(order.placed_at or now),
            transit_days=known.method(order.method or "").transit_days_max,
        )
        for order in request.orders or ()
    ]


def _past(request: SimulationRequest, known: Settings, places_for: Callable[[str, PlacedGroup], Sequence[Place]], go_on: GoOn) -> _Past:
    """The newest orders of the time asked for, as many as there is time to read."""
    to = request.to or ""
    until = to if "T" in to else f"{to}~"
    names = [name for status in _PAST for name in status_lists(status)]
    # An order that changes its list right now may stand in two.
    rows = {row["pk"]: row["at"] for name in names for row in listed(name, since=request.from_ or "", until=until, limit=request.limit + 1)}
    newest = sorted(rows, key=lambda key: (rows[key], key), reverse=True)
    past = _Past()
    for number, order_id in enumerate(newest[: request.limit]):
        if not go_on():
            past.unread = min(len(newest), request.limit) - number
            break
        order = load(order_id)
        past.cases += cases_of(order, places_for, known)
        past.took[order_id] = took(order)
    if len(newest) > request.limit:
        past.continue_to = rows[newest[request.limit - 1]].partition("#")[0]
    return past


def _stock(request: SimulationRequest, past: _Past, go_on: GoOn) -> tuple[list[Case], Units, Units]:
    """The stock that both runs begin with, the target levels, and the cases for whose SKUs there was time to read it, the oldest first."""
    if request.inventory is not None:
        return past.cases, {place: dict(units) for place, units in request.inventory.items()}, {}
    rows: dict[str, list[Stock]] = {}
    unread = set()
    for case in sorted(past.cases, key=lambda case: case.placed_at):
        new = {demand.sku for demand in case.demands} - rows.keys()
        if new and not go_on():
            unread.add(case.order_id)
        elif new:
            rows |= stock_of(new, certain=False)
    stock: Units = {}
    targets: Units = {}
    for row in (row for found in rows.values() for row in found):
        stock.setdefault(row.location_id, {})[row.sku] = 0 if row.blocked else row.spare
        if row.target is not None:
            targets.setdefault(row.location_id, {})[row.sku] = row.target
    for order_id in past.took.keys() - unread:
        for place, units in past.took[order_id].items():
            at = stock.setdefault(place, {})
            for sku, count in units.items():
                at[sku] = at.get(sku, 0) + count
    return [case for case in past.cases if case.order_id not in unread], stock, targets


def _processing_hours(request: SimulationRequest, known: Settings) -> dict[str, int]:
    return {place.id: place.processing_hours for place in (request.locations or known.locations.values())}


def _window(request: SimulationRequest, known: Settings) -> Callable[[str, str], str]:
    """Capacity windows as the locations have them; a day for one that need not exist."""
    real = {} if request.locations is not None else known.locations
    return lambda place, at: window(real[place], at).start if place in real else at[:10]


def _orders(cases: Sequence[Case]) -> int:
    return len({case.order_id for case in cases})
