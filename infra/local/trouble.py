"""The one kind of error that the runner shows to people."""

from __future__ import annotations


class Trouble(Exception):
    """Something the user can act on: the text says what is wrong, where, and what to do. Shown without a traceback, exit code 2."""
