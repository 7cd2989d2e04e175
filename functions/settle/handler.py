"""Settle: move the money of a change."""

from __future__ import annotations

from typing import Any

from oms.api.observe import observed
from oms.flows.settle import settle_step


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A Step Functions task of the change machine."""
    return settle_step(event["input"]["order_id"], event["input"]["change_id"], event["execution"])
