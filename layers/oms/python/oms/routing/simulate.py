"""The simulator: a rule group runs over past orders beside the rules in force, and no stock is touched.

Both runs begin with the same stock, and each consumes its own copy of it: orders are routed one after the other, the oldest first, and
find what the earlier ones left. A location with limited capacity takes as many orders per window as it may, counted from nothing, by the
time at which they were placed; when the others cannot serve an order, full ones come in, as they do for real. The same input gives the
same answer (but for the time it took, and for a search that its time bound ended).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import groupby
from time import perf_counter_ns
from typing import Any

from oms.clock import end_of, later, parse
from oms.routing import geo
from oms.routing.geo import Point
from oms.routing.measures import Delivery, Measures, Parcel
from oms.routing.model import Demand, Destination, Place, Plan, Rules
from oms.routing.route import plan
from oms.routing.rules import CostTable, RuleGroup

EXAMPLES = 20
LONGEST_SEARCH = 1000
"""Milliseconds that one search may take, whatever the rule group allows: a simulation is made of many."""
_USUAL_HOURS = 24
_HOUR = timedelta(hours=1)
Places = dict[str, int]
RulesFor = Callable[[str], Rules]
"""The rules for a channel."""


@dataclass(frozen=True)
class Case:
    """A delivery group of a past order. `places`: those to choose from (their stock is the simulation's); `due`: when it was wanted or
    promised at the latest, empty if nobody knows; `sent`: a carrier brings it."""

    order_id: str
    group_id: str
    demands: Sequence[Demand]
    destination: Destination
    places: Sequence[Place]
    placed_at: str
    channel: str = ""
    due: str = ""
    transit_days: int = 5
    sent: bool = True


@dataclass(frozen=True)
class Ground:
    """What both runs begin with: units and target levels per place and SKU; and what both are measured by."""

    stock: Mapping[str, Mapping[str, int]]
    targets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    processing_hours: Mapping[str, int] = field(default_factory=dict)
    costs: CostTable | None = None
    areas: Mapping[str, Point] = field(default_factory=dict)
    window: Callable[[str, str], str] = lambda _, at: at[:10]
    """The capacity window of a place that a moment falls in."""


@dataclass(frozen=True)
class Simulation:
    """What came of it. `left_out`: orders for which there was no time; `examples`: the first delivery groups that went elsewhere."""

    left_out: int
    in_force: Measures
    proposed: Measures
    changed: int
    examples: list[dict[str, Any]]

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "orders": self.proposed.orders,
            "left_out": self.left_out,
            "in_force": self.in_force.view(),
            "proposed": self.proposed.view(),
            "changed_orders": self.changed,
            "changed": self.examples,
        }


def simulate(
    cases: Sequence[Case], ground: Ground, in_force: RulesFor, proposed: RulesFor, go_on: Callable[[], bool] = lambda: True
) -> Simulation:
    """Route every order twice, until `go_on` says that time is over. The delivery groups of an order stand together in `cases`."""
    runs = _Run(ground, in_force), _Run(ground, proposed)
    orders = [list(group) for _, group in groupby(sorted(cases, key=lambda case: case.placed_at), key=lambda case: case.order_id)]
    changed = 0
    examples: list[dict[str, Any]] = []
    for number, order in enumerate(orders):
        if not go_on():
            return Simulation(len(orders) - number, runs[0].measures, runs[1].measures, changed, examples)
        before, after = (run.route(order) for run in runs)
        changed += before != after
        for case, was, would in zip(order, before, after, strict=True):
            if was != would and len(examples) < EXAMPLES:
                examples.append({"order_id": case.order_id, "delivery_group": case.group_id, "in_force": was, "proposed": would})
    return Simulation(0, runs[0].measures, runs[1].measures, changed, examples)


def proposal(group: RuleGroup, group_id: str, costs: CostTable | None, in_force: RulesFor) -> RulesFor:
    """The proposed rule group for the channels it names (all if it names none), elsewhere the rules in force.

    Its dates and its priority do not matter: the question is what it would do if it were in force.
    """

    def rules(channel: str) -> Rules:
        known = in_force(channel)
        return known if group.channels and channel not in group.channels else Rules(group, group_id, costs, known.areas)

    return rules


class _Run:
    """One set of rules on its own copy of the stock."""

    def __init__(self, ground: Ground, rules: RulesFor) -> None:
        self.measures = Measures()
        self._ground, self._rules = ground, rules
        self._left = {place: dict(units) for place, units in ground.stock.items()}
        self._taken: dict[tuple[str, str], int] = {}

    def route(self, order: Sequence[Case]) -> list[Places]:
        """Route an order, take its units; units per place of each delivery group."""
        began = perf_counter_ns()
        deliveries = [self._deliver(case) for case in order]
        self.measures.nanoseconds += perf_counter_ns() - began
        self.measures.add(deliveries)
        return [{parcel.location_id: parcel.units for parcel in delivery.parcels} for delivery in deliveries]

    def _deliver(self, case: Case) -> Delivery:
        rules = _bounded(self._rules(case.channel))
        route = self._plan(case, rules)
        parcels = [self._send(case, place, lines) for place, lines in sorted(route.take.items())]
        hours = self._hours_late(case, route)
        return Delivery(sum(demand.quantity for demand in case.demands), parcels, hours, route.proven, rules.group_id)

    def _plan(self, case: Case, rules: Rules) -> Plan:
        places = self._places(case)
        route = plan(case.demands, case.destination, places, rules)
        if not route.unallocated or all(place.capacity_left is None or place.capacity_left > 0 for place in places):
            return route
        anyhow = plan(case.demands, case.destination, [replace(place, capacity_left=None) for place in places], rules)
        return anyhow if sum(anyhow.unallocated.values()) < sum(route.unallocated.values()) else route

    def _places(self, case: Case) -> list[Place]:
        """The places that still have something of what the order wants."""
        skus = {demand.sku for demand in case.demands}
        found = []
        for place in case.places:
            left, targets = self._left.get(place.id, {}), self._ground.targets.get(place.id, {})
            stock = {sku: left[sku] for sku in skus if left.get(sku, 0) > 0}
            if stock:
                over = {sku: max(0, units - targets[sku]) for sku, units in stock.items() if sku in targets}
                found.append(replace(place, stock=stock, overstock=over, capacity_left=self._room(place, case)))
        return found

    def _room(self, place: Place, case: Case) -> int | None:
        """Orders that a place still takes in the window of the order; None without a limit."""
        if place.capacity is None:
            return None
        return place.capacity - self._taken.get((place.id, self._ground.window(place.id, case.placed_at)), 0)

    def _send(self, case: Case, place_id: str, lines: Mapping[str, int]) -> Parcel:
        """Take the units of a parcel, and its place in the location's window."""
        demands = {demand.line_id: demand for demand in case.demands}
        place = next(place for place in case.places if place.id == place_id)
        room = self._room(place, case)
        if room is not None:
            key = (place_id, self._ground.window(place_id, case.placed_at))
            self._taken[key] = self._taken.get(key, 0) + 1
        for line_id, units in lines.items():
            self._left[place_id][demands[line_id].sku] -= units
        weight_g = sum(int(demands[line_id].product.get("weight_g") or 0) * units for line_id, units in lines.items())
        beyond = room is not None and room <= 0
        return Parcel(place_id, sum(lines.values()), case.sent, self._km(place, case), self._cost(place, case, weight_g), beyond)

    def _km(self, place: Place, case: Case) -> int | None:
        to, areas = case.destination, self._ground.areas
        start = geo.point(place.latitude, place.longitude, place.country, place.postal_code, areas)
        end = geo.point(to.latitude, to.longitude, to.country, to.postal_code, areas)
        return geo.kilometres(start, end) if start and end else None

    def _cost(self, place: Place, case: Case, weight_g: int) -> int | None:
        """What the parcel costs at its own weight."""
        costs, to = self._ground.costs, case.destination
        return costs.amount({place.id, place.country, *place.groups}, to.country, to.postal_code, weight_g) if costs else None

    def _hours_late(self, case: Case, route: Plan) -> int:
        if not case.due or not route.take:
            return 0
        hours = max(self._ground.processing_hours.get(place, _USUAL_HOURS) for place in route.take)
        over = parse(later(case.placed_at, hours=hours, days=case.transit_days)) - parse(end_of(case.due))
        return max(0, -(-over // _HOUR))


def _bounded(rules: Rules) -> Rules:
    """The same rules, with no more than LONGEST_SEARCH for one search."""
    group = rules.group
    if not group or not group.search_milliseconds or group.search_milliseconds <= LONGEST_SEARCH:
        return rules
    return replace(rules, group=group.model_copy(update={"search_milliseconds": LONGEST_SEARCH}))
