"""Service on real parts, IAM enforced: what agents change is previewed, done, and told by the machines' histories."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from infra.local import life
from infra.local.client import Api
from infra.local.sample import sample_order
from infra.local.stack import Stack


@pytest.fixture
def sku(api: Api) -> str:
    """A SKU of this test's own, twenty in Berlin."""
    name = f"S-{uuid.uuid4().hex[:8]}"
    api.put(f"/v1/inventory/{name}/berlin", {"on_hand": 20})
    return name


def placed(api: Api, sku: str, units: int) -> Any:
    """So many units at 10.00, on one card; delivery is 4.90. As soon as its work is released."""
    body = sample_order(f"E2E-{uuid.uuid4().hex[:10]}")
    body["lines"] = [{"id": "1", "sku": sku, "quantity": units, "unit_price": 1000, "delivery_group": "g1"}]
    charge = body["delivery_groups"][0]["charge"]["amount"]
    body["payments"] = [{"method": "card", "gateway": "sandbox", "token": "tok_approve", "amount": 1000 * units + charge}]
    order = api.post("/v1/orders", body)
    return life.wait(api, order["id"], "work", lambda seen: bool(seen["fulfillment_orders"]))


def states(stack: Stack, order: Any, machine: str) -> list[str]:
    """The states that the order's executions of a machine went through, as the console shows them."""
    names = []
    for execution in order["executions"]:
        if execution["machine"] == machine:
            events = stack.aws.client("stepfunctions").get_execution_history(executionArn=execution["arn"], maxResults=1000)["events"]
            names += [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
    return names


def test_units_of_released_work_are_asked_back_cancelled_and_voided(api: Api, stack: Stack, sku: str) -> None:
    order = placed(api, sku, 3)
    path = f"/v1/orders/{order['id']}/cancellations"
    body = {"lines": [{"line_id": "1", "quantity": 2}], "reason": "changed_mind", "reduce_shipping": False}
    preview = api.post(path, {**body, "preview": True})
    assert preview["balances"]["grand_total"] == -2000
    change = api.post(path, {**body, "quote_id": preview["quote_id"]})["change"]
    assert change["status"] == "pending"
    fo = order["fulfillment_orders"][0]["id"]
    api.post(f"/v1/fulfillment-orders/{fo}/cancel-response", {"change_id": change["id"], "lines": [{"line_id": "1", "quantity": 2}]})
    order = life.wait(api, order["id"], "the void", lambda seen: seen["changes"][0]["status"] == "done")
    assert (order["payment"]["voided"], order["lines"][0]["quantities"]["cancelled"]) == (2000, 2)
    assert states(stack, order, "change") == ["Settle", "Next", "Settled"]
    life.ship(api, {**order["fulfillment_orders"][0], "lines": [{"line_id": "1", "quantity": 1}]})
    order = life.wait(api, order["id"], "the capture", lambda seen: seen["payment"]["captured"] > 0)
    assert order["payment"]["captured"] == order["totals"]["grand_total"]


def test_an_order_is_cancelled_whole_and_its_machines_come_to_an_end(api: Api, stack: Stack, sku: str) -> None:
    order = placed(api, sku, 2)
    change = api.post(f"/v1/orders/{order['id']}/cancellations", {"all": True, "reason": "changed_mind"})["change"]
    fo = order["fulfillment_orders"][0]["id"]
    api.post(f"/v1/fulfillment-orders/{fo}/cancel-response", {"change_id": change["id"], "lines": [{"line_id": "1", "quantity": 2}]})
    order = life.wait(api, order["id"], "the end", lambda seen: seen["status"] == "cancelled")
    assert (order["payment_status"], order["money_owed"], order["fulfillment_orders"][0]["status"]) == ("voided", "none", "cancelled")
    life.ended(api, order["id"])
    assert states(stack, order, "fulfillment")[-1] == "Cancelled"


def test_a_discount_after_shipping_is_credited_and_paid_back_and_an_upcharge_collected(api: Api, stack: Stack, sku: str) -> None:
    order = placed(api, sku, 2)
    life.ship(api, order["fulfillment_orders"][0])
    order = life.wait(api, order["id"], "the invoice", lambda seen: bool(seen["invoices"]))
    path = f"/v1/orders/{order['id']}/adjustments"
    whole = order["totals"]["grand_total"]
    api.post(path, {"lines": [{"line_id": "1", "type": "amount_with_tax", "amount": -500, "reason": "late"}]})
    order = life.wait(api, order["id"], "the refund", lambda seen: seen["payment"]["refunded"] == 500)
    api.post(path, {"lines": [{"line_id": "1", "type": "amount_with_tax", "amount": 200, "reason": "engraving"}]})
    order = life.wait(api, order["id"], "the collection", lambda seen: seen["payment"]["captured"] == whole + 200)
    assert order["totals"]["grand_total"] == whole - 300
    assert [memo["total_amount"] for memo in order["credit_memos"]] == [500]
    life.deliver(stack, api, order)
    life.ended(api, order["id"])


def test_an_edit_adds_a_line_that_ships_and_is_paid(api: Api, stack: Stack, sku: str) -> None:
    order = placed(api, sku, 1)
    line = {"id": "2", "sku": sku, "quantity": 2, "unit_price": 300, "delivery_group": "g1"}
    api.post(f"/v1/orders/{order['id']}/edits", {"operations": [{"op": "add_line", "line": line}]})
    order = life.wait(api, order["id"], "more work", lambda seen: len(seen["fulfillment_orders"]) == 2)
    order = life.wait(api, order["id"], "its release", lambda seen: all(fo["status"] == "released" for fo in seen["fulfillment_orders"]))
    for work in order["fulfillment_orders"]:
        life.ship(api, work)
    order = life.wait(api, order["id"], "both captures", lambda seen: seen["payment"]["captured"] == seen["totals"]["grand_total"])
    assert len(order["invoices"]) == 2
