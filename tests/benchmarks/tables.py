"""Readable tables, with the budgets beside the figures."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tests.benchmarks import prices
from tests.benchmarks.cost import Life
from tests.benchmarks.imports import budget
from tests.benchmarks.load import STOCK, Level, Sale
from tests.benchmarks.probe import Check

BUDGETS = {"write_units": 90, "read_units": 30, "transitions": 10, "invocations": 14, "max_item_bytes": 8192}
AIMS = {"placed": 20.0, "lives": 5.0}
"""Per second at 16 clients: above the best of the compared systems in both."""


def heading(text: str) -> None:
    """A title with a line under it."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def machine() -> None:
    """What else the machine is busy with: the figures of a busy machine say little."""
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    remark = "" if busy < cores / 2 else "; other work takes part of the machine, so rates and times will look worse than they are"
    print(f"{cores} cores, load {busy:.1f}{remark}", flush=True)


def checks(found: Sequence[Check]) -> None:
    """How the engine's capacity figures compare with DynamoDB's rules."""
    heading("Capacity: the engine's figures against item sizes")
    for check in found:
        verdict = "equal" if check.agrees else "computed from sizes instead"
        print(f"  {check.what:<42} {check.by_size:6g} {check.engine:6g}  {verdict}")


def life(one: Life) -> None:
    """One life, invocation by invocation, then against its budgets, then in dollars."""
    heading(f"One life alone: two lines, one shipment, through delivered ({one.order_id})")
    began = one.invocations[0].at
    print(f"  {'ms':>6}  {'function':<22} {'what':<46} {'writes':>6} {'reads':>6} {'took ms':>8}")
    for each in one.invocations:
        figures = f"{each.write_units:6g} {each.read_units:6g} {each.ms:8.1f}"
        print(f"  {each.at - began:6d}  {each.function:<22} {each.what:<46} {figures}")
    if not one.alone:
        print("  Something else ran on the stack at the same time: these figures may be too high.")
    largest = max(one.items, key=lambda sk: one.items[sk])
    machines = ", ".join(f"{machine} {count}" for machine, count in one.transitions.items())
    print()
    _against("write units", one.write_units, BUDGETS["write_units"], "as the engine reports them: transactions twice, index included")
    _against(
        "read units", one.read_units, BUDGETS["read_units"], f"by item sizes; {one.read_units_on_aws:g} with task tokens of 1 KB, as on AWS"
    )
    _against("transitions", sum(one.transitions.values()), BUDGETS["transitions"], f"states entered: {machines}")
    _against("invocations", len(one.invocations), BUDGETS["invocations"], "relay's included, the benchmark's own reads not")
    _against(
        "largest item, bytes",
        one.items[largest],
        BUDGETS["max_item_bytes"],
        f"{largest}; {sum(one.items.values()):,} in {len(one.items)} items",
    )
    heading(f"A million such lives on AWS, USD (us-east-1, prices of {prices.AS_OF})")
    for name, quantity, usd in one.terms:
        print(f"  {name:<26} {quantity:<28} {usd:10.2f}")
    print(f"  {'together':<26} {'':<28} {one.usd_per_million:10.2f}")
    for note in prices.NOT_COUNTED:
        print(f"  not counted: {note}")


def imports(ratios: dict[str, float], boto3_seconds: float) -> None:
    """Import time of each handler."""
    heading(f"Import of each handler, as a ratio to boto3 alone ({boto3_seconds * 1000:.0f} ms)")
    for function, ratio in sorted(ratios.items(), key=lambda pair: pair[1]):
        _against(function, ratio, budget(function))


def levels(name: str, measured: Sequence[Level]) -> None:
    """Rates and times by number of clients."""
    heading(f"{name.capitalize()} a second")
    print(f"  {'clients':>7} {'done':>6} {'per s':>8} {'p50 ms':>9} {'p95 ms':>9}")
    for level in measured:
        print(f"  {level.clients:7d} {len(level.took):6d} {level.per_second:8.1f} {level.ms(50):9.0f} {level.ms(95):9.0f}")
        if level.unfinished:
            print(f"          {level.unfinished} not finished in time and not counted")
        for failure in level.failures[:3]:
            print(f"          failed: {failure}")
    most = measured[-1]
    verdict = "ok" if most.per_second >= AIMS[name] else "under"
    print(f"  the aim at {most.clients} clients is {AIMS[name]:g} a second: {verdict}")


def settled(orders: int, seconds: float) -> None:
    """How long after the last answer the last order was allocated."""
    print(f"  {orders} orders were all allocated {seconds:.1f} s after the last was placed")


def last_units(sale: Sale) -> None:
    """Who got the last units."""
    heading("The last units: 16 buyers of one SKU")
    print(f"  sold {sale.sold} of {STOCK}, stock record: {sale.reserved} reserved, {sale.available} available", end="")
    print(f"  {'ok' if (sale.sold, sale.reserved, sale.available) == (STOCK, STOCK, 0) else 'WRONG'}")
    for kind, times in sale.refused.most_common():
        print(f"  {times:4d} refused: {kind}")


def _against(name: str, figure: float, limit: float, remark: str = "") -> None:
    print(f"  {name:<22} {figure:8g}  of {limit:<6g} {'ok' if figure <= limit else 'over':<5} {remark}".rstrip())
