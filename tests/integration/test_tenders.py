"""Several tenders on an order, through the whole of capture, shipment and return; and what was authorized or captured elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import JSON, World, order_body

GIVEN = {"reference": "auth-77", "amount": 3500}


def elsewhere(number: str = "W-1", *, gateway: str = "sandbox", **given: Any) -> JSON:
    """An order of 35.00 EUR whose card was authorized or captured by the storefront itself."""
    return order_body(number, payments=[{"method": "card", "gateway": gateway, "amount": 3500, **given}])


def by_hand(world: World, **given: Any) -> Any:
    return world.place(order_body(payments=[{"method": "bank_transfer", "amount": 3500, **given}]))


def test_what_was_authorized_elsewhere_is_captured_here(world: World) -> None:
    order = world.delivered(elsewhere(authorization=GIVEN))
    [payment] = order["payments"]
    assert (payment["status"], payment["captured"], order["payment"]["invoiced"]) == ("captured", 3500, 3500)
    assert (world.gateway.moved("authorize"), world.gateway.moved("capture")) == ([], [3500])
    assert [event["of"] for event in payment["events"] if event["kind"] == "capture"] == ["auth-77"]


def test_what_was_captured_elsewhere_pays_the_invoice_without_asking(world: World) -> None:
    order = world.delivered(elsewhere(capture={"reference": "cap-1", "amount": 3500}))
    assert world.gateway.calls == {}
    [invoice] = order["invoices"]
    assert (invoice["applied"], invoice["captures"]) == ([{"payment_id": order["payments"][0]["id"], "amount": 3500}], [])
    assert (order["payment_status"], order["money_owed"], order["status"]) == ("captured", "none", "completed")


def test_what_was_made_elsewhere_is_an_event_of_the_order(world: World) -> None:
    order = world.place(elsewhere(authorization=GIVEN, capture={"reference": "cap-1", "amount": 1000}))
    told = [(name, data["amount"], data.get("reason")) for name, data in world.facts(order["id"]) if name.startswith("payment.")]
    assert told == [("payment.authorized", 3500, "made elsewhere"), ("payment.captured", 1000, "made elsewhere")]
    assert order["payment_status"] == "partially_captured"


def test_a_repeated_submit_takes_nothing_over_twice(world: World) -> None:
    body = elsewhere(capture={"reference": "cap-1", "amount": 3500})
    first, again = world.place(body), world.call("POST", "/v1/orders", body)
    assert (again.body["id"], again.body["payment"]["captured"]) == (first["id"], 3500)


def test_other_content_elsewhere_is_another_order(world: World) -> None:
    world.place(elsewhere(authorization=GIVEN))
    assert world.call("POST", "/v1/orders", elsewhere(authorization={**GIVEN, "reference": "auth-78"})).status == 409


def test_a_tender_that_makes_no_sense_changes_nothing(world: World) -> None:
    before = world.items()
    answer = world.call("POST", "/v1/orders", elsewhere(token="tok_approve", authorization=GIVEN))
    assert (answer.status, answer.pointers) == (422, {"/payments/0/token"})
    assert world.call("POST", "/v1/orders", elsewhere(gateway="acme", authorization=GIVEN)).pointers == {"/payments/0/gateway"}
    assert world.items() == before


def test_a_method_known_only_by_name_is_paid_when_somebody_says_so(world: World) -> None:
    order = by_hand(world, capture={"reference": "statement 7", "amount": 3500})
    assert (order["payments"][0]["gateway"], order["payment_status"], order["money_owed"]) == ("manual", "captured", "none")


def test_a_method_known_only_by_name_is_paid_back_by_hand(world: World) -> None:
    body = order_body(payments=[{"method": "bank_transfer", "amount": 3500, "capture": {"reference": "statement 7", "amount": 3500}}])
    order = world.delivered(body)
    ret = world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "2", "quantity": 1, "reason": "broken"}]})
    world.done("POST", f"/v1/returns/{ret['id']}/approve")
    world.done("POST", f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "2", "quantity": 1}]})
    with pytest.raises(Exception, match="pay it back by hand"):
        world.step("return_order", "Return", order["id"], return_id=ret["id"])
    assert world.order(order["id"])["payment"]["refunded"] == 0


def test_a_decline_gives_back_what_was_authorized_elsewhere(world: World) -> None:
    body = elsewhere(authorization=GIVEN)
    body["payments"][0]["amount"] = 3000
    body["payments"].append({"method": "card", "token": "tok_decline", "amount": 500})
    order = world.place(body, status=402)
    assert [payment["status"] for payment in order["payments"]] == ["voided", "failed"]
    assert (world.gateway.moved("void"), world.figures("A")) == ([3500], (10, 0))


def test_the_channel_says_which_method_pays_first(world: World) -> None:
    world.done("PUT", "/v1/channels/web", {"tender_order": ["voucher", "card"]})
    card = {"method": "card", "token": "tok_approve", "amount": 3000}
    voucher = {"method": "voucher", "amount": 500, "capture": {"reference": "v-1", "amount": 500}}
    order = world.place(order_body(payments=[card, voucher]))
    assert [payment["method"] for payment in order["payments"]] == ["voucher", "card"]


def test_a_declined_order_is_taken_with_what_was_captured_elsewhere(world: World) -> None:
    order = world.place(order_body(token="tok_decline"), status=402)
    tender = {"method": "bank_transfer", "amount": 3500, "capture": {"reference": "statement 8", "amount": 3500}}
    answer = world.call("POST", f"/v1/orders/{order['id']}/payments", tender)
    assert (answer.status, answer.body["status"], answer.body["payment_status"]) == (201, "open", "captured")
