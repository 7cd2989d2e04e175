"""Approve and Wait for goods wait for people; Buy label asks a carrier; Return settles what arrived; Expire ends what never came."""

from __future__ import annotations

from typing import Any

from oms.api.observe import observed
from oms.flows.returns import expire_step, settle_return_step
from oms.flows.waiting import wait_for


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any] | None:
    """A Step Functions task of the return machine."""
    order_id, return_id = event["input"]["order_id"], event["input"]["return_id"]
    if event["step"] == "Return":
        return settle_return_step(order_id, return_id, event["execution"])
    if event["step"] == "Buy label":
        from oms.flows.labels import buy_label_step  # noqa: PLC0415 most returns come without

        return buy_label_step(order_id, return_id, event["execution"])
    if event["step"] == "Expire":
        return expire_step(order_id, return_id, event["execution"])
    wait_for(order_id, return_id, event)
    return None
