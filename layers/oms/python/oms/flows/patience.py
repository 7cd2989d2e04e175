"""Steps that ask a payment gateway may have to wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oms.payments.gateway import GatewayDown, StillPending


def patiently(state: str, step: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A step's outcome; while a gateway thinks, or cannot be reached for some time, to wait and come back to that state."""
    try:
        return {"seconds": 0, **step()}
    except (StillPending, GatewayDown) as error:
        return {"next": f"later_{state}", "seconds": error.seconds}
