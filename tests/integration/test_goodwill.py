"""Goodwill: money back without a return, always by a credit memo, for what has left and is kept; never more than that is worth."""

from __future__ import annotations

import pytest

from oms.payments.funds import Unpaid
from tests.support.orders import a_line, an_order
from tests.support.service import event, law_two, refund, settled, shipped, units
from tests.support.world import JSON, World, order_body


def memo(order: JSON) -> JSON:
    found: JSON = order["credit_memos"][-1]
    return found


def test_it_is_spread_over_the_kept_units_with_their_taxes(world: World) -> None:
    order = world.delivered(order_body())
    path = f"/v1/orders/{order['id']}/refunds"
    quote = world.done("POST", path, {**event("service/goodwill"), "preview": True})
    assert (quote["balances"]["refund_due"], quote["balances"]["tax_amount"], quote["balances"]["delivery_amount"]) == (500, -83, 0)
    answer = world.call("POST", path, {**event("service/goodwill"), "quote_id": quote["quote_id"]})
    assert (answer.body["change"]["kind"], answer.body["change"]["stage"]) == ("goodwill", "post_fulfillment")
    done = settled(world, order, answer)
    assert {row["line_id"]: row["total_amount"] for row in memo(done)["lines"]} == {"1": 414, "2": 86}
    assert (memo(done)["tax_amount"], world.gateway.moved("refund"), done["status"]) == (83, [500], "completed")
    law_two(done)


def test_without_an_amount_it_is_all_that_they_are_still_worth(world: World) -> None:
    order = world.delivered(an_order(a_line(quantity=3, unit_price=1525)))
    first = settled(world, order, refund(world, order, amount=1000))
    done = settled(world, first, refund(world, order))
    assert (world.gateway.moved("refund"), done["totals"]["grand_total"], done["payment_status"]) == ([1000, 3575], 0, "refunded")
    law_two(done)


@pytest.mark.parametrize(("amount", "status"), [(4576, 409), (0, 422), (-1, 422), ("1000", 422), (10.5, 422)])
def test_nothing_less_than_a_cent_nor_more_than_they_are_worth(world: World, amount: object, status: int) -> None:
    """D04."""
    order = world.delivered(an_order(a_line(quantity=3, unit_price=1525)))
    refused = refund(world, order, amount=amount)
    assert (refused.status, refused.pointers) == (status, {"/amount"})
    assert (world.order(order["id"])["changes"], world.gateway.moved("refund")) == ([], [])


def test_what_is_not_invoiced_yet_is_given_nothing_for(world: World) -> None:
    """D04: the payment is pending."""
    order = world.allocated(order_body())
    assert refund(world, order, amount=1000).status == 409
    world.ship_all(order)
    assert refund(world, order, amount=1000).status == 409
    assert refund(world, order, amount=100, lines=["1"]).pointers == {"/lines/0"}


def test_lines_may_be_named_each_with_an_amount_of_its_own(world: World) -> None:
    order = world.delivered(order_body())
    done = settled(world, order, refund(world, order, lines=["2"], amount=100))
    assert {row["line_id"]: row["total_amount"] for row in memo(done)["lines"]} == {"2": 100}
    done = settled(world, order, refund(world, order, lines=[{"line_id": "1", "amount": 300}, "2"]))
    assert {row["line_id"]: row["total_amount"] for row in memo(done)["lines"]} == {"1": 300, "2": 400}
    law_two(done)


def test_amounts_that_do_not_add_up_are_refused(world: World) -> None:
    order = world.delivered(order_body())
    one = {"line_id": "1", "amount": 300}
    assert refund(world, order, lines=[one], amount=400).pointers == {"/amount"}
    assert refund(world, order, lines=[one, "2"], amount=200).pointers == {"/amount"}
    assert refund(world, order, lines=[one, "2"], amount=900).pointers == {"/amount"}, "line 2 is worth 500"
    assert refund(world, order, lines=[{"line_id": "1", "amount": 2401}]).pointers == {"/lines/0/amount"}
    assert refund(world, order, lines=["1", one]).pointers == {"/lines/1/line_id"}
    assert refund(world, order, lines=["9"]).pointers == {"/lines/0"}
    assert world.order(order["id"])["changes"] == []


def test_what_goods_became_dearer_and_nobody_paid_is_not_given_back_but_not_owed_any_more(world: World) -> None:
    order = world.delivered(an_order(a_line(), token="tok_reauthorization_decline"))
    dearer = {"lines": [{"line_id": "1", "type": "amount_with_tax", "amount": 120, "reason": "gift wrap"}]}
    change = world.done("POST", f"/v1/orders/{order['id']}/adjustments", dearer)["change"]
    with pytest.raises(Unpaid):
        world.step("settle", "Settle", order["id"], change_id=change["id"])
    assert refund(world, order, preview=True).body["balances"]["refund_due"] == 2000
    done = settled(world, order, refund(world, order))
    assert (world.gateway.moved("refund"), done["money_owed"], done["totals"]["grand_total"]) == ([2000], "none", 0)
    assert refund(world, order, amount=1).status == 409, "nothing is left that money could be given back for"


