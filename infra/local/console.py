"""What the runner prints while it works: one line for each step, with its seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_WIDTH = 46
_QUIET_SECONDS = 10.0


class Console:
    """Progress for people. On a terminal the line of the running step is rewritten; elsewhere a line every ten seconds."""

    def __init__(self, out: TextIO | None = None, *, quiet: bool = False) -> None:
        self._out = out or sys.stdout
        self._quiet = quiet
        self._live = self._out.isatty()
        self._step = ""
        self._began = self._spoke = 0.0

    def say(self, text: str = "") -> None:
        """Print a line."""
        if not self._quiet:
            print(text, file=self._out, flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what happens inside; a step that raises is left open for the error that follows."""
        self._step, self._began = name, time.monotonic()
        self._spoke = self._began
        self.progress("")
        try:
            yield
        except BaseException:
            self._clear()
            self.say(f"  {name:<{_WIDTH}} stopped")
            raise
        self._clear()
        self.say(f"  {name:<{_WIDTH}} {time.monotonic() - self._began:5.1f} s")

    def progress(self, detail: str) -> None:
        """How far the running step is."""
        if self._quiet:
            return
        now = time.monotonic()
        if self._live:
            print(f"\r\033[K  {self._step:<{_WIDTH}} {now - self._began:5.1f} s  {detail}"[:110], end="", file=self._out, flush=True)
        elif now - self._spoke >= _QUIET_SECONDS:
            self._spoke = now
            print(f"  {self._step:<{_WIDTH}} {now - self._began:5.1f} s so far  {detail}".rstrip(), file=self._out, flush=True)

    def _clear(self) -> None:
        if self._live and not self._quiet:
            print("\r\033[K", end="", file=self._out, flush=True)
