"""Replay a file of real sales: one order per invoice, placed through the API, shipped and paid for."""

from __future__ import annotations

import argparse
from pathlib import Path

from infra.local.console import Console
from infra.local.replay import report, rows, stock
from infra.local.replay.mapping import Left, Sale, invoices, sale_of
from infra.local.replay.runner import run as play_all
from infra.local.settings import Local
from infra.local.stack import Stack


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE and how to play it."""
    parser.add_argument("file", metavar="FILE", type=Path, help=f"a CSV file with the columns {', '.join(rows.COLUMNS)}")
    lines = parser.add_mutually_exclusive_group()
    lines.add_argument("--merge", action="store_true", default=True, help="rows of one SKU at one price become one line (default)")
    lines.add_argument("--keep-lines", action="store_false", dest="merge", help="every row becomes a line of its own")
    supply = parser.add_mutually_exclusive_group()
    supply.add_argument("--stock", type=_count, metavar="N", help="put N units of each SKU (default: add what the orders ask for)")
    supply.add_argument("--no-stock", action="store_true", help="leave the stock as it is")
    parser.add_argument("--concurrency", type=_count, metavar="N", default=4, help="clients at a time (default: 4)")
    parser.add_argument("--limit", type=_count, metavar="N", help="only the first N orders")
    parser.add_argument("--prefix", default="", help="before every order number; with the same prefix a second replay repeats the first")
    parser.add_argument("--no-drive", action="store_false", dest="drive", help="only place the orders, ship nothing")


def run(parsed: argparse.Namespace) -> int:
    """0 if every order went through and the money agrees, 1 if not."""
    console = Console()
    read = rows.read(parsed.file)
    by_invoice = invoices(read)
    made = [sale_of(each, prefix=parsed.prefix, merge=parsed.merge) for each in by_invoice.values()]
    sales = [one for one in made if isinstance(one, Sale)]
    console.say(f"\nReplay of {parsed.file.name}")
    report.file_summary(len(by_invoice), len(read), sales, [one for one in made if isinstance(one, Left)], console)
    sales = sales[: parsed.limit]
    if not sales:
        console.say("  Nothing to play.")
        return 0
    stack = Stack.running(Local.here())
    if not parsed.no_stock:
        _supply(stack, sales, parsed, console)
    result = play_all(stack, sales, console, concurrency=parsed.concurrency, drive=parsed.drive)
    fine = report.summary(result, sales, console, drive=parsed.drive)
    return 130 if result.interrupted else 0 if fine else 1


def _supply(stack: Stack, sales: list[Sale], parsed: argparse.Namespace, console: Console) -> None:
    records = list(stock.supplies(sales) if parsed.stock is None else stock.counts(sales, parsed.stock))
    api = stack.api()
    try:
        with console.step(f"Putting stock of {len(records):,} SKUs"):
            stock.open_location(api)
            stock.load(api, records, console)
    finally:
        api.close()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number above zero")
    return int(text)
