"""Adjustments after the sale, before, in and after fulfillment: exact per tax, each stage its own change, paid back or collected."""

from __future__ import annotations

import pytest

from tests.support.orders import a_line, an_order
from tests.support.service import adjust, law_two, off, settled, shipped
from tests.support.world import JSON, World, order_body


def test_before_fulfillment_a_discount_lowers_what_will_be_invoiced(world: World) -> None:
    placed = world.place(order_body())
    order = settled(world, placed, adjust(world, placed["id"], off("1", -600)))
    assert [change["stage"] for change in order["changes"]] == ["pre_fulfillment"]
    assert (order["totals"]["adjustment_amount"], order["totals"]["grand_total"], order["totals"]["tax_amount"]) == (-600, 2900, 483)
    assert order["payment"]["voided"] == 600
    assert world.step("allocate", "Allocate", placed["id"]) == {"next": "allocated"}
    world.ship_all(world.order(placed["id"]))
    fo = world.order(placed["id"])["fulfillment_orders"][0]
    world.step("capture_payment", "Capture payment", placed["id"], fulfillment_order_id=fo["id"])
    law_two(world.order(placed["id"]))


def test_units_with_a_location_are_adjusted_only_where_that_is_asked_for(world: World) -> None:
    order = world.allocated(order_body())
    refused = adjust(world, order["id"], off("1", -600))
    assert (refused.status, refused.body["type"]) == (409, "urn:oms:problem:in-fulfillment")
    done = settled(world, order, adjust(world, order["id"], off("1", -600), in_fulfillment="include"))
    assert [change["stage"] for change in done["changes"]] == ["in_fulfillment"]
    assert done["totals"]["grand_total"] == 2900


def test_after_it_has_left_a_credit_memo_gives_the_money_back(world: World) -> None:
    order = shipped(world, order_body())
    preview = adjust(world, order["id"], off("1", -600), preview=True).body
    assert (preview["balances"]["refund_due"], preview["balances"]["tax_amount"]) == (600, -100)
    assert preview["balances"]["refunds"] == [{"payment_id": order["payments"][0]["id"], "amount": 600}]
    done = settled(world, order, adjust(world, order["id"], off("1", -600), quote_id=preview["quote_id"]))
    memo = done["credit_memos"][0]
    assert (memo["total_amount"], memo["tax_amount"], memo["change_id"]) == (600, 100, done["changes"][0]["id"])
    assert world.gateway.moved("refund") == [600]
    law_two(done)


def test_a_parcel_that_is_not_invoiced_yet_is_invoiced_as_it_left_and_then_credited(world: World) -> None:
    order = world.allocated(order_body())
    world.ship_all(order)
    change = adjust(world, order["id"], off("1", -600)).body["change"]
    waits = world.step("settle", "Settle", order["id"], change_id=change["id"])
    assert waits["next"] == "later_settle"
    world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=order["fulfillment_orders"][0]["id"])
    assert world.step("settle", "Settle", order["id"], change_id=change["id"])["next"] == "settled"
    done = world.order(order["id"])
    assert (done["payment"]["invoiced"], done["payment"]["credited"]) == (3500, 600)
    law_two(done)


def test_an_upcharge_after_shipping_is_invoiced_and_collected_on_the_card(world: World) -> None:
    order = shipped(world, order_body())
    preview = adjust(world, order["id"], off("1", 120), preview=True).body["balances"]
    assert (preview["amount_due"], preview["refund_due"], preview["grand_total"], preview["tax_amount"]) == (120, 0, 120, 20)
    done = settled(world, order, adjust(world, order["id"], off("1", 120)))
    assert (done["payment"]["captured"], done["invoices"][1]["total_amount"], done["money_owed"]) == (3620, 120, "none")
    law_two(done)


def test_each_stage_is_its_own_change_and_the_amount_falls_on_all_units_by_what_they_are_worth(world: World) -> None:
    world.stock("A", "berlin", 1)
    world.stock("A", "lyon", 0)
    placed = world.place(an_order(a_line("1", "A", 3, 1000, backorder="allow")))
    assert world.step("allocate", "Allocate", placed["id"]) == {"next": "wait_for_stock"}
    order = world.order(placed["id"])
    world.ship_all(order)
    world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=order["fulfillment_orders"][0]["id"])
    done = settled(world, order, adjust(world, order["id"], off("1", -100)))
    assert sorted(change["stage"] for change in done["changes"]) == ["post_fulfillment", "pre_fulfillment"]
    assert (done["credit_memos"][0]["total_amount"], done["totals"]["grand_total"]) == (34, 2900)


