"""The synthesised state machines, executed by moto with our handlers behind their tasks.

The function that moto calls a Lambda with and its pause between retries are private to moto: they are touched here and nowhere else.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from infra.parts.synth import definition
from oms.storage.clients import client
from tests.support.world import JSON, MACHINES, Call, Killed, World, a_world

_parse: Callable[[str], tuple[Any, Any]] = AmazonStateLanguageParser.parse
PATIENCE = 20.0
"""Seconds after which a machine that does not come to rest is a failure."""


@dataclass
class Engine:
    """A world whose executions run. `on_task` sees every task before its handler runs, in the execution's thread: it may wait or raise."""

    world: World
    on_task: Callable[[JSON], None] = lambda event: None
    tasks: list[JSON] = field(default_factory=list)
    executions: dict[str, str] = field(default_factory=dict)
    _waiting: dict[str, str] = field(default_factory=dict)
    _resumed: set[str] = field(default_factory=set)
    _running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, parameters: JSON, region: str, state_credentials: Any) -> JSON:
        """What moto calls instead of Lambda."""
        event = json.loads(parameters["Payload"])
        function = parameters["FunctionName"].rpartition(":oms-")[2].replace("-", "_")
        with self._lock:
            self._running += 1
            self.tasks.append({**event, "function": function})
            self._waiting.pop(event["execution"], None)
        try:
            self.on_task(event)
            answer = self.world.invoke(function, event)
            if "token" in event:
                self._waiting[event["execution"]] = event["token"]
            return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": answer}
        except Killed:
            return _failed("Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: signal: killed")
        except Exception as error:
            return _failed(type(error).__name__, str(error))
        finally:
            with self._lock:
                self._running -= 1

    def settle(self) -> None:
        """Pump the stream until every execution waits for something or has ended."""
        self.until(self._quiet)

    def until(self, wanted: Callable[[], bool]) -> None:
        """Pump the stream until `wanted`; a machine that does not get there in time fails the test."""
        end = time.monotonic() + PATIENCE
        while True:
            self.world.pump()
            if wanted() and not self.world.wire.stream:
                return
            assert time.monotonic() < end, f"the machines do not come to rest: {self.statuses()}"
            time.sleep(0.003)

    def statuses(self) -> dict[str, str]:
        """Every execution so far: the state it is in, or how it ended."""
        return {name: self._status(name) if self._ended(name) else (self.path(name) or ["(starting)"])[-1] for name in self.executions}

    def path(self, name: str) -> list[str]:
        """The states that an execution has entered, without the router."""
        history = client("stepfunctions").get_execution_history(executionArn=self.executions[name])["events"]
        entered = [event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event]
        return [state for state in entered if state != "Next"]

    def visits(self, step: str) -> list[JSON]:
        """The task events of a step, every attempt."""
        return [event for event in self.tasks if event["step"] == step]

    def note(self, call: Call) -> None:
        """Remember what was started and which tokens have been used."""
        if call.operation in ("SendTaskSuccess", "SendTaskFailure"):
            self._resumed.add(call.given["taskToken"])
        if call.operation == "StartExecution":
            arn = call.given["stateMachineArn"].replace(":stateMachine:", ":execution:")
            self.executions[call.given["name"]] = f"{arn}:{call.given['name']}"

    def _quiet(self) -> bool:
        return not self._running and all(self._waits(name) or self._ended(name) for name in list(self.executions)) and not self._running

    def _waits(self, name: str) -> bool:
        token = self._waiting.get(name)
        return token is not None and token not in self._resumed

    def _ended(self, name: str) -> bool:
        return self._status(name) != "RUNNING"

    def _status(self, name: str) -> str:
        return str(client("stepfunctions").describe_execution(executionArn=self.executions[name])["status"])


@contextmanager
def an_engine(monkeypatch: pytest.MonkeyPatch, change: Callable[[str, JSON], None] = lambda machine, states: None) -> Iterator[Engine]:
    """A world with running machines. `change` may alter a machine's states first, for instance to shorten a timeout."""
    definitions = {name: json.loads(json.dumps(definition(name))) for name in MACHINES}
    for name, machine in definitions.items():
        change(name, machine["States"])
    # moto parses a definition when it is created and again whenever it is started, which takes longer than running it.
    monkeypatch.setattr(AmazonStateLanguageParser, "parse", lambda text: copy.deepcopy(_parsed(text)))
    with a_world(monkeypatch, definitions) as world:
        engine = Engine(world)
        world.wire.after.append(engine.note)
        monkeypatch.setattr(lambda_eval_utils, "_invoke_lambda_function", engine.invoke)
        monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 1000)))
        yield engine


@cache
def _parsed(text: str) -> tuple[Any, Any]:
    return _parse(text)[0], None


def _failed(kind: str, message: str) -> JSON:
    return {"FunctionError": "Unhandled", "Payload": {"errorType": kind, "errorMessage": message}}
