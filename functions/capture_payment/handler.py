"""Capture payment: invoice what left, capture exactly its share. Secure payment: see to it, before work goes out, that it is covered."""

from __future__ import annotations

from typing import Any

from oms.api.observe import observed
from oms.flows.capture_payment import capture_payment_step, release_payment_step
from oms.flows.secure_payment import secure_payment_step


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A Step Functions task of the fulfillment machine; Release payment is that of order machines started by earlier versions."""
    given = event["input"]
    if event["step"] == "Release payment":
        return release_payment_step(given["order_id"], event["execution"])
    step = secure_payment_step if event["step"] == "Secure payment" else capture_payment_step
    return step(given["order_id"], given["fulfillment_order_id"], event["execution"])
