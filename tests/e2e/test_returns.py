"""Returns on real parts, IAM enforced: with a label and the carrier's news, in parts, for money, for store credit, for the same again."""

from __future__ import annotations

import pytest

from infra.local import life
from infra.local.client import Api
from infra.local.stack import Stack
from tests.support import engine
from tests.support.engine import DELIVERY, JSON, UNIT, an_order


@pytest.fixture
def sku(api: Api) -> str:
    """Twenty units of this test's own."""
    return engine.stocked(api)


def back(quantity: int = 1, **more: object) -> JSON:
    """Units that the customer sends back."""
    return {"line_id": "1", "quantity": quantity, "reason": "changed_mind", **more}


def box(quantity: int = 1, condition: str = "resellable") -> JSON:
    """Units that the warehouse finds in a box."""
    return {"line_id": "1", "quantity": quantity, "condition": condition}


def on_hand(api: Api, sku: str) -> int:
    """How many lie in Berlin."""
    count: int = api.get(f"/v1/inventory/{sku}/berlin")["on_hand"]
    return count


def test_with_a_label_in_two_boxes_one_unit_damaged_and_a_fee(api: Api, stack: Stack, sku: str) -> None:
    order = engine.delivered(stack, api, an_order(sku, 3))
    wanted = {"lines": [back(2)], "label": True, "fees": [{"code": "restocking", "percent": "10"}]}
    balances, ret = engine.quoted(api, f"/v1/orders/{order['id']}/returns", wanted)
    assert (balances["product_amount"], balances["fee_amount"], balances["refund_due"]) == (-2 * UNIT, 200, 2 * UNIT - 200)
    api.post(f"/v1/returns/{ret['id']}/approve")
    order = life.wait(api, order["id"], "the label", lambda seen: seen["returns"][0]["labels"][0]["status"] == "bought")
    engine.news(stack, api, order["returns"][0]["labels"][0]["tracking_number"], "in_transit")
    assert api.get(f"/v1/returns/{ret['id']}")["status"] == "in_transit"
    assert engine.receive(api, ret["id"], box(condition="damaged"))["status"] == "partially_received"
    life.wait(api, order["id"], "the first memo", lambda seen: len(seen["credit_memos"]) == 1)
    engine.receive(api, ret["id"], box())
    order = engine.settled(api, order["id"], ret["id"])
    assert (order["payment"]["refunded"], order["status"], order["return_status"]) == (2 * UNIT - 200, "completed", "partially_returned")
    assert order["totals"]["grand_total"] == UNIT + DELIVERY + 200
    assert on_hand(api, sku) == 20 - 3 + 1, "the damaged one is not for sale"
    engine.adds_up(order)
    assert engine.steps(engine.told(stack, api, order["id"], ret["id"])) == [
        *("Approve", "Buy label", "Wait for goods", "Return"),
        *("Wait for goods", "Return", "Settled"),
    ]


def test_for_store_credit_that_pays_the_next_order(api: Api, stack: Stack, sku: str) -> None:
    order = engine.delivered(stack, api, an_order(sku, 2))
    ret = api.post(f"/v1/orders/{order['id']}/returns", {"lines": [back(resolution="store_credit")]})
    engine.receive(api, ret["id"], box())
    order = engine.settled(api, order["id"], ret["id"])
    engine.adds_up(order)
    account = order["credit_memos"][0]["refunds"][0]["into"]
    before = api.get(f"/v1/credit-accounts/{account}")
    assert (before["kind"], before["customer_id"], before["balance"] >= UNIT) == ("store_credit", order["customer"]["id"], True)
    credit = {"method": "store_credit", "account_id": account, "amount": UNIT}
    following = engine.delivered(stack, api, an_order(sku, 1, payments=[credit, engine.card(DELIVERY)]))
    assert {row["method"]: row["captured"] for row in following["payments"]} == {"store_credit": UNIT, "card": DELIVERY}
    assert api.get(f"/v1/credit-accounts/{account}")["balance"] == before["balance"] - UNIT
    engine.adds_up(following)


def test_for_the_same_again_which_ships_for_nothing(api: Api, stack: Stack, sku: str) -> None:
    order = engine.delivered(stack, api, an_order(sku, 2))
    ret = api.post(f"/v1/orders/{order['id']}/returns", {"lines": [back(resolution="replace")]})
    engine.receive(api, ret["id"], box(condition="damaged"))
    order = engine.settled(api, order["id"], ret["id"])
    assert (order["status"], order["payment"]["refunded"], order["lines"][0]["quantities"]["reshipped"]) == ("open", 0, 1)
    again = order["fulfillment_orders"][1]
    life.ship(api, engine.released(api, order["id"])["fulfillment_orders"][1])
    order = engine.arrive(stack, api, order["id"])
    assert (order["lines"][0]["quantities"]["available_to_return"], len(order["invoices"]), on_hand(api, sku)) == (2, 1, 17)
    engine.adds_up(order)
    assert engine.steps(engine.told(stack, api, order["id"], again["id"]))[0] == "Ship"


def test_at_once_over_the_counter(api: Api, stack: Stack, sku: str) -> None:
    order = engine.delivered(stack, api, an_order(sku, 2))
    wanted = {"lines": [back(2)], "mode": "immediate", "reduce_shipping": True, "location_id": "lyon"}
    balances, ret = engine.quoted(api, f"/v1/orders/{order['id']}/returns", wanted)
    assert balances["refund_due"] == 2 * UNIT + DELIVERY
    order = engine.settled(api, order["id"], ret["id"])
    assert (order["payment_status"], order["return_status"], order["totals"]["grand_total"]) == ("refunded", "returned", 0)
    assert api.get(f"/v1/inventory/{sku}/lyon")["on_hand"] == 2
    engine.adds_up(order)
    assert engine.steps(engine.told(stack, api, order["id"], ret["id"])) == ["Approve", "Wait for goods", "Return", "Settled"]


def test_rejected_and_asked_for_again(api: Api, stack: Stack, sku: str) -> None:
    order = engine.delivered(stack, api, an_order(sku, 1))
    first = api.post(f"/v1/orders/{order['id']}/returns", {"lines": [back()]})
    api.post(f"/v1/returns/{first['id']}/reject", {"reason": "worn"})
    assert engine.steps(engine.told(stack, api, order["id"], first["id"])) == ["Approve", "Rejected"]
    second = api.post(f"/v1/orders/{order['id']}/returns", {"lines": [back()]})
    engine.receive(api, second["id"], box())
    order = engine.settled(api, order["id"], second["id"])
    assert [ret["status"] for ret in order["returns"]] == ["rejected", "settled"]
    engine.adds_up(order)
