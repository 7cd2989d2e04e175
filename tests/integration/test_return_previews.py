"""Previews of returns keep their word; goods that are handed over at once; limits; what is paid when a step dies half-way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import JSON, Answer, Call, Killed, World, order_body

RULE = {"approval": "automatic", "fees": [{"code": "restocking", "percent": "10"}]}


@pytest.fixture
def order(world: World) -> Any:
    """Two A and one B, delivered, with a restocking fee of a tenth."""
    world.done("PUT", "/v1/return-rules/std", RULE)
    return world.delivered(order_body())


def ask(world: World, order: Any, quantity: int = 1, *, line: JSON | None = None, who: str = "shop", **more: Any) -> Answer:
    row = {"line_id": "1", "quantity": quantity, **(line or {})}
    return world.call("POST", f"/v1/orders/{order['id']}/returns", {"lines": [row], **more}, who=who)


def settle(world: World, order: Any, ret: Any) -> Any:
    return world.step("return_order", "Return", order["id"], return_id=ret["id"])["next"]


def receive(world: World, ret: Any, quantity: int = 1) -> None:
    world.done("POST", f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "1", "quantity": quantity}]})


def test_a_preview_says_what_comes_of_it_and_writes_nothing(world: World, order: Any) -> None:
    before = world.items()
    seen = ask(world, order, 2, preview=True, reduce_shipping=True)
    assert world.items() == before
    balances = seen.body["balances"]
    assert (seen.status, balances["product_amount"], balances["delivery_amount"], balances["fee_amount"]) == (200, -2400, -497, 240)
    assert (balances["grand_total"], balances["refund_due"], balances["amount_due"]) == (-2657, 2657, 0)
    assert balances["refunds"] == [{"payment_id": order["payments"][0]["id"], "amount": 2657}]
    assert balances["fees"] == [{"code": "restocking", "total_amount": 240}]
    assert [(row["id"], row["status"], row["quantities"]["returned"]) for row in seen.body["lines"]] == [("1", "returned", 2)]


@pytest.mark.parametrize("resolution", ["refund", "store_credit", "replace"])
def test_what_was_quoted_is_what_is_paid(world: World, order: Any, resolution: str) -> None:
    line = {"resolution": resolution}
    seen = ask(world, order, 2, line=line, preview=True).body
    ret = ask(world, order, 2, line=line, quote_id=seen["quote_id"])
    assert (ret.status, ret.body["status"]) == (201, "approved")
    receive(world, ret.body, 2)
    assert settle(world, order, ret.body) == "settled"
    after = world.order(order["id"])
    assert after["payment"]["refunded"] == seen["balances"]["refund_due"] == (0 if resolution == "replace" else 2160)
    assert after["totals"]["grand_total"] - order["totals"]["grand_total"] == seen["balances"]["grand_total"]
    assert [row.get("into", "")[:3] for row in seen["balances"]["refunds"]] == {"refund": [""], "store_credit": ["sto"], "replace": []}[
        resolution
    ]


def test_another_figure_than_the_quotes_is_412_and_changes_nothing(world: World, order: Any) -> None:
    seen = ask(world, order, 2, preview=True).body
    off = {"lines": [{"line_id": "1", "type": "amount_with_tax", "amount": -100, "reason": "late"}]}
    world.done("POST", f"/v1/orders/{order['id']}/adjustments", off)
    before = world.items()
    answer = ask(world, order, 2, quote_id=seen["quote_id"])
    assert (answer.status, answer.body["type"]) == (412, "urn:oms:problem:stale-quote")
    assert answer.body["current"]["balances"]["adjustment_amount"] == 100
    assert ask(world, order, 1, quote_id=seen["quote_id"]).status == 412, "it was for two"
    assert world.items() == before


def test_a_quote_of_goods_that_are_on_their_way_back_by_now_is_412(world: World, order: Any) -> None:
    seen = ask(world, order, 2, preview=True).body
    assert ask(world, order, 1).status == 201
    assert ask(world, order, 2, quote_id=seen["quote_id"]).status == 412


def test_goods_handed_over_are_announced_approved_and_received_in_one_commit(world: World, order: Any) -> None:
    answer = ask(world, order, 2, line={"condition": "damaged"}, mode="immediate", location_id="lyon")
    assert (answer.status, answer.body["status"], answer.body["mode"], answer.body["change"]["status"]) == (
        201,
        "received",
        "immediate",
        "pending",
    )
    assert [kind for kind, _ in world.facts(order["id"])][-3:] == ["return.requested", "return.approved", "return.received"]
    assert settle(world, order, answer.body) == "settled"
    assert (world.gateway.moved("refund"), world.figures("A", "lyon")) == ([2160], (10, 0))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"line": {"condition": "damaged"}}, "/mode"),
        ({"mode": "immediate", "label": True}, "/label"),
        ({"mode": "immediate", "location_id": "atlantis"}, "/location_id"),
        ({"fees": [{"code": "x"}]}, "/fees/0"),
    ],
)
def test_what_makes_no_sense_is_422(world: World, order: Any, body: JSON, pointer: str) -> None:
    before = world.items()
    answer = ask(world, order, **body)
    assert (answer.status, answer.pointers) == (422, {pointer})
    assert world.items() == before


@pytest.mark.parametrize(
    "named", [{"mode": "immediate"}, {"fees": []}, {"location_id": "berlin"}, {"waive_reclaim": True}, {"label": True}]
)
def test_customers_name_none_of_what_the_rules_decide(world: World, order: Any, named: JSON) -> None:
    body = {"lines": [{"line_id": "1", "quantity": 1}], **named}
    path = f"/v1/orders/{order['id']}/returns"
    assert world.call("POST", path, body, scopes=["self"], subject="c-1").status == 403


def test_customers_choose_among_the_resolutions_that_the_rules_offer(world: World) -> None:
    world.done("PUT", "/v1/return-rules/std", {"resolutions": ["store_credit"]})
    path = f"/v1/orders/{world.delivered(order_body())['id']}/returns"
    for resolution, status in (("refund", 409), ("store_credit", 201)):
        body = {"lines": [{"line_id": "1", "quantity": 1, "resolution": resolution}]}
        assert world.call("POST", path, body, scopes=["self"], subject="c-1").status == status
    seen = world.call("POST", path, {"lines": [body["lines"][0]], "preview": True}, scopes=["self"], subject="c-1").body
    assert seen["balances"]["refunds"] == [{"amount": 1200, "into": "store_credit"}]


def test_a_refund_above_an_agents_limit_waits_for_somebody_else(world: World, order: Any) -> None:
    world.done("PUT", "/v1/roles/junior", {"clients": ["junior"], "limits": {"EUR": {"refund": 1000}}})
    world.done("PUT", "/v1/roles/senior", {"clients": ["senior"], "limits": {"EUR": {"refund": 9000}}, "approves": ["junior"]})
    assert ask(world, order, who="junior").status == 201, "nothing is paid before somebody has seen the goods"
    before = world.order(order["id"])
    answer = ask(world, order, mode="immediate", who="junior")
    assert (answer.status, answer.body["change"]["kind"], answer.body["change"]["status"]) == (202, "return", "pending_approval")
    assert len(world.order(order["id"])["returns"]) == 1
    change = answer.body["change"]
    done = world.call("POST", f"/v1/approvals/{change['id']}/approve", {}, who="senior")
    assert (done.status, done.body["change"]["status"]) == (200, "done")
    ret = done.body["order"]["returns"][-1]
    assert (ret["status"], ret["id"]) == ("received", done.body["change"]["return_id"])
    assert settle(world, order, ret) == "settled"
    assert world.order(order["id"])["totals"]["grand_total"] == before["totals"]["grand_total"] - 1080


@pytest.mark.parametrize("write", range(1, 7))
def test_killed_after_any_write_it_charges_and_pays_once(world: World, order: Any, write: int) -> None:
    ret = ask(world, order, 2).body
    receive(world, ret)
    left = [write]

    def die(call: Call) -> None:
        left[0] -= call.writes
        if call.writes and left[0] == 0:
            raise Killed

    with world.wire.watched(after=die):
        try:
            settle(world, order, ret)
        except Killed:
            receive(world, ret)
    for _ in range(2):
        assert settle(world, order, ret) in ("settled", "wait_for_goods")
    if world.order(order["id"])["returns"][0]["status"] != "settled":
        receive(world, ret)
        settle(world, order, ret)
    after = world.order(order["id"])
    invoices = [invoice for invoice in after["invoices"] if invoice["return_id"]]
    assert sum(invoice["total_amount"] for invoice in invoices) == 240
    assert all(invoice["open_amount"] == 0 for invoice in invoices)
    assert (sum(world.gateway.moved("refund")), after["payment"]["refunded"], after["totals"]["fee_amount"]) == (2160, 2160, 240)
    assert (after["status"], after["money_owed"], world.figures("A")) == ("completed", "none", (10, 0))


def test_the_fees_of_a_return_are_an_invoice_with_a_number_and_stand_in_the_journal(world: World, order: Any) -> None:
    ret = ask(world, order, 2, mode="immediate").body
    settle(world, order, ret)
    world.keep_books()
    invoice = world.done("GET", f"/v1/invoices/inv_{order['id'][4:]}_r1_0")
    assert (invoice["return_id"], invoice["total_amount"], invoice["open_amount"]) == (ret["id"], 240, 0)
    assert invoice["number"].startswith("INV-")
    assert [(row["kind"], row["code"], row["total_amount"]) for row in invoice["lines"]] == [("fee", "restocking", 240)]
    assert world.call("GET", f"/v1/invoices/{invoice['id']}/html").status == 200
    day = world.order(order["id"])["placed_at"][:10]
    entries = [entry for entry in world.done("GET", "/v1/journal", query={"date": day})["data"] if entry["order_id"] == order["id"]]
    sums: dict[str, int] = {}
    for line in [line for entry in entries for line in entry["lines"]]:
        sums[line["account"]] = sums.get(line["account"], 0) + line["amount"]
    assert (sums["fees"], sums.get("receivable", 0), sums.get("customer_deposits", 0)) == (-240, 0, 0)
    assert sum(sums.values()) == 0


def test_a_mixed_return_pays_each_tender_what_the_preview_said(world: World) -> None:
    cards = [{"method": "card", "gateway": "sandbox", "token": "tok_approve", "amount": amount} for amount in (1000, 2500)]
    order = world.delivered(order_body(payments=cards))
    rows = [{"line_id": "1", "quantity": 1}, {"line_id": "2", "quantity": 1, "resolution": "store_credit"}]
    path = f"/v1/orders/{order['id']}/returns"
    seen = world.done("POST", path, {"lines": rows, "preview": True, "fees": [{"code": "restocking", "amount": 100}]})
    first, second = (payment["id"] for payment in order["payments"])
    assert seen["balances"]["refunds"] == [
        {"payment_id": first, "amount": 1000},
        {"payment_id": second, "amount": 100},
        {"payment_id": second, "amount": 500, "into": "store_credit"},
    ]
    body = {"lines": rows, "fees": [{"code": "restocking", "amount": 100}], "quote_id": seen["quote_id"]}
    ret = world.done("POST", path, body)
    world.done("POST", f"/v1/returns/{ret['id']}/approve")
    world.done("POST", f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}, {"sku": "B", "quantity": 1}]})
    settle(world, order, ret)
    paid = [
        {"payment_id": row["payment_id"], "amount": row["amount"], **({"into": "store_credit"} if row.get("into") else {})}
        for memo in world.order(order["id"])["credit_memos"]
        for row in memo["refunds"]
    ]
    assert paid == seen["balances"]["refunds"]
