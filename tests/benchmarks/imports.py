"""The weight of a cold start: what importing a handler takes, as a ratio to `import boto3` in the same run.

Each import is timed inside a fresh interpreter, so the interpreter's own start does not count, in seconds of its processor, so other
work on the machine counts little; handlers and boto3 take turns, and the median run of each counts, because boto3 runs more often: the
fastest of many would be compared with the fastest of few. Everything is compiled beforehand, as it is in the layers that are shipped.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from infra.local.settings import ROOT
from infra.parts.catalogue import LIBRARIES
from tests.benchmarks.shop import Failed

_TIMED = """
import os, time
began = time.process_time()
import {}
print(time.process_time() - began, flush=True)
os._exit(0)  # the rest would be for nothing
"""
_ALL = "import boto3, runpy, sys; [runpy.run_path(path) for path in sys.argv[1:]]"
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
    boto3: list[float] = []
    took: dict[str, list[float]] = {function: [] for function in functions()}
    for _ in range(rounds):
        for number, function in enumerate(took):
            if number % 5 == 0:
                boto3.append(_seconds("", environment))
            took[function].append(_seconds(function, environment))
        if time.monotonic() > until:
            break
    alone = median(boto3)
    return {function: round(median(seconds) / alone, 2) for function, seconds in took.items()}, alone


def _environment(home: Path) -> dict[str, str]:
    (home / "cache" / "bytecode").mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON", "POWERTOOLS_"))}
    return (
        kept
        | LIBRARIES
        | {
            "AWS_DEFAULT_REGION": "us-east-1",
            "POWERTOOLS_SERVICE_NAME": "bench",
            "PYTHONPYCACHEPREFIX": str(home / "cache" / "bytecode"),  # nothing is written beside the sources
        }
    )


def _compile(environment: dict[str, str]) -> None:
    """Write the bytecode that is missing: of our own sources, and of what they bring with them by importing all of it once."""
    sources = [str(ROOT / "layers" / "oms" / "python"), str(ROOT / "functions")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *sources], env=environment, check=False)
    handlers = [str(ROOT / "functions" / function / "handler.py") for function in functions()]
    subprocess.run([sys.executable, "-c", _ALL, *handlers], env=environment | {"PYTHONPATH": sources[0]}, check=False)


def _seconds(function: str, environment: dict[str, str]) -> float:
    """Seconds of importing a function's handler, or boto3 if none is named."""
    path = os.pathsep.join([str(ROOT / "layers" / "oms" / "python"), *([str(ROOT / "functions" / function)] if function else [])])
    command = [sys.executable, "-c", _TIMED.format("handler" if function else "boto3")]
    folder = environment["PYTHONPYCACHEPREFIX"]  # holds no modules that could be found by being there
    done = subprocess.run(command, env=environment | {"PYTHONPATH": path}, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"functions/{function}/handler.py cannot be imported:\n{done.stderr}")
    return float(done.stdout)
