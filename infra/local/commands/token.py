"""Print an access token for the API, and nothing else."""

from __future__ import annotations

import argparse

from infra.local.settings import Local
from infra.local.stack import Stack


def arguments(parser: argparse.ArgumentParser) -> None:
    """--scope, repeatable; --client."""
    parser.add_argument(
        "--scope", action="append", default=[], help="for example orders.read; may be repeated or separated by blanks (default: all)"
    )
    parser.add_argument("--client", default="operator", help="whose: a machine of cdk.json, for example support (default: operator)")


def run(parsed: argparse.Namespace) -> int:
    """The bare token on standard output."""
    scopes = [scope for given in parsed.scope for scope in given.split()]
    print(Stack.running(Local.here()).token(scopes, parsed.client))
    return 0
