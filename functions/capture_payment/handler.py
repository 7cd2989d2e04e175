"""Capture payment: invoice what left, capture exactly its share; release what nothing needs any more."""

from __future__ import annotations

from typing import Any

from oms.api.observe import observed
from oms.flows.capture_payment import capture_payment_step, release_payment_step


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A Step Functions task of the fulfillment machine, or Release payment of the order machine."""
    given = event["input"]
    if event["step"] == "Release payment":
        return release_payment_step(given["order_id"], event["execution"])
    outcome = capture_payment_step(given["order_id"], given["fulfillment_order_id"], event["execution"])
    return {"seconds": 0, **outcome}
