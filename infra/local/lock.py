"""Locks that the operating system releases when their holder dies, so that nothing is ever left locked by a crash."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any


class Lock:
    """A lock file with a note about its holder. A child process that inherits the descriptor holds the lock for its own lifetime."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def fd(self) -> int:
        """The descriptor to pass to a child; RuntimeError unless held."""
        if self._fd is None:
            raise RuntimeError(f"{self.path} is not held")
        return self._fd

    def take(self) -> bool:
        """True if this process holds the lock now, False if somebody else does."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        for patience in (0.02, 0.05, 0.0):  # somebody who only looks (see `holder`) has it for an instant
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(patience)
            else:
                self._fd = fd
                return True
        os.close(fd)
        return False

    def write(self, note: dict[str, Any]) -> None:
        """Leave a note about the holder."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, json.dumps(note).encode(), 0)

    def release(self) -> None:
        """Let go of it here; a child that inherited it keeps it."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def holder(self) -> dict[str, Any] | None:
        """The holder's note, {} while it has not written one yet, None if nobody holds the lock."""
        if not self.path.exists():
            return None
        probe = Lock(self.path)
        if probe.take():
            probe.release()
            return None
        try:
            note = json.loads(self.path.read_text() or "{}")
        except ValueError:
            return {}
        return note if isinstance(note, dict) else {}
