"""News of records that are no orders: SKUs (`sku_X`), reservations (`res_...`), loads (`load_...`). Each is published, then acted on.

Like relay for orders: every action is decided from what is stored and is safe to repeat; what fails is parked and tried again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

from oms.events import record_events
from oms.flows.relay import put_events
from oms.orders.records import Entry
from oms.storage.clients import client
from oms.storage.environment import environment

SecondsLeft = Callable[[], float]
ACTIONS = {
    "stock.arrived": "backorders.arrived",
    "stock.expected": "backorders.arrived",
    "backorder.queued": "backorders.queued",
    "backorder.left": "backorders.arrived",
    "stock.short": "shortages.note_short",
    "stock.blocked": "blocks.blocked",
    "gift_card.delivered": "gift_cards.activate",
    "exception.resolved": "reroute.reroute_short",
    "location.drain": "reroute.continue_drain",
    "shards.changed": "shards.changed",
    "shards.uneven": "shards.changed",
    "load.requested": "load_run.run",
    "load.continued": "load_run.run",
    "load.approved": "load_run.run",
    "load.reverting": "load_run.run",
    "load.short": "load_run.report_short",
}
"""What a fact calls for, by its type: a function of a flow, read when the first comes, of the fact's data and the seconds left. The others
are only published."""
SWEEPS = {
    "reservations": "expiry.sweep_reservations",
    "holds": "holds.sweep_holds",
    "backorders": "backorders.sweep",
    "shards": "shards.sweep",
    "loads": "load_run.sweep",
}
"""What the clock calls for: name to a function, likewise, of the seconds left, that does what is due and returns how much that was."""
_TRIES = 2


def relay_news(images: list[dict[str, Any]], seconds_left: SecondsLeft) -> list[str]:
    """Publish and act on new entries. Returns the records that had to be parked."""
    return [image["pk"] for image in images if not _try(image, seconds_left)]


def relay_one(image: dict[str, Any], seconds_left: SecondsLeft) -> None:
    """One entry; raises what stops it."""
    entry = Entry.model_validate(image)
    events = record_events(str(image["pk"]), str(image["sk"]), entry)
    error = put_events(events)
    if error:
        raise error
    for fact in entry.facts:
        if fact.type in ACTIONS:
            function(ACTIONS[fact.type])(fact.data, seconds_left)


def sweep(seconds_left: SecondsLeft) -> dict[str, int]:
    """Do what is due; one kind that fails does not keep the others from it."""
    report: dict[str, int] = {}
    failed: Exception | None = None
    for name, due in SWEEPS.items():
        try:
            report[name] = function(due)(seconds_left)
        except Exception as error:
            # Raised when the others have had their turn: the function's alarm must hear of it.
            failed = error
    if failed:
        raise failed
    return report


def function(name: str) -> Callable[..., Any]:
    """A function of a flow by its name, "<flow>.<function>"."""
    flow, _, function_name = name.partition(".")
    found: Callable[..., Any] = getattr(import_module(f"oms.flows.{flow}"), function_name)
    return found


def _try(image: dict[str, Any], seconds_left: SecondsLeft) -> bool:
    for attempt in range(_TRIES):
        try:
            relay_one(image, seconds_left)
            return True
        except Exception as error:
            # Whatever it is, it must not stop the other records of the batch; the parked message says what it was.
            if attempt == _TRIES - 1:
                body = {"image": image, "reason": f"{type(error).__name__}: {error}"[:500]}
                client("sqs").send_message(QueueUrl=environment().parked_queue_url, MessageBody=json.dumps(body))
    return False
