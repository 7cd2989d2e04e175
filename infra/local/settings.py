"""Where the local stack keeps its things, and on which port it listens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from infra.local.lock import Lock
from infra.local.trouble import Trouble

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "000000000000"
REGION = "us-east-1"
STACK = "Oms"
DEFAULT_PORT = 4566


@dataclass(frozen=True)
class Local:
    """One local stack: its folder and its port. Tests make their own beside the user's."""

    home: Path
    port: int

    @classmethod
    def here(cls, port: int | None = None) -> Local:
        """The project's own stack in `.oms` (OMS_HOME names another folder), on the port given, or OMS_PORT, or where it runs, or 4566."""
        home = Path(os.environ.get("OMS_HOME") or ROOT / ".oms").resolve()
        asked = str(port or os.environ.get("OMS_PORT") or (Lock(home / "engine" / "lock").holder() or {}).get("port", DEFAULT_PORT))
        if not asked.isdecimal() or not 0 < int(asked) < 65536:
            raise Trouble(f"'{asked}' is no port number. Give one between 1024 and 65535 with --port or OMS_PORT.")
        return cls(home=home, port=int(asked))

    @property
    def engine_url(self) -> str:
        """The endpoint of every emulated AWS service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def engine(self) -> Path:
        """The engine's folder: state, S3 objects, unpacked functions, lock."""
        return self.home / "engine"

    @property
    def state(self) -> Path:
        """What the engine saves when it stops and loads when it starts."""
        return self.engine / "state"

    @property
    def tools(self) -> Path:
        """The CDK CLI and the caches of its tools."""
        return self.home / "tools"

    @property
    def logs(self) -> Path:
        """engine.log and deploy.log."""
        return self.home / "logs"

    def prepare(self) -> None:
        """Make the folders; Trouble if that is not allowed."""
        for folder in (self.state, self.tools, self.logs):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / ".writable").touch()
                (folder / ".writable").unlink()
            except OSError as error:
                raise Trouble(
                    f"Cannot write to {folder} ({error.strerror}). All local data is kept in {self.home}: "
                    "make it yours (chown, chmod) or remove it, then start again."
                ) from error
