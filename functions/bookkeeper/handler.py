"""Bookkeeper: what has to do with money, from its queue into the books."""

from __future__ import annotations

import json
from typing import Any

from oms.api.observe import logger, observed
from oms.flows.bookkeeping import keep_books


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch of notices {order_id, channel, sequences}. What fails stays in the queue, the others are done."""
    notices = {record["messageId"]: json.loads(record["body"])["order_id"] for record in event["Records"]}
    failed = keep_books(list(notices.values()))
    for order_id, error in failed.items():
        logger.error("not in the books", extra={"order_id": order_id, "error": f"{type(error).__name__}: {error}"})
    return {"batchItemFailures": [{"itemIdentifier": message} for message, order_id in notices.items() if order_id in failed]}
