"""Play the life of one order and exit: 0 only if every step went right."""

from __future__ import annotations

import argparse
import signal

from infra.local.console import Console
from infra.local.engine import Engine
from infra.local.life import live
from infra.local.settings import Local
from infra.local.stack import Stack
from infra.local.up import stop, up


def arguments(parser: argparse.ArgumentParser) -> None:
    """--port."""
    parser.add_argument("--port", type=int, help="where the engine listens, if it has to be started")


def run(parsed: argparse.Namespace) -> int:
    """On the stack that runs, or on one started for this and stopped after it."""
    console = Console()
    local = Local.here(parsed.port)
    if Engine(local).running():
        live(Stack.running(local), console)
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ready = up(local, console)
    try:
        live(ready.stack, console)
    finally:
        if ready.started:
            console.say()
            stop(ready.engine, console)
    return 0
