"""What a customer owes after the sale and does not pay is on record as an invoice with something open: whatever is credited next comes off
it first, and nothing is paid back that never came in."""

from __future__ import annotations

import pytest

from oms.payments.funds import Unpaid
from oms.service.closing import HeldForCapture
from tests.support.orders import a_card
from tests.support.service import adjust, law_two, off, refund, shipped
from tests.support.world import JSON, World, order_body

NOBODY = "tok_reauthorization_decline"
"""A card that pays what the order cost, and nothing more."""


def upcharge(world: World, order: JSON, amount: int = 120) -> str:
    """Raise the price of a line that has left; its card does not pay for that. Returns the change."""
    change_id: str = adjust(world, order["id"], off("1", amount)).body["change"]["id"]
    with pytest.raises(Unpaid):
        world.step("settle", "Settle", order["id"], change_id=change_id)
    return change_id


def settle(world: World, order: JSON, change_id: str) -> JSON:
    assert world.step("settle", "Settle", order["id"], change_id=change_id)["next"] == "settled"
    after: JSON = world.order(order["id"])
    return after


def paying(world: World, order: JSON) -> str:
    """The change that brings another tender, and is not done yet."""
    pending = [change for change in world.order(order["id"])["changes"] if (change["kind"], change["status"]) == ("payment", "pending")]
    return str(pending[0]["id"])


def changes(order: JSON) -> dict[str, str]:
    return {change["id"]: change["status"] for change in order["changes"]}


def test_an_upcharge_that_nobody_pays_is_invoiced_and_owed(world: World) -> None:
    order = shipped(world, order_body(token=NOBODY))
    change_id = upcharge(world, order)
    order = world.order(order["id"])
    assert (order["money_owed"], order["payment"]["balance_due"], changes(order)) == ("balance_due", 120, {change_id: "pending"})
    assert [(invoice["total_amount"], invoice["open_amount"]) for invoice in order["invoices"]] == [(3500, 0), (120, 120)]
    with pytest.raises(Unpaid):
        world.step("settle", "Settle", order["id"], change_id=change_id)
    assert len(world.order(order["id"])["invoices"]) == 2


def test_another_card_pays_it(world: World) -> None:
    order = shipped(world, order_body(token=NOBODY))
    change_id = upcharge(world, order)
    world.done("POST", f"/v1/orders/{order['id']}/payments", {**a_card(120), "id": "again"})
    settle(world, order, paying(world, order))
    done = settle(world, order, change_id)
    assert set(changes(done).values()) == {"done"}
    assert done["payment"]["captured"] == 3620
    law_two(done)


def test_a_transfer_pays_it(world: World) -> None:
    order = shipped(world, order_body(token=NOBODY))
    change_id = upcharge(world, order)
    invoice = world.order(order["id"])["invoices"][1]
    world.done("POST", f"/v1/invoices/{invoice['id']}/payments", {"amount": 120, "reference": "T-1", "method": "bank_transfer"})
    law_two(settle(world, order, change_id))


def test_what_is_being_collected_is_neither_noted_as_received_nor_credited_before_it_is_decided(world: World) -> None:
    order = shipped(world, order_body(token=NOBODY))
    change_id = upcharge(world, order)
    world.done("POST", f"/v1/orders/{order['id']}/payments", {**a_card(120, "tok_async_capture"), "id": "again"})
    paid = paying(world, order)
    assert world.step("settle", "Settle", order["id"], change_id=paid)["next"] == "later_settle"
    invoice = world.order(order["id"])["invoices"][1]
    refused = world.call("POST", f"/v1/invoices/{invoice['id']}/payments", {"amount": 120, "reference": "T-1"})
    assert (refused.status, refused.pointers) == (422, {"/amount"})
    discount = adjust(world, order["id"], off("1", -120)).body["change"]["id"]
    assert world.step("settle", "Settle", order["id"], change_id=discount)["next"] == "later_settle"
    world.advance(minutes=2)
    for each in (paid, change_id, discount):
        done = settle(world, order, each)
    assert (done["payment"]["captured"], done["payment"]["refunded"]) == (3620, 120)
    law_two(done)


def test_a_discount_comes_off_it_and_gives_no_money_back(world: World) -> None:
    order = shipped(world, order_body(token=NOBODY))
    change_id = upcharge(world, order)
    preview = adjust(world, order["id"], off("1", -120), preview=True).body["balances"]
    assert (preview["refund_due"], preview["refunds"]) == (0, [])
    discount = adjust(world, order["id"], off("1", -120)).body["change"]["id"]
    settle(world, order, discount)
    done = settle(world, order, change_id)
    assert [(memo["total_amount"], memo["offsets"]) for memo in done["credit_memos"]] == [
        (120, [{"invoice_id": done["invoices"][1]["id"], "amount": 120}])
    ]
    assert (done["payment"]["refunded"], done["money_owed"], set(changes(done).values())) == (0, "none", {"done"})
    law_two(done)


def test_more_than_was_paid_can_be_taken_off(world: World) -> None:
    """All of it: what was paid goes back, what was not is not owed any more."""
    order = shipped(world, order_body(token=NOBODY))
    change_id = upcharge(world, order, 5000)
    discount = adjust(world, order["id"], off("1", -7400)).body["change"]["id"]
    settle(world, order, discount)
    done = settle(world, order, change_id)
    assert (done["payment"]["refunded"], done["money_owed"], done["totals"]["grand_total"]) == (2400, "none", 1100)
    law_two(done)


