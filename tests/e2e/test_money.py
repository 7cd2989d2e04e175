"""Money on real parts, IAM enforced: several tenders, terms, what was captured before, documents with numbers, a journal that balances."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from infra.local import life
from infra.local.client import Api
from infra.local.sample import sample_order
from infra.local.stack import Stack


@pytest.fixture
def sku(api: Api) -> str:
    """A SKU of this test's own, twenty in Berlin."""
    name = f"M-{uuid.uuid4().hex[:8]}"
    api.put(f"/v1/inventory/{name}/berlin", {"on_hand": 20})
    return name


def an_order(sku: str, units: int, *payments: dict[str, Any], **more: Any) -> dict[str, Any]:
    """So many units at 5.10; delivery is 4.90."""
    body = sample_order(f"E2E-{uuid.uuid4().hex[:10]}")
    body["lines"] = [{"id": "1", "sku": sku, "quantity": units, "unit_price": 510, "delivery_group": "g1"}]
    return {**body, "payments": list(payments), **more}


def card(amount: int, **more: Any) -> dict[str, Any]:
    return {"method": "card", "gateway": "sandbox", "token": "tok_approve", "amount": amount, **more}


def until(fetch: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := fetch()):
        assert time.monotonic() < end, f"no {what} after {seconds} seconds"
        time.sleep(0.3)
    return found


def shipped(api: Api, order_id: str, units: int) -> Any:
    order = life.wait(api, order_id, "work", lambda seen: bool(seen["fulfillment_orders"]))
    fo = order["fulfillment_orders"][0]["id"]
    number = f"T-{uuid.uuid4().hex[:8]}"
    api.post(
        f"/v1/fulfillment-orders/{fo}/ship", {"packages": [{"tracking_number": number, "lines": [{"line_id": "1", "quantity": units}]}]}
    )
    return life.wait(api, order_id, "an invoice", lambda seen: bool(seen["invoices"]))


def tender(order: Any, method: str) -> Any:
    return next(payment for payment in order["payments"] if payment["method"] == method)


def journal(api: Api, order_id: str) -> list[Any]:
    today = time.strftime("%Y-%m-%d", time.gmtime())
    lines: list[Any] = []
    cursor = ""
    while True:
        page = api.get(f"/v1/journal?date={today}&limit=100" + (f"&cursor={cursor}" if cursor else ""))
        lines += [line for line in page["data"] if line["order_id"] == order_id]
        cursor = page.get("next_cursor")
        if not cursor:
            return lines


def test_a_gift_card_pays_first_and_the_card_the_rest_and_the_books_balance(api: Api, sku: str) -> None:
    account = f"GC-{uuid.uuid4().hex[:8]}"
    api.put(f"/v1/credit-accounts/{account}", {"kind": "gift_card", "currency": "EUR", "balance": 1000})
    gift = {"method": "gift_card", "account_id": account, "amount": 1000}
    order = shipped(api, api.post("/v1/orders", an_order(sku, 2, card(510), gift))["id"], 2)
    assert (tender(order, "gift_card")["captured"], tender(order, "card")["captured"]) == (1000, 510)
    assert api.get(f"/v1/credit-accounts/{account}")["balance"] == 0
    invoice = until(lambda: (found := api.get(f"/v1/invoices/{order['invoices'][0]['id']}"))["number"] and found, "number")
    assert (invoice["total_amount"], invoice["open_amount"]) == (1510, 0)
    assert sum(row["amount"] for row in invoice["tax_summary"]) == invoice["tax_amount"]
    entries = until(lambda: journal(api, order["id"]), "journal")
    assert sum(line["amount"] for entry in entries for line in entry["lines"]) == 0


def test_terms_are_owed_after_the_invoice_and_paid_once(api: Api, sku: str) -> None:
    terms = {"method": "terms", "terms": {"net_days": 14}, "amount": 1510}
    order = shipped(api, api.post("/v1/orders", an_order(sku, 2, terms))["id"], 2)
    assert (order["money_owed"], order["invoices"][0]["open_amount"]) == ("balance_due", 1510)
    path = f"/v1/invoices/{order['invoices'][0]['id']}/payments"
    for _ in range(2):
        api.post(path, {"amount": 1510, "reference": "BANK-1"})
    order = api.get(f"/v1/orders/{order['id']}")
    assert (order["money_owed"], order["payment"]["captured"], order["invoices"][0]["open_amount"]) == ("none", 1510, 0)


def test_money_taken_before_goes_back_when_nobody_can_serve_the_order(api: Api, stack: Stack, sku: str) -> None:
    channel = f"ch{uuid.uuid4().hex[:6]}"
    api.put(f"/v1/channels/{channel}", {"location_group": "all", "on_unfillable": "cancel_and_refund"})
    taken = card(1510, capture={"reference": f"pos-{uuid.uuid4().hex[:8]}", "amount": 1510})
    taken.pop("token")
    placed = api.post("/v1/orders", an_order(sku, 2, taken, channel=channel))
    assert (placed["payment"]["captured"], placed["payment_status"]) == (1510, "captured")
    order = life.wait(api, placed["id"], "work", lambda seen: bool(seen["fulfillment_orders"]))
    api.post(f"/v1/fulfillment-orders/{order['fulfillment_orders'][0]['id']}/reject", {"reason": "flood"})
    order = life.wait(api, placed["id"], "the refund", lambda seen: seen["status"] == "cancelled")
    assert (order["payment"]["refunded"], order["money_owed"], order["changes"][0]["status"]) == (1510, "none", "done")
    life.ended(api, order["id"])
    assert "change" in {each["machine"] for each in order["executions"]}
