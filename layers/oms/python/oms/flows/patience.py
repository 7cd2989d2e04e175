"""Steps that may have to wait: for a payment gateway, or for another document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oms.clock import parse
from oms.payments.gateway import GatewayDown, StillPending

_SHORTEST_PAUSE, _LONGEST_PAUSE = 15, 3600  # seconds


def patiently(state: str, step: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A step's outcome; while a gateway thinks, or cannot be reached for some time, to wait and come back to that state."""
    try:
        return {"seconds": 0, **step()}
    except (StillPending, GatewayDown) as error:
        return {"next": f"later_{state}", "seconds": error.seconds}


def pause(since: str, now: str) -> int:
    """Seconds until the next look at something that has been waited for since then: half as long as it has taken so far, so soon at first,
    hourly in the end. An execution that waits for days stays within the number of states that it may enter."""
    age = (parse(now) - parse(since)).total_seconds()
    return int(min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, age / 2)))
