"""The embedded AWS engine (ministack) as one child process: start, stop, health."""

from __future__ import annotations

import errno
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from infra.local.discard import discard
from infra.local.lock import Lock
from infra.local.settings import REGION, Local
from infra.local.trouble import Trouble

# Any key is root to the engine as long as both sides agree; it listens on this machine only.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
# With these, neither the CDK CLI nor the functions see the user's own AWS settings.
ISOLATED = CREDENTIALS | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
_READY_SECONDS = 90.0
_STOP_SECONDS = 90.0


@dataclass(frozen=True)
class Running:
    """An engine that is alive."""

    pid: int
    port: int


class Engine:
    """The engine of one local stack. The lock file tells whether it lives; no pid is trusted that does not hold the lock."""

    def __init__(self, local: Local) -> None:
        self.local = local
        self.log = local.logs / "engine.log"
        self._lock = Lock(local.engine / "lock")
        self._process: subprocess.Popen[bytes] | None = None

    def running(self) -> Running | None:
        """The engine that is alive, whoever started it."""
        for _ in range(50):
            note = self._lock.holder()
            if note is None:
                return None
            if "pid" in note:
                return Running(pid=int(note["pid"]), port=int(note["port"]))
            time.sleep(0.1)  # it has just been started and its note is not written yet
        raise Trouble(f"{self._lock.path} is held by a process that left no note. Find it with: lsof {self._lock.path}")

    def start(self) -> None:
        """Start it and wait until it answers; Trouble if the port is taken or it does not come up."""
        _require_free(self.local.port)
        if not self._lock.take():
            raise Trouble("Another engine of this project is just starting. Wait a moment and try again.")
        try:
            if not (self.local.state / "cloudformation.json").exists():
                # Killed before it ever saved: objects are on disk at once, the stacks they belong to are gone, and would not deploy again.
                shutil.rmtree(self.local.engine / "s3", ignore_errors=True)
            _forget_stream_positions(self.local.state / "lambda.json")
            scratch = self.local.engine / "tmp"
            discard(scratch)
            scratch.mkdir()
            with self.log.open("ab") as log:
                # A session of its own: Ctrl-C in the terminal must reach the runner only, which then stops the engine in order.
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "infra.local.process"],
                    cwd=self.local.engine,
                    env=_environment(self.local, scratch),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=[self._lock.fd],
                )
            self._lock.write({"pid": self._process.pid, "port": self.local.port})
        finally:
            self._lock.release()
        self._await_ready()

    def stop(self) -> bool:
        """Stop it gracefully, so that its state is saved. False if it had to be killed (what came since its start is then lost)."""
        running = self.running()
        if running is None:
            return True
        os.kill(running.pid, signal.SIGTERM)
        if self._gone_within(_STOP_SECONDS):
            return True
        os.kill(running.pid, signal.SIGKILL)
        self._gone_within(5.0)
        return False

    def healthy(self) -> bool:
        """True if it answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.local.port, timeout=5)
        try:
            connection.request("GET", "/_ministack/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not self.healthy():
            ended = self._process.poll() if self._process else None
            if ended is not None:
                raise Trouble(f"The engine ended at once (exit code {ended}):\n{tail(self.log)}\nThe whole log: {self.log}")
            if time.monotonic() > deadline:
                self.stop()
                raise Trouble(f"The engine did not answer within {_READY_SECONDS:.0f} seconds. Its log: {self.log}")
            time.sleep(0.1)

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process is not None:
                self._process.poll()  # reaps it; a process nobody waits for stays listed
            if self._lock.holder() is None:
                return True
            time.sleep(0.1)
        return False


def _environment(local: Local, scratch: Path) -> dict[str, str]:
    """The user's environment without anything that points at a real AWS account, plus the engine's settings."""
    foreign = ("AWS_", "LAMBDA_", "MINISTACK_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {
        "AUTH": "true",  # roles are enforced as on AWS
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(local.port),
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(local.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(local.engine / "s3"),
        "TMPDIR": str(scratch),
        "LOG_LEVEL": "WARNING",
        "LAMBDA_WARM_TTL_SECONDS": "900",
        # Calls that wait for a function's process hold a thread each; the function's own calls need threads too.
        "MINISTACK_WORKER_THREADS": "512",
        "PYTHONPATH": "",
        # Never touch a Docker daemon, never open the ports of services that are not used.
        "DOCKER_HOST": f"unix://{scratch}/none",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        **ISOLATED,
    }


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = {
                errno.EADDRINUSE: "is in use by another program",
                errno.EACCES: "may not be opened by this user",
            }.get(error.errno or 0, error.strerror)
            raise Trouble(
                f"Port {port} {why}. Stop that program or choose another port, for example: OMS_PORT={port + 34} make start"
            ) from error


def _forget_stream_positions(state: Path) -> None:
    """After a restart the stream begins anew, but the saved position counts records of the old one: as many new ones would be skipped."""
    if not state.exists():
        return
    try:
        saved = json.loads(state.read_text())
        if saved["payload"].pop("dynamodb_stream_positions", None) is not None:
            state.write_text(json.dumps(saved))
    except (ValueError, KeyError, AttributeError) as error:
        raise Trouble(f"{state} is damaged ({error}). Start afresh with: make clean, then make start") from error


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, indented; empty if there is none."""
    if not log.exists():
        return ""
    return "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])
