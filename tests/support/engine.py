"""Orders on the embedded engine: brought to some point by the API only, told by their histories, and proved to add up."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from infra.local import life
from infra.local.client import Answer, Api
from infra.local.sample import sample_order
from infra.local.stack import Stack
from oms.clock import stamp

JSON = dict[str, Any]
UNIT, DELIVERY = 1000, 490
"""What a unit and a delivery cost, in cents."""
VAT = [{"name": "VAT", "rate": "20"}]


def stocked(api: Api, units: int = 20) -> str:
    """A SKU of nobody else's: so many units of it in Berlin."""
    sku = f"E-{uuid.uuid4().hex[:8]}"
    api.put(f"/v1/inventory/{sku}/berlin", {"on_hand": units})
    return sku


def card(amount: int, token: str = "tok_approve") -> JSON:
    """A card of the sandbox."""
    return {"method": "card", "gateway": "sandbox", "token": token, "amount": amount}


def an_order(sku: str, units: int = 2, **more: Any) -> JSON:
    """So many units at 10.00 with tax, delivered for 4.90, on one card."""
    body = sample_order(f"E2E-{uuid.uuid4().hex[:10]}")
    body["lines"] = [{"id": "1", "sku": sku, "quantity": units, "unit_price": UNIT, "delivery_group": "g1", "taxes": VAT}]
    return {**body, "payments": [card(UNIT * units + DELIVERY)], **more}


def released(api: Api, order_id: str) -> Any:
    """The order, as soon as all its open work is with its locations."""
    done = ("rejected", "cancelled", "shipped", "delivered")
    return life.wait(
        api,
        order_id,
        "its work",
        lambda seen: bool(seen["fulfillment_orders"]) and all(fo["status"] in ("released", *done) for fo in seen["fulfillment_orders"]),
    )


def placed(api: Api, body: JSON) -> Any:
    """The order, as soon as its work is released."""
    return released(api, api.post("/v1/orders", body)["id"])


def send(api: Api, order_id: str) -> Any:
    """Ship everything that is released: the order, once exactly this is invoiced."""
    order = released(api, order_id)
    for work in order["fulfillment_orders"]:
        if work["status"] == "released":
            life.ship(api, work)
    return life.wait(
        api,
        order_id,
        "its invoices",
        lambda seen: len(seen["invoices"]) >= len([each for each in seen["shipments"] if not each.get("replaces")]),
    )


def arrive(stack: Stack, api: Api, order_id: str, until: str = "completed") -> Any:
    """Everything that is on its way arrives: the order, once it is completed."""
    life.deliver(stack, api, api.get(f"/v1/orders/{order_id}"))
    return life.wait(api, order_id, f"the status {until}", lambda seen: seen["status"] == until)


def delivered(stack: Stack, api: Api, body: JSON) -> Any:
    """The order, once everything of it has arrived and is paid."""
    order = api.post("/v1/orders", body)
    send(api, order["id"])
    return arrive(stack, api, order["id"])


def news(stack: Stack, api: Api, tracking_number: str, status: str) -> Any:
    """A carrier reports on a parcel, signed."""
    about = {"tracking_number": tracking_number, "status": status, "occurred_at": stamp()}
    secret = stack.webhook_secret("carriers/sandbox")
    return api.webhook("/v1/webhooks/carriers/sandbox", {"type": "tracking.updated", "data": about}, secret)


def quoted(api: Api, path: str, body: JSON) -> tuple[Any, Any]:
    """Preview something and submit it with its quote: the balances, and the answer."""
    preview = api.post(path, {**body, "preview": True})
    return preview["balances"], api.post(path, {**body, "quote_id": preview["quote_id"]})


def refused(api: Api, path: str, body: Any) -> Answer:
    """The answer to something that is not done."""
    answer = api.call("POST", path, body)
    assert not answer.ok, answer.body
    return answer


def receive(api: Api, return_id: str, *lines: JSON) -> Any:
    """A box arrives; what nobody has approved yet is approved first."""
    if api.get(f"/v1/returns/{return_id}")["status"] == "requested":
        api.post(f"/v1/returns/{return_id}/approve")
    return api.post(f"/v1/returns/{return_id}/receive", {"lines": list(lines)})


def settled(api: Api, order_id: str, return_id: str) -> Any:
    """The order, once a return of it is settled."""
    return life.wait(api, order_id, "the settlement", lambda seen: _of(seen["returns"], return_id)["status"] == "settled")


def changed(api: Api, order_id: str, change_id: str, status: str = "done") -> Any:
    """The order, once a change of it is done."""
    return life.wait(api, order_id, f"{change_id}: {status}", lambda seen: _of(seen["changes"], change_id)["status"] == status)


def _of(rows: list[JSON], record_id: str) -> JSON:
    return next(each for each in rows if each["id"] == record_id)


def until(api: Api, order_id: str, what: str, holds: Callable[[Any], bool], seconds: float = 30) -> Any:
    """The order as soon as `holds` for it, though it may have exceptions."""
    end = time.monotonic() + seconds
    while not holds(seen := api.get(f"/v1/orders/{order_id}")):
        assert time.monotonic() < end, f"no {what} after {seconds} seconds"
        time.sleep(0.2)
    return seen


def told(stack: Stack, api: Api, order_id: str, record_id: str) -> list[str]:
    """The states that a record's executions went through, as the console shows them, once all of the order's have SUCCEEDED."""
    life.ended(api, order_id)
    names = []
    for execution in api.get(f"/v1/orders/{order_id}")["executions"]:
        if execution["name"].removesuffix(f"-{execution['run']}") == record_id:
            before = str(execution["arn"]).removesuffix(f"-{execution['run']}")
            runs = [before, *(f"{before}-{run}" for run in range(2, execution["run"] + 1))]
            names += [name for arn in runs for name in _entered(stack, arn)]
    return names


def _entered(stack: Stack, arn: str) -> list[str]:
    events = stack.aws.states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]


def steps(names: list[str]) -> list[str]:
    """Without the router between them."""
    return [name for name in names if name != "Next"]


def adds_up(order: JSON) -> None:
    """Nothing is owed: what was taken and kept is what was invoiced and not credited."""
    money = order["payment"]
    assert order["money_owed"] == "none"
    assert money["captured"] - money["refunded"] == money["invoiced"] - money["credited"], money
    assert sum(memo["total_amount"] for memo in order["credit_memos"]) == money["credited"]
    if order["status"] == "completed":
        assert money["captured"] - money["refunded"] == order["totals"]["grand_total"]
        cards = [row for row in order["payments"] if row["method"] == "card"]
        assert all(row["authorized"] == row["captured"] + row["voided"] for row in cards), "an authorization is still open"
