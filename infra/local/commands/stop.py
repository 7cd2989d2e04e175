"""Stop the stack that is running, saving its state."""

from __future__ import annotations

import argparse

from infra.local.console import Console
from infra.local.engine import Engine
from infra.local.settings import Local
from infra.local.up import stop


def arguments(parser: argparse.ArgumentParser) -> None:
    """--quiet."""
    parser.add_argument("--quiet", action="store_true", help="say nothing if there is nothing to stop")


def run(parsed: argparse.Namespace) -> int:
    """Stop this project's engine; 0 also when none runs."""
    console = Console()
    engine = Engine(Local.here())
    if engine.running() is None:
        if not parsed.quiet:
            console.say("No stack is running.")
        return 0
    stop(engine, console)
    return 0