def test_a_discount_waits_for_an_upcharge_that_is_still_being_collected(world: World) -> None:
    order = shipped(world, order_body())
    raised = adjust(world, order["id"], off("1", 120)).body["change"]["id"]
    lowered = adjust(world, order["id"], off("1", -100)).body["change"]["id"]
    waits = world.step("settle", "Settle", order["id"], change_id=lowered)
    assert (waits["next"], waits["seconds"]) == ("later_settle", 15)
    settle(world, order, raised)
    done = settle(world, order, lowered)
    assert (done["payment"]["captured"], done["payment"]["refunded"]) == (3620, 100)
    law_two(done)


def test_what_a_change_credits_comes_off_what_it_adds_though_nobody_pays_that(world: World) -> None:
    order = shipped(world, order_body(token=NOBODY))
    change_id = adjust(world, order["id"], off("1", 1000), off("2", -400)).body["change"]["id"]
    with pytest.raises(Unpaid):
        world.step("settle", "Settle", order["id"], change_id=change_id)
    invoice = world.order(order["id"])["invoices"][1]
    assert (invoice["total_amount"], invoice["open_amount"], world.gateway.moved("refund")) == (1000, 600, [])
    world.done("POST", f"/v1/invoices/{invoice['id']}/payments", {"amount": 600, "reference": "T-1"})
    law_two(settle(world, order, change_id))


def test_terms_owe_it_from_then_on(world: World) -> None:
    world.done("PUT", "/v1/accounts/acc-1", {"credit_limit": 100000, "net_days": 14})
    order = shipped(world, order_body(token=NOBODY, customer={"id": "c-1", "email": "a@example.com", "account_id": "acc-1"}))
    change_id = upcharge(world, order)
    tender = {"method": "terms", "amount": 120, "terms": {"net_days": 14}}
    world.done("POST", f"/v1/orders/{order['id']}/payments", tender)
    settle(world, order, paying(world, order))
    done = settle(world, order, change_id)
    (terms,) = [payment["id"] for payment in done["payments"] if payment["method"] == "terms"]
    assert [(row["payment_id"], row["amount"]) for row in done["invoices"][1]["receivables"]] == [(terms, 120)]


def test_of_a_smaller_tender_the_rest_stays_owed_and_no_other_card_is_in_its_way(world: World) -> None:
    order = shipped(world, order_body(token=NOBODY))
    change_id = upcharge(world, order, 500)
    world.done("POST", f"/v1/orders/{order['id']}/payments", a_card(200))
    settle(world, order, paying(world, order))
    assert world.order(order["id"])["invoices"][1]["open_amount"] == 300
    world.done("POST", f"/v1/orders/{order['id']}/payments", a_card(300))
    settle(world, order, paying(world, order))
    law_two(settle(world, order, change_id))


def test_a_tender_that_is_declined_when_it_is_to_pay_is_owed_too(world: World) -> None:
    order = shipped(world, order_body(token=NOBODY))
    upcharge(world, order)
    world.done("POST", f"/v1/orders/{order['id']}/payments", a_card(120, "tok_capture_decline"))
    with pytest.raises(Unpaid, match=r"1\.20 EUR"):
        world.step("settle", "Settle", order["id"], change_id=paying(world, order))


def test_while_the_order_is_held_for_capture_nothing_is_collected(world: World) -> None:
    order = shipped(world, order_body(token=NOBODY))
    change_id = upcharge(world, order)
    hold = world.done("POST", f"/v1/orders/{order['id']}/holds", {"kind": "fraud", "reason": "looked at", "blocks": ["capture"]})
    world.done("POST", f"/v1/orders/{order['id']}/payments", a_card(120))
    with pytest.raises(HeldForCapture):
        world.step("settle", "Settle", order["id"], change_id=paying(world, order))
    assert world.gateway.moved("capture") == [3500]
    assert world.call("DELETE", f"/v1/orders/{order['id']}/holds/{hold['holds'][-1]['id']}").status == 200
    settle(world, order, paying(world, order))
    law_two(settle(world, order, change_id))


def test_goods_that_come_back_pay_no_more_than_was_paid_for_them(world: World) -> None:
    order = world.delivered(order_body(token=NOBODY))
    change_id = upcharge(world, order)
    body = {"lines": [{"line_id": "1", "quantity": 2}], "mode": "immediate"}
    ret = world.done("POST", f"/v1/orders/{order['id']}/returns", body)
    world.step("return_order", "Return", order["id"], return_id=ret["id"])
    done = settle(world, order, change_id)
    assert [memo["total_amount"] for memo in done["credit_memos"]] == [2520]
    assert (done["payment"]["refunded"], done["money_owed"]) == (2400, "none")
    law_two(done)


def test_goods_of_a_parcel_that_is_not_invoiced_yet_pay_nothing_until_it_is(world: World) -> None:
    order = world.allocated(order_body())
    for number in world.ship_all(order):
        world.carrier(number, "delivered")
    body = {"lines": [{"line_id": "1", "quantity": 2}], "mode": "immediate"}
    ret = world.done("POST", f"/v1/orders/{order['id']}/returns", body)
    assert world.step("return_order", "Return", order["id"], return_id=ret["id"])["next"] == "later_return"
    assert not world.gateway.moved("refund")
    world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=order["fulfillment_orders"][0]["id"])
    world.step("return_order", "Return", order["id"], return_id=ret["id"])
    assert world.gateway.moved("refund") == [2400]


def test_goodwill_comes_off_it_too(world: World) -> None:
    order = shipped(world, order_body(token=NOBODY))
    change_id = upcharge(world, order)
    gift = refund(world, order, amount=120, lines=["1"]).body["change"]["id"]
    settle(world, order, gift)
    law_two(settle(world, order, change_id))
