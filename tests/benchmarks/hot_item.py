"""A hot item on DynamoDB: thousands of buyers of one SKU at once, simulated event by event (hot_sale.py says with what limits).

`python -m tests.benchmarks.hot_item` prints what 1 to 64 shards sell at 100 to 10,000 buyers a second; `QUICK=1` a part of it. No engine
on one machine has DynamoDB's limits, so this is the only place to see them before AWS does.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.benchmarks.hot_sale import ATTEMPTS, DYNAMODB, Limits, Row, Sale

SHARDS = (1, 2, 4, 8, 16, 32, 64)
RATES = (100, 300, 1_000, 3_000, 10_000)
"""Buyers a second."""
QUICK_SHARDS, QUICK_RATES = (1, 8, 64), (300, 3_000)

BURST_SECONDS, MOST_BUYERS, QUICK_MOST_BUYERS = 10.0, 20_000, 4_000
"""How long buyers come; more than so many are not simulated, the burst is shorter instead."""
STOCK_PERCENT = 60
"""Of what the buyers want together, so that it sells out where it can."""
OTHER_TIMES, OTHER_RUNS, OTHER_MOST_BUYERS = (5.0, 20.0), ((1, 300), (8, 1_000), (64, 3_000)), 6_000
"""The time of a transaction is assumed; so it is also shown what shards do at a given rate if it were half or twice that."""


class Wrong(AssertionError):
    """A law of selling is broken."""


def check(row: Row) -> None:
    """Wrong if more was sold than there was, if somebody was refused while stock was left, or if a buyer is not accounted for."""
    if row.sold > row.stock:
        raise Wrong(f"{row.sold} sold of {row.stock}: {row}")
    if row.refused and row.stock - row.sold >= row.quantity:
        raise Wrong(f"{row.refused} were refused while {row.stock - row.sold} units were left: {row}")
    if row.sold != (row.buyers - row.refused - row.gave_up) * row.quantity:
        raise Wrong(f"a buyer has neither bought nor been refused nor given up: {row}")


def rows(
    shards: Sequence[int] = SHARDS,
    rates: Sequence[int] = RATES,
    *,
    most_buyers: int = MOST_BUYERS,
    quantity: int = 1,
    limits: Limits = DYNAMODB,
    seed: int = 20,
) -> Iterator[Row]:
    """One run for each pair, checked. The same seed gives the same rows."""
    for rate in rates:
        buyers = min(int(rate * BURST_SECONDS), most_buyers)
        stock = buyers * quantity * STOCK_PERCENT // 100
        for count in shards:
            yield run(count, rate, buyers, stock, quantity=quantity, limits=limits, seed=seed)


def run(shards: int, rate: int, buyers: int, stock: int, *, quantity: int = 1, limits: Limits = DYNAMODB, seed: int = 20) -> Row:
    """Sell `stock` units, spread evenly over the shards, to buyers who come at random, `rate` of them a second on average."""
    row = Sale(shards, quantity, stock, limits, random.Random(f"{seed} {shards} {rate}")).run(rate, buyers)
    check(row)
    return row


def report(shards: Sequence[int] = SHARDS, rates: Sequence[int] = RATES, *, most_buyers: int = MOST_BUYERS) -> None:
    """Print the table."""
    print(f"Buyers of one SKU, one unit each, stock for {STOCK_PERCENT} % of them (simulated: {DYNAMODB.write_units:g} write and ", end="")
    print(f"{DYNAMODB.read_units:g} read units a second and shard, {DYNAMODB.transaction_ms:g} ms a transaction, {ATTEMPTS} attempts)")
    _heading()
    for rate in rates:
        for row in rows(shards, (rate,), most_buyers=most_buyers):
            _line(row)
        print()
    print("Nothing was oversold, and nobody was refused while stock was left.", flush=True)


def other_times() -> None:
    """Print what changes with the time of a transaction."""
    for ms in OTHER_TIMES:
        print(f"\nIf a transaction took {ms:g} ms")
        _heading()
        for count, rate in OTHER_RUNS:
            for row in rows((count,), (rate,), most_buyers=OTHER_MOST_BUYERS, limits=replace(DYNAMODB, transaction_ms=ms)):
                _line(row)


def _heading() -> None:
    heads = ("buyers/s", "shards", "stock", "sold", "refused", "gave up", "conflicts", "throttled", "sales/s", "p95 ms")
    print("  " + " ".join(f"{head:>9}" for head in heads))


def _line(row: Row) -> None:
    figures = (row.rate, row.shards, row.stock, row.sold, row.refused, row.gave_up, row.conflicts, row.throttled)
    print("  " + " ".join(f"{figure:>9,}" for figure in figures) + f" {row.per_second:9,.0f} {row.p95_ms:9,.0f}", flush=True)


if __name__ == "__main__":
    if os.environ.get("QUICK", "") not in ("", "0"):
        report(QUICK_SHARDS, QUICK_RATES, most_buyers=QUICK_MOST_BUYERS)
    else:
        report()
        other_times()
