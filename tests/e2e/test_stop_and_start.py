"""The engine is stopped in mid-life and started again: the order finishes. Named to run last: it restarts the session's engine."""

from __future__ import annotations

import uuid
from typing import Any

from infra.local import life
from infra.local.console import Console
from infra.local.engine import Engine
from infra.local.sample import sample_order
from infra.local.settings import Local
from infra.local.stack import Stack
from infra.local.up import up


def test_an_order_survives_a_restart_of_the_engine(stack: Stack, local: Local) -> None:
    api = stack.api()
    order = api.post("/v1/orders", sample_order(f"E2E-{uuid.uuid4().hex[:8]}"))
    order = life.wait(api, order["id"], "work", lambda seen: bool(seen["fulfillment_orders"]))
    api.close()
    assert Engine(local).stop()

    again = up(local, Console()).stack.api()
    life.ship(again, order["fulfillment_orders"][0])
    order = life.wait(again, order["id"], "the capture", lambda seen: seen["payment"]["captured"] == 3740)
    life.deliver(stack, again, order)
    life.wait(again, order["id"], "completion", lambda seen: seen["status"] == "completed")
    # The order is complete one write before its machine comes to the end.
    life.wait(again, order["id"], "the end of the second run", lambda seen: fulfillment_run(seen) == (2, "SUCCEEDED"))
    again.close()


def fulfillment_run(order: dict[str, Any]) -> tuple[int, str]:
    """Which run of the fulfillment machine the order shows, and how it stands."""
    run = next(execution for execution in order["executions"] if execution["machine"] == "fulfillment")
    return run["run"], run["status"]
