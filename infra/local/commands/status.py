"""Say whether the stack runs, where, and what its state machines are doing."""

from __future__ import annotations

import argparse
import json

from infra.local.engine import Engine
from infra.local.settings import Local
from infra.local.stack import Stack


def arguments(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="as one JSON object, for scripts")


def run(parsed: argparse.Namespace) -> int:
    """0 if it runs, 1 if not (with --json always 0: the object says it)."""
    local = Local.here()
    if Engine(local).running() is None:
        nothing: dict[str, object] = {"running": False, "base_url": None, "engine_url": None, "executions": {}}
        print(json.dumps(nothing) if parsed.json else "No stack is running.")
        return 0 if parsed.json else 1
    stack = Stack.running(local)
    executions = stack.executions()
    if parsed.json:
        known = {"running": True, "base_url": stack.base_url, "engine_url": stack.local.engine_url, "executions": executions}
        print(json.dumps(known))
        return 0
    print(f"API      {stack.base_url}\nengine   {stack.local.engine_url}")
    for machine, counts in executions.items():
        print(f"{machine:<12} " + (", ".join(f"{count} {status.lower()}" for status, count in sorted(counts.items())) or "no executions"))
    return 0
