"""Start the stack and stay until Ctrl-C, with the life of a sample order on the first start."""

from __future__ import annotations

import argparse
import signal
import threading

from infra.local import report
from infra.local.console import Console
from infra.local.life import live
from infra.local.settings import Local
from infra.local.up import stop, up


def arguments(parser: argparse.ArgumentParser) -> None:
    """--detach, --port, --no-sample."""
    parser.add_argument("--detach", action="store_true", help="return when it is ready and leave it running in the background")
    parser.add_argument("--port", type=int, help="where the engine listens (default: OMS_PORT, or 4566)")
    parser.add_argument("--no-sample", action="store_true", help="no sample order on the first start")


def run(parsed: argparse.Namespace) -> int:
    """Bring it up, show it, and wait; what was started here is stopped at the end."""
    console = Console()
    local = Local.here(parsed.port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` ends it in order, as Ctrl-C does
    ready = up(local, console)
    try:
        if not (report.earlier_orders(ready.stack, console) or parsed.detach or parsed.no_sample):
            live(ready.stack, console)
        report.how_to(ready.stack, console, foreground=ready.started and not parsed.detach)
        if not ready.started or parsed.detach:
            return 0
        while ready.engine.running():
            threading.Event().wait(1.0)
    except KeyboardInterrupt:
        console.say()
        return 0
    finally:
        if ready.started and not parsed.detach:
            stop(ready.engine, console)
    console.say(f"The engine has ended; somebody stopped it, or it failed (its log: {ready.engine.log}).")
    return 1
