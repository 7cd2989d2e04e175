"""Who may exchange what: limits and approvals, reasons, return rules, guests, business customers on terms."""

from __future__ import annotations

from typing import Any

from tests.integration.test_exchanges import ask, exchanged, go_on, law, new_line, send
from tests.support.orders import a_card
from tests.support.world import JSON, World, order_body


def test_above_an_agents_limit_it_waits_and_is_then_made_as_it_was_seen(world: World) -> None:
    world.done("PUT", "/v1/roles/junior", {"clients": ["shop"], "limits": {"EUR": {"refund": 500}}})
    world.done("PUT", "/v1/roles/senior", {"clients": ["senior"], "limits": {"EUR": {"refund": 5000}}})
    old = world.delivered(order_body())
    card = ask(world, old["id"], {"1": 2}, new_line("B", 1, 500), payments=[a_card(1)])
    assert card.status == 422, "nothing is to be paid"
    waits = ask(world, old["id"], {"1": 2}, new_line("B", 1, 500))
    assert (waits.status, waits.body["change"]["status"], waits.body["order"]["exchanges"]) == (202, "pending_approval", [])
    assert world.figures("B")[1] == 0
    done = world.done("POST", f"/v1/approvals/{waits.body['change']['id']}/approve", {}, who="senior")
    assert done["change"]["id"] == waits.body["change"]["id"]
    assert (done["order"]["exchanges"][0]["new_order_number"], world.figures("B")[1]) == ("W-1-E1", 1)


def test_a_payment_token_is_not_kept_for_an_approval(world: World) -> None:
    world.done("PUT", "/v1/roles/junior", {"clients": ["shop"], "limits": {"EUR": {"refund": 500}}})
    old = world.delivered(order_body())
    answer = ask(world, old["id"], {"1": 2}, new_line("B", 1, 500), advance=True, payments=[a_card(500)])
    assert (answer.status, answer.body["type"]) == (409, "urn:oms:problem:needs-approval")


def test_reasons_are_those_for_exchanges_where_there_are_any_else_those_for_returns(world: World) -> None:
    old = world.delivered(order_body())
    world.done("PUT", "/v1/reasons/broken", {"actions": ["return"]})
    wrong = ask(world, old["id"], {"1": 1}, new_line("A", 1))
    assert (wrong.status, wrong.pointers) == (422, {"/return_lines/0/reason"})
    world.done("PUT", "/v1/reasons/size", {"name": "too small", "actions": ["exchange"]})
    body: JSON = {"return_lines": [{"line_id": "1", "quantity": 1, "reason": "size"}], "new_lines": [new_line("A", 1)]}
    assert world.call("POST", f"/v1/orders/{old['id']}/exchanges", body).status == 200


def test_return_rules_hold_and_an_agent_may_override_them_with_a_reason(world: World) -> None:
    body = order_body()
    body["lines"][0]["product"] = {"final_sale": True}
    old = world.delivered(body)
    refused = ask(world, old["id"], {"2": 1, "1": 1}, new_line("B", 1))
    assert (refused.status, refused.body["type"], refused.pointers) == (409, "urn:oms:problem:not-returnable", {"/return_lines/1"})
    assert ask(world, old["id"], {"1": 1}, new_line("A", 1), override={"reason": "gesture"}).status == 200


def test_a_guest_exchanges_by_the_link_of_the_order(world: World) -> None:
    old = world.delivered(order_body())
    token = world.order(old["id"])["tracking_page_url"].rpartition("/")[2]
    body: JSON = {"return_lines": [{"line_id": "1", "quantity": 1}], "new_lines": [{"sku": "A", "quantity": 1}]}
    path = f"/v1/track/{token}/exchanges"
    seen = world.call("POST", path, {**body, "preview": True}).body
    assert (seen["balances"]["amount_due"], seen["new_order"]["lines"][0]["sku"]) == (0, "A")
    done = world.call("POST", path, {**body, "quote_id": seen["quote_id"]})
    assert (done.status, done.body["change"]["new_order_number"]) == (200, "W-1-E1")
    assert [row["status"] for row in world.order(old["id"])["exchanges"]] == ["pending"]


def test_a_gift_card_is_not_exchanged(world: World) -> None:
    body = order_body()
    body["lines"][1]["product"] = {"gift_card": True}
    refused = ask(world, world.delivered(body)["id"], {"2": 1}, new_line("A", 1))
    assert (refused.status, refused.pointers) == (409, {"/return_lines/0/line_id"})


