"""The `oms` command. Each sub-command is a module of infra.local.commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from infra.local.commands import COMMANDS
from infra.local.trouble import Trouble


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command: its exit code, 2 if the user has to do something first, 130 after Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="oms", description="The order management system on this machine.")
    commands = parser.add_subparsers(metavar="command", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary)
        if name in given[:1]:
            module = import_module(f"infra.local.commands.{name}")
            command.description = module.__doc__
            module.arguments(command)
            command.set_defaults(run=module.run)
    parsed = parser.parse_args(given)
    try:
        code: int = parsed.run(parsed)
    except Trouble as trouble:
        print(f"\noms: {trouble}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0  # the reader (head, a pager) has seen enough
    except OSError as error:
        print(f"\noms: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main())
