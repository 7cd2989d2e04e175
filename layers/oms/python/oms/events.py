"""Events: each fact of the timeline as the world outside gets it."""

from __future__ import annotations

import json
from typing import Any

from oms.ids import part_id
from oms.orders.order import Order
from oms.orders.records import Entry

MOST_BYTES = 100_000
"""What an event on the bus may be; the timeline has it whole."""


def slim(event: dict[str, Any]) -> dict[str, Any]:
    """An event as the bus takes it: one that is too large keeps its ids and figures, and of its lists how long they are."""
    if len(json.dumps(event["data"])) <= MOST_BYTES:
        return event
    counts = {name: len(value) for name, value in event["data"].items() if isinstance(value, list | dict)}
    return {**event, "data": {**{name: value for name, value in event["data"].items() if name not in counts}, "cut": counts}}


def events_of(order: Order, entry: Entry) -> list[dict[str, Any]]:
    """An entry's facts as events: one each, numbered without gaps, with ids and figures only."""
    return [
        {
            "id": part_id("evt", order.id, entry.sequence + index),
            "sequence": entry.sequence + index,
            "type": fact.type,
            "at": entry.at,
            "actor": entry.actor,
            "cause": entry.cause,
            "order_id": order.id,
            "order_number": order.placed.order_number,
            "channel": order.placed.channel,
            "data": fact.data,
        }
        for index, fact in enumerate(entry.facts)
    ]


def record_events(record_id: str, sk: str, entry: Entry) -> list[dict[str, Any]]:
    """Facts of a record that is no order (a SKU, a reservation, a load) as events. The id follows from where the entry lies."""
    name = sk.removeprefix("timeline#")
    return [
        {
            "id": f"evt_{record_id}_{name}_{index}",
            "type": fact.type,
            "at": entry.at,
            "actor": entry.actor,
            "cause": entry.cause,
            "record_id": record_id,
            "data": fact.data,
        }
        for index, fact in enumerate(entry.facts)
    ]
