"""A place of its own for the replay, with enough in stock for what the orders ask for."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from infra.local.client import Api
from infra.local.console import Console
from infra.local.replay.mapping import CHANNEL, Sale
from infra.local.trouble import Trouble

LOCATION = "replay"
_BATCH = 50  # records in one call: well within the 30 seconds that the API has for it


def open_location(api: Api) -> None:
    """The location, and the channel that sells from it alone."""
    location = {"name": "Replay warehouse", "type": "warehouse", "groups": [LOCATION], "time_zone": "Europe/London", "enabled": True}
    api.put(f"/v1/locations/{LOCATION}", location)
    api.put(f"/v1/channels/{CHANNEL}", {"location_group": LOCATION})


def supplies(sales: Iterable[Sale]) -> Iterator[dict[str, Any]]:
    """Stock records that add what all the orders ask for together.

    A record's id is made of its SKU and the orders it is for, so that a second replay of the same orders adds nothing.
    """
    wanted: dict[str, dict[str, int]] = {}
    for sale in sales:
        for sku, quantity in sale.demand.items():
            wanted.setdefault(sku, {})[sale.body["order_number"]] = quantity
    for sku, orders in wanted.items():
        digest = hashlib.sha256(f"{sku}\n{orders}".encode()).hexdigest()[:32]
        yield {"record_id": f"replay-{digest}", "sku": sku, "location_id": LOCATION, "delta": sum(orders.values())}


def counts(sales: Iterable[Sale], on_hand: int) -> Iterator[dict[str, Any]]:
    """Stock records that set `on_hand` units of each SKU that is asked for, each time anew."""
    for sku in dict.fromkeys(sku for sale in sales for sku in sale.demand):
        yield {"record_id": f"replay-{uuid.uuid4().hex}", "sku": sku, "location_id": LOCATION, "on_hand": on_hand}


def load(api: Api, records: Sequence[dict[str, Any]], console: Console) -> None:
    """Send the records; Trouble naming the first that is refused."""
    for start in range(0, len(records), _BATCH):
        batch = records[start : start + _BATCH]
        for answer in api.post("/v1/inventory/batch", {"records": batch})["data"]:
            if answer["status"] == "refused":
                sku = next(record["sku"] for record in batch if record["record_id"] == answer["record_id"])
                raise Trouble(f"The API refused the stock of {sku}: {answer.get('detail')}")
        console.progress(f"{start + len(batch)} of {len(records)} SKUs")
