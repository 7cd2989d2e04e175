"""The Raise exception state: write the exception, then wait for somebody to decide."""

from __future__ import annotations

import json
from typing import Any

from oms.flows.waiting import wait_for
from oms.orders.order import Order
from oms.service.exceptions import open_exception
from oms.storage.orders import Cause, update


def raise_exception(event: dict[str, Any]) -> str:
    """Open the exception of the step in `event` and wait. Returns its id."""
    given = event["input"]
    order_id = given["order_id"]
    subject = given.get("fulfillment_order_id") or given.get("return_id") or given.get("change_id") or order_id
    error = event.get("error") or {}
    opened: list[str] = []

    def open_(order: Order) -> None:
        name, cause = str(error.get("Error") or "Unknown"), _message(str(error.get("Cause") or ""))
        problem = open_exception(order, subject, event["failed_step"], name, cause, event["execution_arn"], event["entered"])
        opened.append(problem.id)

    update(order_id, open_, Cause("raise_exception", event["execution"]))
    wait_for(order_id, opened[-1], event)
    return opened[-1]


def _message(cause: str) -> str:
    """What the error says, without the stack trace that Lambda puts around it."""
    try:
        parsed = json.loads(cause)
    except ValueError:
        return cause
    return str(parsed.get("errorMessage", cause)) if isinstance(parsed, dict) else cause
