"""Allocate, and the order machine's two waits: for a release and for stock."""

from __future__ import annotations

from typing import Any

from oms.api.observe import observed
from oms.flows.allocate import allocate_step
from oms.flows.waiting import wait_for


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any] | None:
    """A Step Functions task of the order machine."""
    order_id = event["input"]["order_id"]
    if event["step"] == "Allocate":
        return allocate_step(order_id, event["execution"], event["entered"], lambda: context.get_remaining_time_in_millis() / 1000)
    wait_for(order_id, order_id, event)
    return None
