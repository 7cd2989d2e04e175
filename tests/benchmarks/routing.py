"""How long routing takes and how far it is from the best, against HiGHS: `python -m tests.benchmarks.routing [invoices.csv]`.

Ours has the product's time bound (0.2 s); HiGHS has ten seconds for each of its two runs (fewest places, then cheapest).
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

from tests.support.routing import Problem, by_highs, problem

SIZES = ((2, 5, 20), (5, 20, 20), (10, 100, 10), (25, 250, 4), (50, 500, 2))
"""Lines, places, problems of each shape."""
SHAPES = ("ample", "shops", "mixed", "partial")
"""Most places have most lines; a few warehouses with everything, and shops; all kinds; everybody has a part of every other line."""
OURS_SECONDS, HIGHS_SECONDS = 0.2, 10.0


@dataclass(frozen=True)
class Row:
    """Problems of one size and shape. `gap`: places and percent of score above what HiGHS proved; None where it proved nothing in time."""

    lines: int
    places: int
    shape: str
    problems: int
    proven: int
    median_ms: float
    worst_ms: float
    highs_proven: int
    highs_median_ms: float
    extra_places: int | None
    extra_score: float | None


def report(invoices: Path | None = None) -> list[Row]:
    """Measure and print; with a file of invoices also its longest one over 10, 50 and 200 places."""
    print(
        f"\n{'lines x places':<16}{'stock':<9}{'ours: median':>13}{'worst':>10}{'proven':>9}{'HiGHS: median':>15}{'proven':>9}   gap",
        flush=True,
    )
    rows: list[Row] = []
    for lines, places, count in SIZES[:3] if os.environ.get("QUICK") else SIZES:
        for shape in SHAPES:
            rows.append(measured(shape, [problem(seed, lines, places, shape) for seed in range(count)]))
            show(rows[-1])
    for places in (10, 50, 200) if invoices else ():
        rows.append(measured("invoice", [longest_invoice(invoices, places)] if invoices else []))
        show(rows[-1])
    return rows


def measured(shape: str, problems: Sequence[Problem]) -> Row:
    """Solve all problems in both ways."""
    ours, theirs, our_times, their_times = [], [], [], []
    for each in problems:
        began = perf_counter()
        ours.append(each.solve(OURS_SECONDS))
        between = perf_counter()
        theirs.append(by_highs(each, HIGHS_SECONDS))
        our_times.append((between - began) * 1000)
        their_times.append((perf_counter() - between) * 1000)
    known = [(our, best) for our, best in zip(ours, theirs, strict=True) if best]
    same = [(our.score, best.score) for our, best in known if len(our.places) == best.places]
    best_scores = sum(best for _, best in same)
    return Row(
        lines=max(len(each.wanted) for each in problems),
        places=max(len(each.stock) for each in problems),
        shape=shape,
        problems=len(problems),
        proven=sum(our.proven for our in ours),
        median_ms=median(our_times),
        worst_ms=max(our_times),
        highs_proven=len(known),
        highs_median_ms=median(their_times),
        extra_places=sum(len(our.places) - best.places for our, best in known) if known else None,
        extra_score=100 * (sum(our for our, _ in same) - best_scores) / best_scores if best_scores else None,
    )


def longest_invoice(path: Path, places: int) -> Problem:
    """The invoice with the most lines in a CSV file (InvoiceNo, StockCode, Quantity), its stock over so many places.

    A tenth of them are warehouses that have nearly everything; the others have a part of a third of it.
    """
    invoices: dict[str, Counter[str]] = {}
    lines: Counter[str] = Counter()
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if int(row["Quantity"]) > 0:
                lines[row["InvoiceNo"]] += 1
                invoices.setdefault(row["InvoiceNo"], Counter())[row["StockCode"]] += int(row["Quantity"])
    wanted = dict(invoices[lines.most_common(1)[0][0]])
    random = Random(places)
    stock: dict[str, dict[str, int]] = {}
    for number in range(places):
        share = 0.95 if number % 10 == 0 else 0.33
        have = {sku: units if share > 0.5 else random.randint(1, units) for sku, units in wanted.items() if random.random() < share}
        stock[f"L{number:03d}"] = have
    wanted = {sku: most for sku, units in wanted.items() if (most := min(units, sum(row.get(sku, 0) for row in stock.values())))}
    return Problem(wanted, stock, {place: random.randint(0, 1500) for place in stock}, f"invoice over {places}")


def show(row: Row) -> None:
    """One line of the table."""
    gap = "not known" if row.extra_places is None else f"{row.extra_places:+d} places"
    gap += "" if row.extra_score is None else f", {row.extra_score:+.1f} % score"
    print(
        f"{f'{row.lines} x {row.places}':<16}{row.shape:<9}{row.median_ms:10.1f} ms{row.worst_ms:7.1f} ms"
        f"{f'{row.proven}/{row.problems}':>9}"
        f"{row.highs_median_ms:12.1f} ms{f'{row.highs_proven}/{row.problems}':>9}   {gap}",
        flush=True,
    )


if __name__ == "__main__":
    report(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