def test_units_that_come_back_are_given_nothing_for(world: World) -> None:
    order = world.delivered(order_body())
    world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": [units("1", 2), units("2", 1)]})
    refused = refund(world, order)
    assert (refused.status, refused.body["type"]) == (409, "urn:oms:problem:not-refundable")


def test_a_unit_that_comes_back_after_goodwill_is_worth_what_is_left(world: World) -> None:
    order = world.delivered(order_body(quantities={"A": 2}))
    settled(world, order, refund(world, order, amount=401))
    ret = world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": [units("1", 2)]})["id"]
    world.done("POST", f"/v1/returns/{ret}/approve")
    world.done("POST", f"/v1/returns/{ret}/receive", {"lines": [{"line_id": "1", "quantity": 2}]})
    world.step("return_order", "Return", order["id"], return_id=ret)
    assert world.gateway.moved("refund") == [401, 1999]
    law_two(world.order(order["id"]))


def test_it_may_go_into_store_credit(world: World) -> None:
    order = world.delivered(order_body())
    body = event("service/goodwill_as_store_credit")
    answer = world.call("POST", f"/v1/orders/{order['id']}/refunds", body)
    assert (answer.body["change"]["into"], answer.body["change"]["note"]) == ("store_credit", "asked for a voucher")
    done = settled(world, order, answer)
    assert {row["line_id"]: row["total_amount"] for row in memo(done)["lines"]} == {"1": 300, "2": 100}
    assert (world.gateway.moved("refund"), memo(done)["into"], done["payment"]["refunded"]) == ([], "store_credit", 400)
    law_two(done)


def test_what_is_owed_by_terms_is_lowered_first(world: World) -> None:
    body = an_order(a_line(), payments=[{"method": "terms", "gateway": "terms", "amount": 2000, "terms": {"net_days": 30}}])
    order = shipped(world, body)
    done = settled(world, order, refund(world, order, amount=300))
    assert (memo(done)["offsets"][0]["amount"], done["invoices"][0]["open_amount"], world.gateway.moved("refund")) == (300, 1700, [])


def test_the_same_key_twice_gives_once(world: World) -> None:
    order = world.delivered(order_body())
    path, key = f"/v1/orders/{order['id']}/refunds", {"Idempotency-Key": "once"}
    answers = [world.call("POST", path, event("service/goodwill"), headers=key) for _ in range(2)]
    assert answers[0].body["change"]["id"] == answers[1].body["change"]["id"]
    settled(world, order, answers[0])
    assert (len(world.order(order["id"])["changes"]), world.gateway.moved("refund")) == (1, [500])


def test_two_agents_at_once_the_second_is_told_how_it_stands(world: World) -> None:
    order = world.delivered(order_body())
    quotes = [refund(world, order, preview=True).body["quote_id"] for _ in range(2)]
    assert refund(world, order, quote_id=quotes[0]).status == 200
    late = refund(world, order, quote_id=quotes[1])
    assert (late.status, late.body["type"]) == (412, "urn:oms:problem:stale-quote")


def test_it_stands_on_the_goodwill_account_of_the_books(world: World) -> None:
    order = world.delivered(order_body())
    settled(world, order, refund(world, order, amount=500))
    world.keep_books()
    entries = world.done("GET", "/v1/journal", query={"date": world.order(order["id"])["updated_at"][:10]})["data"]
    booked = {line["account"]: line["amount"] for entry in entries if "credit_memo.created" in entry["facts"] for line in entry["lines"]}
    assert booked["goodwill"] == 417


def test_above_an_agents_limit_it_waits_for_approval(world: World) -> None:
    order = world.delivered(order_body())
    world.done("PUT", "/v1/roles/junior", {"clients": ["shop"], "limits": {"EUR": {"goodwill": 499}}})
    asked = refund(world, order, amount=500)
    assert (asked.status, asked.body["order"]["totals"]) == (202, order["totals"])
    done = settled(world, order, world.call("POST", f"/v1/approvals/{asked.body['change']['id']}/approve", {}, who="boss"))
    assert world.gateway.moved("refund") == [500]
    law_two(done)


def test_a_reason_is_asked_for_and_comes_from_the_catalogue(world: World) -> None:
    order = world.delivered(order_body())
    assert refund(world, order, reason="").pointers == {"/reason"}
    world.done("PUT", "/v1/reasons/sorry", {"actions": ["refund"]})
    assert refund(world, order).pointers == {"/reason"}
    assert refund(world, order, reason="sorry", amount=1).status == 200