def test_faults_are_named_where_they_are_in_the_request(world: World) -> None:
    old = world.delivered(order_body())
    cases: list[tuple[dict[str, int], JSON, JSON, set[str]]] = [
        ({"1": 1, "9": 1}, new_line("A", 1), {}, {"/return_lines/1/line_id"}),
        ({"1": 3}, new_line("A", 1), {}, {"/return_lines/0/quantity"}),
        ({"1": 1}, new_line("A", 1, 1, adjustments=[{"amount": -2}]), {}, {"/new_lines/0/adjustments"}),
        ({"1": 1}, new_line("A", 1), {"delivery_group": "g9"}, {"/delivery_group"}),
        ({"1": 1}, new_line("A", 1, 5000), {"payments": [{"method": "card", "amount": 3800}]}, {"/payments/0/token"}),
        ({"1": 1}, new_line("A", 1, 5000), {"payments": [{"method": "exchange", "amount": 3800}]}, {"/payments/0/method"}),
    ]
    before = world.items()
    for back, line, more, pointers in cases:
        answer = ask(world, old["id"], back, line, **more)
        assert (answer.status in (409, 422), pointers <= answer.pointers) == (True, True), answer
    assert world.items() == before


def on_terms(**more: Any) -> JSON:
    body = order_body(business_model="b2b", payments=[{"method": "terms"}], **more)
    body["customer"] = {"id": "c-1", "name": "Acme", "account_id": "acme"}
    return body


def exposure(world: World) -> int:
    rows = world.done("GET", "/v1/accounts/acme/credit")["data"]
    return int(rows[0]["exposure"])


def test_on_terms_both_orders_change_what_the_account_owes_in_one_write(world: World) -> None:
    world.done("PUT", "/v1/accounts/acme", {"credit_limit": 5000, "net_days": 14})
    old = world.place(on_terms())
    refused = ask(world, old["id"], {"1": 2}, new_line("B", 3, 500))
    assert (refused.status, refused.pointers) == (422, {"/payments"})
    _, new = exchanged(world, old["id"], {"1": 2}, new_line("B", 3, 500), payments=[{"method": "terms"}])
    assert (exposure(world), new["payments"][0]["amount"]) == (3500 - 2400 + 1500, 1500)


def test_goods_that_are_not_paid_yet_lower_what_is_owed_and_bring_nothing(world: World) -> None:
    world.done("PUT", "/v1/accounts/acme", {"credit_limit": 50000, "net_days": 14})
    old = world.delivered(on_terms())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1), payments=[{"method": "terms"}])
    assert (about["balance"], [row["method"] for row in new["payments"]]) == (A_PRICE, ["terms"])
    world.step("capture", "Capture", new["id"])
    world.done("POST", f"/v1/returns/{about['return_id']}/approve")
    world.done("POST", f"/v1/returns/{about['return_id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    world.step("return_order", "Return", old["id"], return_id=about["return_id"])
    go_on(world, old["id"])
    old, new = world.order(old["id"]), send(world, new["id"])
    assert (old["exchanges"][0]["status"], old["credit_memos"][0]["offsets"][0]["amount"]) == ("done", A_PRICE)
    law(old, receivable=3500 - A_PRICE)
    law(new, receivable=A_PRICE)


A_PRICE = 1200


def test_what_the_return_costs_is_taken_off_what_the_old_goods_bring(world: World) -> None:
    rule = {"fees": [{"code": "restocking", "amount": 200, "taxes": [{"name": "VAT", "rate": "20"}]}], "approval": "automatic"}
    world.done("PUT", "/v1/return-rules/usual", rule)
    old = world.delivered(order_body())
    seen = ask(world, old["id"], {"1": 1}, new_line("A", 1), preview=True).body["balances"]
    assert (seen["fee_amount"], seen["grand_total"], seen["amount_due"], seen["refund_due"]) == (200, 200, 200, 0)
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1))
    assert [(row["method"], row["amount"]) for row in new["payments"]] == [("exchange", 1000), ("card", 200)]
    world.step("capture", "Capture", new["id"])
    world.done("POST", f"/v1/returns/{about['return_id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    world.step("return_order", "Return", old["id"], return_id=about["return_id"])
    go_on(world, old["id"])
    old, new = world.order(old["id"]), send(world, new["id"])
    assert (old["payment"]["refunded"], old["payment"]["invoiced"], new["payment"]["captured"]) == (1000, 3700, 1200)
    assert (old["exchanges"][0]["status"], new["money_owed"], world.gateway.moved("refund")) == ("done", "none", [])
    law(old)
    law(new)
