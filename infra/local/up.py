"""Bring the whole local stack up, step by step; each step does only what is still missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from infra.local import deploy, node, secrets, seed
from infra.local.aws import Aws
from infra.local.console import Console
from infra.local.engine import Engine
from infra.local.lock import Lock
from infra.local.settings import Local
from infra.local.stack import Stack
from infra.local.trouble import Trouble


@dataclass(frozen=True)
class Up:
    """A stack that is up, and what it took."""

    stack: Stack
    engine: Engine
    started: bool  # the engine was started here: whoever asked for that stops it


@contextmanager
def exclusive(local: Local) -> Iterator[None]:
    """Only one start at a time; the lock of one that died is free by itself."""
    local.prepare()
    lock = Lock(local.home / "start.lock")
    if not lock.take():
        raise Trouble("Another start of this project is under way. Wait until it is ready, or end it with Ctrl-C there.")
    try:
        yield
    finally:
        lock.release()


def up(local: Local, console: Console) -> Up:
    """Engine, CDK CLI, deployment, secrets, sample data. If a step fails, what was started here is stopped again."""
    with exclusive(local):
        engine = Engine(local)
        running = engine.running()
        if running and running.port != local.port:
            raise Trouble(f"The stack of this project already runs on port {running.port}. Use it as it is, or stop it first: oms stop")
        try:
            if running is None:
                with console.step("Starting the engine"):
                    engine.start()
            elif not engine.healthy():
                raise Trouble(f"The engine (process {running.pid}) does not answer. Stop it and start again: oms stop; oms start")
            return _prepared(local, engine, console, started=running is None)
        except BaseException:
            if running is None:
                stop(engine, console)
            raise


def stop(engine: Engine, console: Console) -> None:
    """Stop the engine and say so; interrupting it again does not cut the saving short."""
    if engine.running() is None:
        return
    with console.step("Stopping the engine, saving its state"):
        saved = _stopped(engine, console)
    if not saved:
        console.say("  The engine did not stop in time and was killed: what was done since its start is not saved.")


def _stopped(engine: Engine, console: Console) -> bool:
    while True:
        try:
            return engine.stop()
        except KeyboardInterrupt:
            console.progress("still saving")


def _prepared(local: Local, engine: Engine, console: Console, *, started: bool) -> Up:
    aws = Aws(local)
    try:
        deployed_before = bool(deploy.outputs(aws))
        if not node.installed(local):
            with console.step("Installing the CDK CLI (once)"):
                node.install(local)
        deploy.deploy(local, aws, console)
        secrets.apply(local, aws)
        stack = Stack(local, aws)
        if started and deployed_before:
            with console.step("Taking up what the last stop interrupted"):
                reconcile(stack)
        if not seed.present(stack):
            with console.step("Seeding locations and stock"):
                seed.seed(stack)
    except (BotoCoreError, ClientError) as error:
        raise Trouble(f"The engine refused a call: {error}. Its log: {engine.log}") from error
    return Up(stack=stack, engine=engine, started=started)


def reconcile(stack: Stack) -> dict[str, object]:
    """Run the reconcile function over records of any age: what it repaired. Trouble if it failed."""
    answer = stack.aws.functions.invoke(
        FunctionName=stack.outputs["ReconcileFunction"],
        Payload=json.dumps({"older_than_seconds": 0, "ended_within_seconds": 24 * 3600}).encode(),
    )
    payload = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        raise Trouble(f"The reconcile function failed: {payload}. See: oms logs reconcile")
    return payload if isinstance(payload, dict) else {}
