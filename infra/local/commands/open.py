"""Show an order: its record, its timeline and the state of its executions."""

from __future__ import annotations

import argparse
import json

from infra.local import report
from infra.local.console import Console
from infra.local.settings import Local
from infra.local.stack import Stack
from infra.local.trouble import Trouble


def arguments(parser: argparse.ArgumentParser) -> None:
    """ORDER --channel --json."""
    parser.add_argument("order", metavar="ORDER", help="an id (ord_...) or an order number")
    parser.add_argument("--channel", default="web", help="the channel of the order number (default: web)")
    parser.add_argument("--json", action="store_true", help="the whole record as JSON")


def run(parsed: argparse.Namespace) -> int:
    """Print it; Trouble if there is no such order."""
    console = Console()
    stack = Stack.running(Local.here())
    api = stack.api()
    order_id = parsed.order
    if not order_id.startswith("ord_"):
        found = api.get("/v1/orders", channel=parsed.channel, order_number=parsed.order)["data"]
        if not found:
            raise Trouble(f"There is no order number {parsed.order} on the channel {parsed.channel}. Another channel: --channel NAME")
        order_id = found[0]["id"]
    if parsed.json:
        print(json.dumps(api.get(f"/v1/orders/{order_id}"), indent=2))
        return 0
    report.timeline(api, order_id, console)
    report.waiting(stack, api.get(f"/v1/orders/{order_id}"), console)
    return 0
