"""Relay: the order table's stream in; executions started and resumed, events published."""

from __future__ import annotations

from typing import Any

from oms.api.observe import logger, observed
from oms.flows.relay import relay
from oms.orders.records import Entry
from oms.storage.codec import decode


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch of new timeline entries. It never fails as a whole: what cannot be relayed is parked."""
    orders: dict[str, list[Entry]] = {}
    for record in event["Records"]:
        image = decode(record["dynamodb"]["NewImage"])
        orders.setdefault(image["pk"], []).append(Entry.model_validate(image))
    parked = relay(orders)
    if parked:
        logger.warning("parked", extra={"orders": parked})
    return {"batchItemFailures": [], "parked": parked}
