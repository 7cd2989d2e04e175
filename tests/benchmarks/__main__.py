"""Run all measurements on the stack that runs, or on one started for this and stopped after it."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from infra import ROOT
from infra.local.console import Console
from infra.local.engine import Engine
from infra.local.settings import Local
from infra.local.stack import Stack
from infra.local.trouble import Trouble
from infra.local.up import stop, up
from tests.benchmarks import dynamodb_local, hot_item, imports, routing, tables
from tests.benchmarks.cost import measure
from tests.benchmarks.load import LEVELS, Level, at_level, last_units, settle
from tests.benchmarks.probe import probe
from tests.benchmarks.shop import Failed, Shop, Tokens, open_shop

INVOICES = ROOT.parent / "shared" / "data" / "online_retail.csv"
"""Real invoices, where they lie beside the project."""
# The short form promises 50 seconds: this long for everything but the imports, and until then for another round of those.
_QUICK_SECONDS, _QUICK_IMPORTS_UNTIL = 33.0, 40.0
_QUICK_PATIENCE = 5.0  # so that even on a busy machine every client can finish something


@dataclass
class Plan:
    """How long each part may take. The short form divides what is left of its time."""

    quick: bool
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds left of the short form."""
        return _QUICK_SECONDS - (time.monotonic() - self.began)

    def part(self, share: float) -> float:
        """Seconds for a part that may use this share of what is left; a busy machine gets a little more than there is."""
        return max(2.0, self.left * share) if self.quick else 20.0

    def level(self, stack: Stack, tokens: Tokens, clients: int, share: float, work: Callable[[Shop], object]) -> Level:
        """Measure one level. In the short form the last third of its time is for finishing what has begun."""
        seconds = self.part(share)
        begin, finish = (seconds * 2 / 3, max(seconds / 3, _QUICK_PATIENCE)) if self.quick else (seconds, 60.0)
        return at_level(stack, tokens, clients, begin, work, patience=finish)


def main() -> int:
    """0 once everything was measured, whatever the budgets say; 2 if the stack cannot be measured."""
    plan = Plan(quick=os.environ.get("QUICK", "") not in ("", "0"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _stack(Console()) as stack:
            figures = run(stack, plan)
    except (Trouble, Failed, BotoCoreError, ClientError) as error:
        print(f"\nbench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(json.dumps(figures), flush=True)  # last of all, after what stopping a stack has to say
    return 0


def run(stack: Stack, plan: Plan) -> dict[str, object]:
    """Measure and print everything: the object of the last line."""
    tables.machine()
    tokens = Tokens(stack)
    shop = Shop(stack, tokens)
    open_shop(shop.api)
    shop.life()  # starts every function once: what follows is warm
    tables.checks(probe(stack))
    life = measure(stack, shop)
    tables.life(life)
    # Not counted: for each client the engine starts a process of every function.
    plan.level(stack, tokens, max(LEVELS), 0.08, Shop.place)
    tables.last_units(last_units(stack, tokens))
    placed = [plan.level(stack, tokens, clients, 0.1, Shop.place) for clients in LEVELS]
    tables.levels("placed", placed)
    tables.settled(sum(len(level.took) for level in placed), settle(stack, tokens))
    plan.level(stack, tokens, max(LEVELS), 0.25, Shop.life)
    lives = [plan.level(stack, tokens, clients, share, Shop.life) for clients, share in zip(LEVELS, (0.2, 0.25, 1.0), strict=True)]
    tables.levels("lives", lives)
    until = plan.began + (_QUICK_IMPORTS_UNTIL if plan.quick else math.inf)
    ratios, boto3_seconds = imports.ratios(stack.local.home, 3 if plan.quick else 6, until)
    tables.imports(ratios, boto3_seconds)
    beside(plan)
    print(f"\n{time.monotonic() - plan.began:.0f} seconds in all", flush=True)
    return {
        "write_units": life.write_units,
        "read_units": life.read_units,
        "transitions": sum(life.transitions.values()),
        "invocations": len(life.invocations),
        "max_item_bytes": max(life.items.values()),
        "usd_per_million": float(round(life.usd_per_million, 2)),
        "import_ratio": ratios,
        "place_per_s": _by_level(placed, lambda level: round(level.per_second, 1)),
        "life_per_s": _by_level(lives, lambda level: round(level.per_second, 2)),
        "place_p95_ms": _by_level(placed, lambda level: round(level.ms(95))),
    }


def beside(plan: Plan) -> None:
    """What needs no stack: the search against a solver, a hot item under DynamoDB's limits, and on AWS's own DynamoDB Local."""
    if plan.quick:
        return
    tables.heading("Routing: time, and the gap against HiGHS")
    routing.report(INVOICES if INVOICES.exists() else None)
    tables.heading("A hot item: shards against buyers a second, simulated")
    hot_item.report()
    if not dynamodb_local.missing():
        dynamodb_local.report()


def _by_level(measured: list[Level], figure: Callable[[Level], float]) -> dict[str, float]:
    return {str(level.clients): figure(level) for level in measured}


@contextmanager
def _stack(console: Console) -> Iterator[Stack]:
    local = Local.here()
    if Engine(local).running():
        yield Stack.running(local)
        return
    ready = up(local, console)
    try:
        yield ready.stack
    finally:
        if ready.started:
            stop(ready.engine, console)


if __name__ == "__main__":
    sys.exit(main())
