"""Run a routing rule group over past orders, or over a CSV file of invoices, beside the rules in force. No stock is touched.

With --csv everything comes from files and no stack is needed: each invoice is an order to the middle of its country, and the rules in
force are those of --in-force (none: fewest locations, then priority). Without it the stack that runs is asked about its own past orders.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from infra.local.console import Console
from infra.local.replay import rows
from infra.local.settings import Local
from infra.local.simulation import files
from infra.local.stack import Stack
from infra.local.trouble import Trouble
from oms.routing import simulation_chart as chart
from oms.routing import simulation_table as table
from oms.routing.simulate import proposal, simulate


def arguments(parser: argparse.ArgumentParser) -> None:
    """RULES, and what they are to be tried on."""
    parser.add_argument("rules", metavar="RULES", help="a JSON file with a rule group, or the id of one that the stack knows")
    parser.add_argument("--csv", type=Path, metavar="FILE", help=f"invoices: a CSV file with the columns {', '.join(rows.COLUMNS)}")
    parser.add_argument("--locations", type=Path, metavar="FILE", help="with --csv: a JSON list of locations")
    parser.add_argument("--stock", type=Path, metavar="FILE", help='with --csv: JSON {location: {SKU: units}}; "*" is every other SKU')
    parser.add_argument("--in-force", type=Path, metavar="FILE", help="with --csv: a JSON file with the rule group to compare with")
    parser.add_argument("--costs", type=Path, metavar="FILE", help="a JSON file with the cost table to measure by")
    parser.add_argument("--areas", type=Path, metavar="FILE", help='with --csv: JSON {"GB-SW1": {"latitude", "longitude"}}')
    parser.add_argument("--from", dest="since", metavar="DATE", help="past orders placed from this day on")
    parser.add_argument("--to", metavar="DATE", help="past orders placed up to this day")
    parser.add_argument("--limit", type=int, metavar="N", help="only so many orders (past orders: the newest, at most 500)")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the figures into this SVG file")
    parser.add_argument("--json", action="store_true", help="as one JSON object, for scripts")


def run(parsed: argparse.Namespace) -> int:
    """0 once it is done."""
    answer = _from_files(parsed) if parsed.csv else _from_stack(parsed)
    if parsed.chart:
        parsed.chart.write_text(chart.svg(answer, f"Rule group {Path(parsed.rules).stem} beside the rules in force"), encoding="utf-8")
    if parsed.json:
        print(json.dumps(answer))
        return 0
    console = Console()
    for line in table.lines(answer):
        console.say(line)
    if answer.get("continue_to"):
        console.say(f"\nThere are more orders before that: --to {answer['continue_to']}")
    if parsed.chart:
        console.say(f"\nChart: {parsed.chart}")
    return 0


def _from_files(parsed: argparse.Namespace) -> dict[str, Any]:
    if parsed.since or parsed.to:
        raise Trouble("--from and --to choose past orders of the stack; leave them out with --csv.")
    if not (parsed.locations and parsed.stock):
        raise Trouble("With --csv give --locations FILE and --stock FILE too: the file of invoices knows neither.")
    known, centres = files.locations(parsed.locations), files.areas(parsed.areas)
    costs = files.cost_table(parsed.costs) if parsed.costs else None
    beside = files.rule_group(parsed.in_force) if parsed.in_force else None
    group = files.rule_group(Path(parsed.rules))
    cases = files.cases(rows.read(parsed.csv), files.places(known))[: parsed.limit]
    ground = files.ground(known, files.stock(parsed.stock), cases, costs, centres)
    in_force = files.rules(beside, parsed.in_force.stem if parsed.in_force else "", costs, centres)
    proposed = proposal(group, Path(parsed.rules).stem, costs, lambda _: in_force)
    with Console(quiet=parsed.json).step(f"Routing {len(cases):,} orders twice"):
        return simulate(cases, ground, lambda _: in_force, proposed).view()


def _from_stack(parsed: argparse.Namespace) -> dict[str, Any]:
    for name in ("locations", "stock", "in_force", "areas"):
        if getattr(parsed, name):
            raise Trouble(f"--{name.replace('_', '-')} goes with --csv; a simulation of past orders takes it from the stack.")
    path = Path(parsed.rules)
    rules: dict[str, Any] = {"rule_group_id": parsed.rules}
    if path.suffix == ".json" or path.is_file():
        rules = {"rules": files.rule_group(path).model_dump(exclude_unset=True)}
    costs = {"cost_table": files.cost_table(parsed.costs).model_dump(exclude_unset=True)} if parsed.costs else {}
    asked = {"from": parsed.since, "to": parsed.to, "limit": parsed.limit}
    body = {**rules, **costs, **{name: value for name, value in asked.items() if value is not None}}
    with Stack.running(Local.here()).api() as api:
        answer: dict[str, Any] = api.post("/v1/routing/simulations", body)
    return answer
