"""What a replay says at its end: counts, times, money."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from infra.local.console import Console
from infra.local.replay.drive import Outcome
from infra.local.replay.mapping import Left, Sale
from infra.local.replay.runner import Run
from oms.money.currencies import show


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed; 0.0 without values."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def file_summary(invoices: int, rows: int, sales: Sequence[Sale], left: Sequence[Left], console: Console) -> None:
    """What the file held and what was made of it."""
    lines = sum(len(sale.body["lines"]) for sale in sales)
    units = sum(sum(sale.demand.values()) for sale in sales)
    console.say(f"  {invoices:,} invoices of {rows:,} rows: {len(sales):,} orders of {lines:,} lines and {units:,} units")
    _counted("invoices left out", Counter(each.reason for each in left), console)
    _counted("rows left out of their orders", Counter(row.reason for sale in sales for row in sale.left_rows), console)


def summary(run: Run, sales: Sequence[Sale], console: Console, *, drive: bool) -> bool:
    """Print what became of the orders; True if every one went through and the money agrees to the last minor unit."""
    by_status = Counter(outcome.status for outcome in run.outcomes)
    accepted = [outcome for outcome in run.outcomes if outcome.status != "refused"]
    refused = [outcome for outcome in run.outcomes if outcome.status == "refused"]
    stuck = [outcome for outcome in accepted if outcome.problem]
    console.say(f"\n  orders     {by_status['placed']:,} placed, {by_status['repeated']:,} repeated, {by_status['refused']:,} refused")
    if len(run.outcomes) < len(sales):
        console.say(f"             {len(sales) - len(run.outcomes):,} not played: the replay was interrupted")
    if retries := sum(outcome.retries for outcome in run.outcomes):
        console.say(f"             asked again after a 503: {retries:,} times")
    _counted("refused", Counter(outcome.problem for outcome in refused), console)
    _counted("not seen through", Counter(outcome.problem for outcome in stuck), console)
    for outcome in [*refused, *stuck][:5]:
        console.say(f"    invoice {outcome.sale.invoice} ({outcome.order_id or 'no order'}): {outcome.problem}. {outcome.detail}")
    _times(run, console)
    agrees = _money(accepted, console, drive=drive)
    return agrees and not refused and not stuck and len(run.outcomes) == len(sales)


def _times(run: Run, console: Console) -> None:
    placed = [outcome for outcome in run.outcomes if outcome.status == "placed"]
    if not placed:
        return
    lines = sum(len(outcome.sale.body["lines"]) for outcome in placed)
    orders_rate, lines_rate = len(placed) / run.seconds, lines / run.seconds
    console.say(f"  rate       {orders_rate:.1f} orders and {lines_rate:.1f} lines a second over {run.seconds:.1f} s")
    _spread("place", [outcome.place_seconds for outcome in placed], console)
    through = [outcome.captured_seconds for outcome in placed if outcome.captured_seconds is not None]
    if through:
        _spread("captured", through, console)


def _spread(name: str, seconds: Sequence[float], console: Console) -> None:
    half, most = percentile(seconds, 50), percentile(seconds, 95)
    console.say(f"  {name:<10} p50 {half * 1000:,.0f} ms, p95 {most * 1000:,.0f} ms")


def _money(accepted: Sequence[Outcome], console: Console, *, drive: bool) -> bool:
    """Compare, per currency: what the rows say, what the API made of it, what was captured."""
    agrees = True
    for currency in sorted({outcome.sale.body["currency"] for outcome in accepted}):
        mine = [outcome for outcome in accepted if outcome.sale.body["currency"] == currency]
        rows, placed = sum(outcome.sale.total for outcome in mine), sum(outcome.placed for outcome in mine)
        captured = sum(outcome.captured for outcome in mine)
        taken = f", captured {show(captured, currency)}" if drive else ""
        console.say(f"  money      rows {show(rows, currency)}, placed {show(placed, currency)}{taken}")
        apart = [outcome for outcome in mine if outcome.placed != outcome.sale.total or (drive and outcome.captured != outcome.placed)]
        agrees = agrees and not apart
        if not apart:
            console.say("             equal to the last minor unit, order by order")
        for outcome in apart[:5]:
            figures = [show(figure, currency) for figure in (outcome.sale.total, outcome.placed, outcome.captured)]
            console.say(f"             NOT EQUAL for {outcome.sale.invoice}: rows {figures[0]}, placed {figures[1]}, captured {figures[2]}")
    return agrees


def _counted(what: str, reasons: Counter[str], console: Console) -> None:
    if reasons:
        console.say(f"    {what}: {sum(reasons.values()):,}")
    for reason, times in reasons.most_common():
        console.say(f"      {times:>6,}  {reason}")
