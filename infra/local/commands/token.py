"""Print an access token for the API, and nothing else."""

from __future__ import annotations

import argparse

from infra.local.settings import Local
from infra.local.stack import Stack


def arguments(parser: argparse.ArgumentParser) -> None:
    """--scope, repeatable."""
    parser.add_argument(
        "--scope", action="append", default=[], help="for example orders.read; may be repeated or separated by blanks (default: all)"
    )


def run(parsed: argparse.Namespace) -> int:
    """The bare token on standard output."""
    print(Stack.running(Local.here()).token(scope for given in parsed.scope for scope in given.split()))
    return 0
