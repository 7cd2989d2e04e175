"""Stockkeeper: what follows from a change of stock, and what the clock does to it."""

from __future__ import annotations

from typing import Any

from oms.api.observe import logger, observed
from oms.flows.news import relay_news, sweep
from oms.storage.codec import decode


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """New entries of SKUs, reservations and loads from the stream, or, without any, the minute's sweep of what is due."""
    seconds_left = lambda: context.get_remaining_time_in_millis() / 1000  # noqa: E731
    if "Records" not in event:
        report = sweep(seconds_left)
        logger.info("swept", extra=report)
        return report
    parked = relay_news([decode(record["dynamodb"]["NewImage"]) for record in event["Records"]], seconds_left)
    if parked:
        logger.warning("parked", extra={"records": parked})
    return {"batchItemFailures": [], "parked": parked}
