"""The engine's process: ministack, with a bound on the processes that one function may have, and with errors by their names.

The engine would start a new process for every concurrent call; each costs a second of CPU, so a burst of work on a laptop would start
dozens at once and time out. Here a call waits for its turn. Run as `python -m infra.local.process`.
"""

from __future__ import annotations

import os
import re
import threading
from collections import defaultdict
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

PROCESSES = max(4, 2 * (os.cpu_count() or 2))
"""Of one function at the same time; the functions of this product never call themselves, so waiting cannot block a caller of its own."""


def bound_processes() -> None:
    """Make the engine's calls wait for one of `PROCESSES` places per function."""
    turns: defaultdict[str, threading.BoundedSemaphore] = defaultdict(lambda: threading.BoundedSemaphore(PROCESSES))
    acquire, release = lambda_svc.acquire_worker, lambda_svc.release_worker
    held: dict[int, threading.BoundedSemaphore] = {}
    guard = threading.Lock()

    def acquire_in_turn(name: str, *arguments: Any, **named: Any) -> tuple[Any, str]:
        with guard:
            turn = turns[name]
        turn.acquire()
        held[threading.get_ident()] = turn
        try:
            worker, reason = acquire(name, *arguments, **named)
        except BaseException:
            release_in_turn(None)
            raise
        return worker, reason

    def release_in_turn(worker: Any) -> None:
        if worker is not None:
            release(worker)
        turn = held.pop(threading.get_ident(), None)
        if turn:
            turn.release()

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquire_in_turn, release_in_turn


def collect_logs_at_once() -> None:
    """Take an invocation's log line when it is there, instead of polling for five more milliseconds whether another one comes."""
    drain = lambda_runtime.Worker._drain_stderr_bounded
    lambda_runtime.Worker._drain_stderr_bounded = lambda worker: drain(worker, idle_confirm=0.0)


_UNNAMED = "Runtime.HandlerError"
_BEGIN = "Traceback (most recent call last):"
_RAISED = re.compile(r"(?:\w+\.)*(\w+)(?::|$)")


def name_errors() -> None:
    """Tell Step Functions the class of what a handler raised, as Lambda does: retries and catches select by it. The engine itself calls
    everything Runtime.HandlerError."""
    execute = lambda_svc._execute_function_warm

    def execute_and_name(*arguments: Any, **named: Any) -> dict[str, Any]:
        result: dict[str, Any] = execute(*arguments, **named)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and body.get("errorType") == _UNNAMED:
            body["errorType"] = raised(str(result.get("log", ""))) or _UNNAMED
        return result

    lambda_svc._execute_function_warm = execute_and_name


def raised(log: str) -> str | None:
    """The class, without its module, of the error that the last traceback in a log is about; None if there is no traceback."""
    _, begun, last = log.rpartition(_BEGIN)
    lines = (line for line in last.splitlines() if line and not line[0].isspace()) if begun else ()
    found = next((_RAISED.match(line) for line in lines), None)
    return found[1] if found else None


if __name__ == "__main__":
    from ministack.app import main

    bound_processes()
    name_errors()
    collect_logs_at_once()
    main()