def test_percentages_and_amounts_without_tax_keep_every_tax(world: World) -> None:
    order = shipped(world, an_order(a_line("1", "A", 1, 10000, "10", "5"), tax_mode="net"))
    assert order["totals"]["grand_total"] == 11500
    ten = {"line_id": "1", "type": "percentage", "percent": "-10", "reason": "scratched"}
    done = settled(world, order, adjust(world, order["id"], ten))
    assert [row["amount"] for row in done["lines"][0]["amounts"]["taxes"]] == [900, 450]
    assert (done["credit_memos"][0]["net_amount"], done["credit_memos"][0]["tax_amount"]) == (1000, 150)
    again = settled(world, order, adjust(world, order["id"], off("1", -900, "amount_without_tax")))
    assert [row["amount"] for row in again["lines"][0]["amounts"]["taxes"]] == [810, 405]
    law_two(again)


def test_the_whole_value_leaves_exactly_zero_and_more_is_refused(world: World) -> None:
    order = shipped(world, an_order(a_line("1", "A", 3, 333, "7", own=-1), tax_mode="net"))
    whole = order["totals"]["grand_total"]
    assert adjust(world, order["id"], off("1", -whole - 1)).status == 422
    settled(world, order, adjust(world, order["id"], off("1", -100)))
    done = settled(world, order, adjust(world, order["id"], off("1", 100 - whole)))
    assert (done["totals"]["grand_total"], done["totals"]["tax_amount"], done["payment"]["refunded"]) == (0, 0, whole)
    assert adjust(world, order["id"], off("1", -1)).status == 422


def test_the_delivery_charge_can_be_adjusted_too(world: World) -> None:
    order = shipped(world, order_body())
    row = {"delivery_group": "g1", "type": "amount_with_tax", "amount": -300, "reason": "late"}
    done = settled(world, order, adjust(world, order["id"], row))
    assert (done["totals"]["delivery_amount"], done["totals"]["product_amount"], done["payment"]["refunded"]) == (300, 2900, 300)
    shown = world.done("GET", f"/v1/credit-memos/{done['credit_memos'][0]['id']}")
    assert [(line["kind"], line["total_amount"]) for line in shown["lines"]] == [("delivery", 300)]
    law_two(done)


def test_a_unit_that_comes_back_after_a_discount_pays_what_is_left_of_it(world: World) -> None:
    order = world.delivered(order_body(quantities={"A": 2}))
    settled(world, order, adjust(world, order["id"], off("1", -601)))
    ret = world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": 2}]})
    world.done("POST", f"/v1/returns/{ret['id']}/approve")
    world.done("POST", f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "1", "quantity": 2}]})
    world.step("return_order", "Return", order["id"], return_id=ret["id"])
    done = world.order(order["id"])
    assert [memo["total_amount"] for memo in done["credit_memos"]] in ([601, 1799], [1799, 601])
    law_two(done)


@pytest.mark.parametrize(
    "row",
    [
        {"line_id": "1", "type": "percentage", "amount": -5},
        {"line_id": "1", "delivery_group": "g1", "type": "percentage", "percent": "-5"},
        {"type": "amount_with_tax", "amount": -5},
        {"line_id": "1", "type": "amount_with_tax", "amount": 0},
        {"line_id": "9", "type": "amount_with_tax", "amount": -5},
        {"delivery_group": "g9", "type": "amount_with_tax", "amount": -5},
        {"line_id": "1", "type": "percentage", "percent": "-101"},
        {"line_id": "1", "type": "amount_with_tax", "amount": -999999},
    ],
)
def test_nonsense_is_refused_with_its_pointer_and_changes_nothing(world: World, row: JSON) -> None:
    placed = world.place(order_body())
    answer = adjust(world, placed["id"], row)
    assert answer.status == 422
    assert all(pointer.startswith("/lines/0") for pointer in answer.pointers)
    assert world.order(placed["id"])["version"] == placed["version"]
