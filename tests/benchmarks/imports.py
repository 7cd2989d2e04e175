"""The weight of a cold start: what importing a handler takes, as a ratio to `import boto3` in the same run.

Each import is timed inside a fresh interpreter, so the interpreter's own start does not count, in seconds of its processor, so other
work on the machine counts little; handlers and boto3 take turns, and the fastest run of each counts. Everything is compiled
beforehand, as it is in the layers that are shipped.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

from infra.local.settings import ROOT
from tests.benchmarks.shop import Failed

_TIMED = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"
STEPS = ("capture", "allocate", "ship", "capture_payment", "return_order", "raise_exception", "relay", "reconcile")
"""Functions whose budget is that of a step; the others are the API."""
BUDGET = {"step": 2.0, "api": 2.2}


def functions() -> list[str]:
    """All functions, by folder."""
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))


def budget(function: str) -> float:
    """The highest ratio that a function should have. `capture` serves HTTP too, but is a step."""
    return BUDGET["step" if function in STEPS else "api"]


def ratios(home: Path, rounds: int, until: float = math.inf) -> tuple[dict[str, float], float]:
    """The ratio of each function, and the seconds of boto3 alone; no new round begins after `until` on the monotonic clock."""
    environment = _environment(home)
    _compile(environment)
    boto3 = math.inf
    best: dict[str, float] = {}
    for _ in range(rounds):
        for number, function in enumerate(functions()):
            if number % 5 == 0:
                boto3 = min(boto3, _seconds("", environment))
            best[function] = min(_seconds(function, environment), best.get(function, math.inf))
        if time.monotonic() > until:
            break
    return {function: round(seconds / boto3, 2) for function, seconds in best.items()}, boto3


def _environment(home: Path) -> dict[str, str]:
    (home / "cache" / "bytecode").mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON", "POWERTOOLS_"))}
    return kept | {
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "PYTHONPYCACHEPREFIX": str(home / "cache" / "bytecode"),  # nothing is written beside the sources
    }


def _compile(environment: dict[str, str]) -> None:
    """Write the bytecode that is missing: of our own sources, and of what a handler brings with it by importing one."""
    sources = [str(ROOT / "layers" / "oms" / "python"), str(ROOT / "functions")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *sources], env=environment, check=False)
    _seconds("query_api", environment)


def _seconds(function: str, environment: dict[str, str]) -> float:
    """Seconds of importing a function's handler, or boto3 if none is named."""
    path = os.pathsep.join([str(ROOT / "layers" / "oms" / "python"), *([str(ROOT / "functions" / function)] if function else [])])
    command = [sys.executable, "-c", _TIMED.format("handler" if function else "boto3")]
    folder = environment["PYTHONPYCACHEPREFIX"]  # holds no modules that could be found by being there
    done = subprocess.run(command, env=environment | {"PYTHONPATH": path}, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"functions/{function}/handler.py cannot be imported:\n{done.stderr}")
    return float(done.stdout)
