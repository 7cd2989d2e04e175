"""The whole life of one sample order, played through the HTTP API only: as the shop, the warehouse, the carrier and a service agent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from infra.local import report
from infra.local.client import Api
from infra.local.console import Console
from infra.local.sample import sample_order
from infra.local.stack import Stack
from infra.local.trouble import Trouble
from oms.clock import stamp

_PATIENCE_SECONDS = 60.0


def live(stack: Stack, console: Console) -> str:
    """Play it and print its timeline: the order's id. Trouble as soon as a step goes wrong."""
    console.say("\nThe life of a sample order")
    api = stack.api()
    try:
        with console.step("shop: places an order of two lines"):
            order = api.post("/v1/orders", sample_order(f"SAMPLE-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"))
        with console.step("Allocate: releases work to a warehouse"):
            order = wait(api, order["id"], "its fulfillment orders to be released", _released)
        with console.step("warehouse: accepts, picks, packs, ships"):
            for work in order["fulfillment_orders"]:
                ship(api, work)
        with console.step("Capture payment: takes exactly what shipped"):
            order = wait(api, order["id"], "the payment to be captured", lambda seen: seen["payment"]["captured"] == paid_for(seen))
        with console.step("carrier: reports the delivery, signed"):
            deliver(stack, api, order)
            order = wait(api, order["id"], "the order to be completed", lambda seen: seen["status"] == "completed")
        with console.step("agent: takes one unit back, refunds it"):
            return_one(api, order)
            order = wait(api, order["id"], "the refund", lambda seen: seen["payment"]["refunded"] > 0)
        with console.step("Step Functions: every execution ends"):
            ended(api, order["id"])
        report.timeline(api, order["id"], console)
    finally:
        api.close()
    order_id: str = order["id"]
    return order_id


def ship(api: Api, work: dict[str, Any]) -> None:
    """Do a fulfillment order's work in one parcel, as its warehouse would."""
    path = f"/v1/fulfillment-orders/{work['id']}"
    for action in ("accept", "pick", "pack"):
        api.post(f"{path}/{action}")
    lines = [{"line_id": line["line_id"], "quantity": line["quantity"]} for line in work["lines"]]
    parcel = {"reference": "parcel-1", "carrier": "standard", "tracking_number": f"TRK-{work['id']}", "lines": lines}
    api.post(f"{path}/ship", {"packages": [parcel]})


def deliver(stack: Stack, api: Api, order: dict[str, Any]) -> None:
    """Report every shipment as delivered, as the carrier would, by signed webhook."""
    for shipment in order["shipments"]:
        event = {"tracking_number": shipment["tracking_number"], "carrier": "standard", "status": "delivered", "occurred_at": stamp()}
        secret = stack.webhook_secret("carriers/standard")
        api.webhook("/v1/webhooks/carriers/standard", {"type": "tracking.updated", "data": event}, secret)


def return_one(api: Api, order: dict[str, Any]) -> str:
    """Request the return of one unit of the first line, approve and receive it: the return's id, once it is settled."""
    line = order["lines"][0]["id"]
    wanted = {"line_id": line, "quantity": 1, "reason": "changed_mind", "resolution": "refund"}
    api.post(f"/v1/orders/{order['id']}/returns", {"lines": [wanted]})
    return_id: str = api.get(f"/v1/orders/{order['id']}")["returns"][-1]["id"]
    api.post(f"/v1/returns/{return_id}/approve")
    api.post(f"/v1/returns/{return_id}/receive", {"lines": [{"line_id": line, "quantity": 1, "condition": "resellable"}]})
    _until(lambda: api.get(f"/v1/returns/{return_id}"), "the return to be settled", lambda seen: seen["status"] == "settled")
    return return_id


def ended(api: Api, order_id: str) -> None:
    """Wait until none of the order's executions runs any more; Trouble if one did not succeed."""
    done = wait(
        api, order_id, "its executions to end", lambda seen: all(execution["status"] != "RUNNING" for execution in seen["executions"])
    )
    for execution in done["executions"]:
        if execution["status"] != "SUCCEEDED":
            raise Trouble(f"The {execution['machine']} execution {execution['name']} is {execution['status']}. See: oms open {order_id}")


def wait(api: Api, order_id: str, what: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The order as soon as `until` holds for it; Trouble after a minute, or at once if the order needs somebody."""
    return _until(lambda: api.get(f"/v1/orders/{order_id}"), what, until)


def paid_for(order: dict[str, Any]) -> int:
    """What the order is worth, in minor units."""
    total: int = order["totals"]["grand_total"]
    return total


def _released(order: dict[str, Any]) -> bool:
    work = order["fulfillment_orders"]
    return bool(work) and all(one["status"] == "released" for one in work)


def _until(fetch: Callable[[], dict[str, Any]], what: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    began = time.monotonic()
    for pause in _pauses():
        seen = fetch()
        if until(seen):
            return seen
        problems = [problem for problem in seen.get("exceptions", []) if problem.get("status") == "open"]
        if problems:
            raise Trouble(f"While waiting for {what}: {problems[0].get('step')}: {problems[0].get('cause')}. {problems[0].get('hint', '')}")
        if time.monotonic() - began > _PATIENCE_SECONDS:
            raise Trouble(f"Waited a minute in vain for {what} ({seen['id']} is {seen['status']}). See: oms open, oms logs")
        time.sleep(pause)
    raise AssertionError("pauses never end")


def _pauses() -> Iterator[float]:
    pause = 0.05
    while True:
        yield pause
        pause = min(pause * 1.3, 0.5)
