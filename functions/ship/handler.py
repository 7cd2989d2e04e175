"""Ship, Wait for release and Deliver wait for what others report; Expire ends work that nobody did in time."""

from __future__ import annotations

from typing import Any

from oms.api.observe import observed
from oms.flows.fulfillment import clock_has_run_out, deliver_by_clock, expire_step
from oms.flows.waiting import wait_for


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any] | None:
    """A Step Functions task of the fulfillment machine."""
    order_id, record_id = event["input"]["order_id"], event["input"]["fulfillment_order_id"]
    if event["step"] == "Expire":
        return expire_step(order_id, record_id, event["execution"])
    order = wait_for(order_id, record_id, event)
    if order and event["step"] == "Deliver" and clock_has_run_out(order, order.fulfillment_order(record_id)):
        deliver_by_clock(order_id, record_id, event["execution"])  # relay then resumes this very wait
    return None
