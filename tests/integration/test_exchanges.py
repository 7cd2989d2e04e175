"""Exchanges: old goods come back, new ones go out, in one call; what comes back pays for them, once, whatever dies on the way."""

from __future__ import annotations

from typing import Any

import pytest

from oms.clock import stamp
from oms.flows.credit import found_account
from oms.payments.funds import Unpaid
from oms.payments.payouts import account_for
from oms.storage.orders import load
from tests.support.orders import a_card
from tests.support.world import JSON, Answer, Call, Killed, World, order_body

A, B = 1200, 500


def new_line(sku: str, quantity: int, unit_price: int | None = None, **more: Any) -> JSON:
    priced = {} if unit_price is None else {"unit_price": unit_price, "taxes": [{"name": "tax 20", "rate": "20"}]}
    return {"sku": sku, "quantity": quantity, **priced, **more}


def ask(world: World, order_id: str, back: dict[str, int], *lines: JSON, **more: Any) -> Answer:
    rows = [{"line_id": line_id, "quantity": units, "reason": "too small"} for line_id, units in back.items()]
    headers = {"Idempotency-Key": key} if (key := more.pop("key", None)) else None
    return world.call("POST", f"/v1/orders/{order_id}/exchanges", {"return_lines": rows, "new_lines": list(lines), **more}, headers=headers)


def exchanged(world: World, order_id: str, back: dict[str, int], *lines: JSON, **more: Any) -> tuple[JSON, JSON]:
    """The exchange as the old order lists it, and the new order."""
    answer = ask(world, order_id, back, *lines, **more)
    assert answer.status == 200, answer
    about: JSON = answer.body["order"]["exchanges"][-1]
    return about, world.order(about["new_order_id"])


def come_back(world: World, order_id: str, about: JSON, lines: dict[str, int]) -> None:
    """The goods arrive and are settled."""
    return_id = about["return_id"]
    if world.done("GET", f"/v1/returns/{return_id}")["status"] == "requested":
        world.done("POST", f"/v1/returns/{return_id}/approve")
    rows = [{"line_id": line_id, "quantity": units} for line_id, units in lines.items()]
    world.done("POST", f"/v1/returns/{return_id}/receive", {"lines": rows})
    world.step("return_order", "Return", order_id, return_id=return_id)


def go_on(world: World, order_id: str) -> None:
    """The change machine does what is to be done for the order."""
    while pending := [change for change in load(order_id).changes.values() if change.status == "pending" and change.moves]:
        world.step("settle", "Settle", order_id, change_id=pending[0].id)


def send(world: World, order_id: str) -> JSON:
    """Allocate, ship and invoice an order."""
    assert world.step("allocate", "Allocate", order_id) == {"next": "allocated"}
    for fo in world.order(order_id)["fulfillment_orders"]:
        world.ship(fo["id"], {row["line_id"]: row["quantity"] for row in fo["lines"]}, f"T-{fo['id']}")
        world.step("capture_payment", "Capture payment", order_id, fulfillment_order_id=fo["id"])
    order: JSON = world.order(order_id)
    return order


def law(order: JSON, *, receivable: int = 0, unapplied: int = 0) -> None:
    """Law 2: the money is where the documents say."""
    money = order["payment"]
    assert money["captured"] - money["refunded"] - unapplied == money["invoiced"] - money["credited"] - receivable


def books(world: World) -> dict[str, int]:
    """All accounts of the journal."""
    world.keep_books()
    sums: dict[str, int] = {}
    for each in world.done("GET", "/v1/journal", query={"date": stamp()[:10]})["data"]:
        for line in each["lines"]:
            sums[line["account"]] = sums.get(line["account"], 0) + line["amount"]
    return sums


def test_an_even_exchange_costs_nothing_and_moves_the_money_once(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1))
    assert (about["new_order_number"], about["balance"], about["status"]) == ("W-1-E1", 0, "pending")
    assert (new["status"], new["totals"]["grand_total"], new["money_owed"], world.figures("A")[1]) == ("on_hold", A, "none", 1)
    assert (new["related_orders"][0]["id"], new["customer"]["email"]) == (old["id"], "ann@example.com")
    assert world.step("allocate", "Allocate", new["id"]) == {"next": "wait_for_release"}
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    old, new = world.order(old["id"]), world.order(new["id"])
    assert (old["exchanges"][0]["status"], old["payment"]["refunded"], old["credit_memos"][0]["refunds"][0]["into"]) == (
        "done",
        A,
        "exchange",
    )
    assert (new["status"], new["payment"]["captured"], world.gateway.moved("refund")) == ("open", A, [])
    new = send(world, new["id"])
    assert (new["payment"]["invoiced"], new["money_owed"]) == (A, "none")
    law(old)
    law(new)
    assert books(world).get("exchanges", 0) == 0


def test_the_order_says_what_the_goods_come_back_for_and_so_does_the_customers_page(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1))
    assert [line["resolution"] for line in world.order(old["id"])["returns"][0]["lines"]] == ["exchange"]
    seen = world.call("GET", f"/v1/track/{old['tracking_page_url'].rpartition('/')[2]}").body
    assert [line["resolution"] for line in seen["returns"][0]["lines"]] == ["exchange"]
    [told] = seen["exchanges"]
    assert told.pop("requested_at")
    assert told == {"id": about["id"], "status": "pending", "return_id": about["return_id"], "new_order_number": "W-1-E1", "balance": 0}
    assert "told" not in world.order(old["id"])["changes"][0], "how far the new order knows is nobody's business"
    assert new["payments"][0]["net_days"] is None, "no terms of payment"


def test_the_preview_says_over_both_orders_what_it_comes_to_and_its_quote_is_kept(world: World) -> None:
    old = world.delivered(order_body())
    dear = new_line("B", 2, 1000)
    before = world.items()
    preview = ask(world, old["id"], {"1": 1}, dear, delivery_charge={"amount": 300}, preview=True).body
    assert world.items() == before, "a preview writes nothing"
    assert preview["balances"] == {
        "product_amount": 800,
        "adjustment_amount": 0,
        "delivery_amount": 300,
        "fee_amount": 0,
        "tax_amount": 133,
        "grand_total": 1100,
        "refund_due": 0,
        "amount_due": 1100,
        "refunds": [],
    }
    assert (preview["new_order"]["order_number"], preview["new_order"]["totals"]["grand_total"]) == ("W-1-E1", 2300)
    more = {"delivery_charge": {"amount": 300}, "quote_id": preview["quote_id"], "payments": [a_card(1100)]}
    assert ask(world, old["id"], {"1": 1}, new_line("B", 2, 1001), **more).status == 412
    about, new = exchanged(world, old["id"], {"1": 1}, dear, **more)
    assert (about["balance"], new["totals"]["grand_total"]) == (1100, 2300)


def test_a_dearer_exchange_takes_the_difference_from_the_card_it_names(world: World) -> None:
    old = world.delivered(order_body())
    refused = ask(world, old["id"], {"1": 1}, new_line("B", 2, 1000), payments=[a_card(900)])
    assert (refused.status, refused.pointers) == (422, {"/payments"})
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("B", 2, 1000), payments=[a_card(800)])
    assert (new["status"], [row["method"] for row in new["payments"]]) == ("received", ["exchange", "card"])
    assert world.step("capture", "Capture", new["id"])["next"] == "allocate"
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    new = send(world, new["id"])
    assert [(row["method"], row["captured"]) for row in new["payments"]] == [("exchange", 1200), ("card", 800)]
    old = world.order(old["id"])
    assert (old["exchanges"][0]["status"], new["money_owed"]) == ("done", "none")
    law(old)
    law(new)
    assert books(world).get("exchanges", 0) == 0


def test_a_cheaper_exchange_pays_the_difference_back_to_the_tender(world: World) -> None:
    old = world.delivered(order_body())
    preview = ask(world, old["id"], {"1": 1}, new_line("B", 1, 500), preview=True).body["balances"]
    assert (preview["refund_due"], preview["amount_due"], preview["refunds"][0]["amount"]) == (700, 0, 700)
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("B", 1, 500))
    assert about["balance"] == -700
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    assert world.gateway.moved("refund") == [700]
    old, new = world.order(old["id"]), send(world, new["id"])
    assert (old["payment"]["refunded"], new["payment"]["captured"]) == (1200, 500)
    law(old)
    law(new)
    assert books(world).get("exchanges", 0) == 0


def test_what_is_due_and_named_by_nobody_is_taken_from_the_card_of_the_old_order(world: World) -> None:
    old = world.delivered(order_body())
    _, new = exchanged(world, old["id"], {"1": 1}, new_line("B", 2, 1000))
    assert [(row["method"], row["amount"]) for row in new["payments"]] == [("exchange", 1200), ("card", 800)]


def test_where_nobody_can_be_charged_the_request_says_what_it_needs(world: World) -> None:
    old = world.delivered(order_body(payments=[{"method": "cash", "amount": 3500, "capture": {"reference": "c", "amount": 3500}}]))
    refused = ask(world, old["id"], {"1": 1}, new_line("B", 2, 1000))
    assert (refused.status, refused.pointers) == (422, {"/payments"})
    assert "8.00 EUR" in refused.body["errors"][0]["detail"]
    assert ask(world, old["id"], {"1": 1}, new_line("B", 2, 1000), preview=True).body["balances"]["amount_due"] == 800


def test_a_declined_card_declines_the_new_order_and_the_return_is_paid_back_like_any(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("B", 2, 1000), payments=[a_card(800, "tok_decline")])
    assert world.step("capture", "Capture", new["id"])["next"] == "declined"
    old = world.order(old["id"])
    assert (old["exchanges"][0]["status"], old["returns"][0]["status"], world.figures("B")[1]) == ("refused", "requested", 0)
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    assert world.gateway.moved("refund") == [1200]
    new = world.order(new["id"])
    assert (new["status"], [hold.get("released_by") for hold in new["holds"]]) == ("declined", ["exchange"])
    law(world.order(old["id"]))


def test_a_declined_card_leaves_ordered_what_was_not_to_leave_for_it(world: World) -> None:
    old = world.place(order_body())
    about, new = exchanged(world, old["id"], {"1": 2}, new_line("B", 4, 1000), payments=[a_card(4000, "tok_decline")])
    assert world.step("settle", "Settle", old["id"], change_id=about["cancellation_id"])["next"] == "later_settle"
    assert world.step("capture", "Capture", new["id"])["next"] == "declined"
    go_on(world, old["id"])
    after = world.order(old["id"])
    assert {change["kind"]: change["status"] for change in after["changes"]} == {"cancellation": "refused", "exchange": "refused"}
    assert (after["totals"], after["lines"][0]["quantities"]["cancelled"]) == (old["totals"], 0)
    assert (world.gateway.moved("void"), world.step("allocate", "Allocate", old["id"])) == ([], {"next": "allocated"})
    assert (world.figures("A"), world.figures("B")[1]) == ((10, 2), 1)
    law(world.order(old["id"]))


def test_a_declined_card_leaves_to_their_location_what_was_asked_back_for_it(world: World) -> None:
    old = world.allocated(order_body())
    _, new = exchanged(world, old["id"], {"1": 2}, new_line("B", 4, 1000), payments=[a_card(4000, "tok_decline")])
    assert world.order(old["id"])["lines"][0]["quantities"]["cancel_requested"] == 2
    assert world.step("capture", "Capture", new["id"])["next"] == "declined"
    after = world.order(old["id"])
    assert {change["kind"]: change["status"] for change in after["changes"]} == {"cancellation": "refused", "exchange": "refused"}
    assert after["lines"][0]["quantities"]["cancel_requested"] == 0
    world.ship_all(after)
    assert world.order(old["id"])["fulfillment_status"] == "shipped"


def test_a_declined_exchange_leaves_cancelled_what_has_moved_a_delivery_charge_that_left_and_says_so(world: World) -> None:
    old = world.place(order_body())
    tender = a_card(2400, "tok_decline")
    about, new = exchanged(world, old["id"], {"1": 2}, new_line("A", 2), payments=[tender], reduce_shipping=False)
    assert world.step("allocate", "Allocate", old["id"]) == {"next": "allocated"}
    world.ship_all(world.order(old["id"]))
    assert world.step("capture", "Capture", new["id"])["next"] == "declined"
    go_on(world, old["id"])
    after = world.order(old["id"])
    (cancellation,) = [change for change in after["changes"] if change["id"] == about["cancellation_id"]]
    assert (cancellation["status"], after["lines"][0]["quantities"]["cancelled"]) == ("done", 2)
    assert cancellation["note"].startswith("it stays though its exchange was declined")
    world.step("capture_payment", "Capture payment", old["id"], fulfillment_order_id=after["fulfillment_orders"][0]["id"])
    law(world.order(old["id"]))


def test_a_gateway_that_has_no_key_here_declines_the_new_order_and_nothing_waits_for_it(world: World) -> None:
    old = world.delivered(order_body())
    tender = {"method": "card", "gateway": "stripe", "token": "pm_1", "amount": 800}
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("B", 2, 1000), payments=[tender])
    assert world.step("capture", "Capture", new["id"])["next"] == "declined"
    reasons = [data["reason"] for type_, data in world.facts(new["id"]) if type_ == "payment.declined"]
    assert (reasons, world.order(old["id"])["exchanges"][0]["status"]) == (["gateway_not_configured"], "refused")
    assert (world.figures("B")[1], world.done("GET", "/v1/exceptions")["data"]) == (0, [])
    come_back(world, old["id"], about, {"1": 1})
    assert world.gateway.moved("refund") == [A]


def test_the_return_waits_until_the_new_order_is_captured_or_declined(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("B", 2, 1000), payments=[a_card(800)])
    world.done("POST", f"/v1/returns/{about['return_id']}/approve")
    world.done("POST", f"/v1/returns/{about['return_id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    assert world.step("return_order", "Return", old["id"], return_id=about["return_id"])["next"] == "later_return"
    world.step("capture", "Capture", new["id"])
    world.step("return_order", "Return", old["id"], return_id=about["return_id"])
    assert world.order(old["id"])["returns"][0]["status"] == "settled"


def test_of_what_comes_in_part_the_customer_owes_the_rest(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 2}, new_line("A", 2))
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    assert (world.order(old["id"])["exchanges"][0]["status"], world.order(new["id"])["status"]) == ("pending", "on_hold")
    assert world.order(new["id"])["payment"]["captured"] == A
    world.done("POST", f"/v1/returns/{about['return_id']}/close")
    go_on(world, old["id"])
    old, new = world.order(old["id"]), world.order(new["id"])
    assert (old["exchanges"][0]["status"], new["status"], new["money_owed"]) == ("partial", "open", "balance_due")
    assert new["payment"]["balance_due"] == A
    assert world.step("allocate", "Allocate", new["id"]) == {"next": "allocated"}
    fo = world.order(new["id"])["fulfillment_orders"][0]
    assert (fo["status"], world.figures("A")[1]) == ("on_hold", 2)
    paid = world.call("POST", f"/v1/orders/{new['id']}/payments", a_card(A))
    assert paid.status == 202
    go_on(world, new["id"])
    assert world.order(new["id"])["fulfillment_orders"][0]["status"] == "released"
    law(old)


@pytest.mark.parametrize("end", ["reject", "cancel"])
def test_when_nothing_comes_the_new_order_is_cancelled_and_its_stock_is_free(world: World, end: str) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("B", 2, 1000), payments=[a_card(800)])
    world.step("capture", "Capture", new["id"])
    world.done("POST", f"/v1/returns/{about['return_id']}/{end}", {})
    go_on(world, old["id"])
    go_on(world, new["id"])
    old, new = world.order(old["id"]), world.order(new["id"])
    assert (old["exchanges"][0]["status"], new["status"], world.figures("B")[1]) == ("refused", "cancelled", 0)
    assert (world.gateway.moved("void"), old["status"], old["payment"]["refunded"]) == ([800], "completed", 0)


def test_in_advance_the_card_is_held_and_given_back_when_the_goods_come(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1), advance=True, payments=[a_card(A)])
    assert world.step("capture", "Capture", new["id"])["next"] == "allocate"
    new = send(world, new["id"])
    assert (new["payment"]["captured"], new["payment"]["authorized"], new["money_owed"], new["attention"]) == (0, A, "none", [])
    assert new["invoices"][0]["receivables"][0]["amount"] == A
    law(new, receivable=A)
    assert world.gateway.moved("void") == [], "it secures the goods that are to come"
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    go_on(world, new["id"])
    old, new = world.order(old["id"]), world.order(new["id"])
    assert (world.gateway.moved("void"), new["payment"]["captured"], new["money_owed"]) == ([A], A, "none")
    assert (old["exchanges"][0]["status"], world.gateway.moved("refund"), world.gateway.moved("capture")) == ("done", [], [3500])
    law(old)
    law(new)
    assert books(world).get("exchanges", 0) == 0
    assert books(world).get("receivable", 0) == 0


def test_in_advance_without_the_goods_the_card_pays(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("B", 3, 500), advance=True, payments=[a_card(1500)])
    world.step("capture", "Capture", new["id"])
    new = send(world, new["id"])
    assert [(row["method"], row["captured"]) for row in new["payments"]] == [("exchange", 0), ("card", 300)]
    world.done("POST", f"/v1/returns/{about['return_id']}/approve")
    world.step("return_order", "Expire", old["id"], return_id=about["return_id"])
    go_on(world, old["id"])
    assert world.order(old["id"])["exchanges"][0]["status"] == "refused"
    go_on(world, new["id"])
    old, new = world.order(old["id"]), world.order(new["id"])
    assert [(row["method"], row["captured"]) for row in new["payments"]] == [("exchange", 0), ("card", 1500)]
    assert (old["exchanges"][0]["status"], new["money_owed"], new["invoices"][0]["total_amount"]) == ("refused", "none", 1500)
    law(old)
    law(new)


def test_what_secures_the_goods_is_authorized_again_before_it_runs_out(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1), advance=True, payments=[a_card(A)])
    world.step("capture", "Capture", new["id"])
    send(world, new["id"])
    world.advance(days=6, hours=12)
    world.invoke("reconcile", {})
    go_on(world, new["id"])
    assert world.gateway.moved("authorize") == [A, A, 3500]
    world.advance(days=2)
    world.done("POST", f"/v1/returns/{about['return_id']}/reject", {})
    go_on(world, old["id"])
    go_on(world, new["id"])
    assert world.order(new["id"])["payment"]["captured"] == A


def test_stock_that_is_short_names_the_line_and_nothing_is_written(world: World) -> None:
    old = world.delivered(order_body())
    before = world.items()
    refused = ask(world, old["id"], {"1": 1}, new_line("B", 1), new_line("A", 99, 1))
    assert (refused.status, refused.body["type"], refused.pointers) == (409, "urn:oms:problem:out-of-stock", {"/new_lines/1/quantity"})
    assert world.items() == before


def test_the_same_key_answers_the_same_and_makes_one_new_order(world: World) -> None:
    old = world.delivered(order_body())
    first = ask(world, old["id"], {"1": 1}, new_line("A", 1), key="k")
    again = ask(world, old["id"], {"1": 1}, new_line("A", 1), key="k")
    assert (first.status, again.status, again.headers["idempotent-replayed"]) == (200, 200, "true")
    assert again.body["change"]["new_order_id"] == first.body["change"]["new_order_id"]
    assert (len(world.order(old["id"])["exchanges"]), world.figures("A")[1]) == (1, 1)
    _, second = exchanged(world, old["id"], {"1": 1}, new_line("A", 1), key="other")
    assert second["order_number"] == "W-1-E2"


def test_a_number_that_another_order_has_is_left_out(world: World) -> None:
    old = world.delivered(order_body())
    world.place(order_body("W-1-E1", quantities={"B": 1}))
    assert exchanged(world, old["id"], {"1": 1}, new_line("A", 1))[1]["order_number"] == "W-1-E2"


def test_before_shipment_captured_money_goes_over_and_what_is_not_needed_goes_back(world: World) -> None:
    paid = {"method": "card", "gateway": "sandbox", "amount": 3500, "capture": {"reference": "c", "amount": 3500}}
    old = world.place(order_body(payments=[paid]))
    about, new = exchanged(world, old["id"], {"1": 2}, new_line("B", 3, 500))
    assert (about["return_id"], about["balance"], new["status"]) == (None, -900, "on_hold")
    assert (world.figures("A")[1], world.figures("B")[1]) == (0, 4)
    go_on(world, old["id"])
    old, new = world.order(old["id"]), world.order(new["id"])
    assert (old["payment"]["refunded"], new["payment"]["captured"], old["exchanges"][0]["status"]) == (2400, 1500, "done")
    assert (world.gateway.moved("refund"), new["status"]) == ([900], "open")
    law(old, unapplied=1100)
    law(send(world, new["id"]))
    assert books(world).get("exchanges", 0) == 0


def test_before_shipment_an_authorization_is_given_back_and_made_anew_for_the_new_order(world: World) -> None:
    old = world.place(order_body())
    _, new = exchanged(world, old["id"], {"1": 2}, new_line("B", 3, 500))
    assert [(row["method"], row["amount"]) for row in new["payments"]] == [("card", 1500)]
    world.step("capture", "Capture", new["id"])
    go_on(world, old["id"])
    old, new = world.order(old["id"]), world.order(new["id"])
    assert (world.gateway.moved("void"), new["status"], old["exchanges"][0]["status"]) == ([2400], "open", "done")
    law(send(world, new["id"]))


def test_before_shipment_the_same_row_of_stock_serves_both_orders(world: World) -> None:
    old = world.place(order_body())
    exchanged(world, old["id"], {"1": 1}, new_line("A", 3))
    assert world.figures("A")[1] == 1 + 3


def test_what_a_location_works_on_is_asked_back_and_the_new_order_waits_for_the_answer(world: World) -> None:
    old = world.allocated(order_body())
    about, new = exchanged(world, old["id"], {"1": 2}, new_line("B", 3, 500))
    world.step("capture", "Capture", new["id"])
    fo = world.order(old["id"])["fulfillment_orders"][0]
    assert (about["status"], world.order(new["id"])["status"]) == ("pending", "on_hold")
    refused = {"change_id": about["cancellation_id"], "lines": []}
    world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/cancel-response", refused)
    go_on(world, old["id"])
    go_on(world, new["id"])
    old, new = world.order(old["id"]), world.order(new["id"])
    assert (old["exchanges"][0]["status"], new["status"], new["payment"]["voided"]) == ("refused", "cancelled", 1500)


def test_units_that_have_arrived_come_back_and_those_that_have_not_left_are_cancelled_in_one_request(world: World) -> None:
    old = world.allocated(order_body())
    fo = old["fulfillment_orders"][0]
    world.ship(fo["id"], {"1": 1}, "T1")
    world.step("capture_payment", "Capture payment", old["id"], fulfillment_order_id=fo["id"])
    world.carrier("T1", "delivered")
    about, _ = exchanged(world, old["id"], {"1": 2}, new_line("B", 1, 500))
    old = world.order(old["id"])
    assert (old["returns"][0]["lines"][0]["quantity"], old["changes"][-1]["lines"][0]["requested"]) == (1, 1)
    assert about["cancellation_id"] == old["changes"][-1]["id"]
    over = ask(world, old["id"], {"1": 1}, new_line("B", 1, 500))
    assert (over.status, over.body["type"]) == (409, "urn:oms:problem:not-exchangeable")


def test_a_new_order_that_was_cancelled_meanwhile_takes_nothing(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1))
    world.done("POST", f"/v1/orders/{new['id']}/cancellations", {"all": True})
    go_on(world, new["id"])
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    assert (world.gateway.moved("refund"), world.order(new["id"])["status"]) == ([1200], "cancelled")
    assert world.order(old["id"])["exchanges"][0]["status"] == "done"


def test_a_later_return_of_the_new_goods_gives_store_credit_for_what_the_old_ones_paid(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1))
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    new = send(world, new["id"])
    world.carrier(new["shipments"][0]["tracking_number"], "delivered")
    ret = world.done("POST", f"/v1/orders/{new['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1}]})
    come_back(world, new["id"], {"return_id": ret["id"]}, {"1": 1})
    new = world.order(new["id"])
    account = found_account(account_for(load(new["id"])))
    assert (account.balance, new["payment"]["refunded"], new["money_owed"], new["status"]) == (A, A, "none", "completed")
    law(new)
    sums = books(world)
    assert (sums.get("exchanges", 0), sums["store_credit_liability"], sum(sums.values())) == (0, -A, 0)


def test_only_who_has_finance_write_lets_the_new_goods_go_by_hand(world: World) -> None:
    old = world.delivered(order_body())
    _, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1))
    place = f"/v1/orders/{new['id']}/holds/{new['holds'][0]['id']}"
    assert world.call("DELETE", place).status == 403
    assert world.call("DELETE", place, scopes=["service.write", "finance.write"]).status == 200


def test_a_customer_exchanges_at_the_price_paid_and_names_nothing_else(world: World) -> None:
    old = world.delivered(order_body())
    body: JSON = {"return_lines": [{"line_id": "1", "quantity": 1}], "new_lines": [{"sku": "A", "quantity": 1}]}

    def wish(more: JSON, subject: str = "c-1") -> Answer:
        return world.call("POST", f"/v1/orders/{old['id']}/exchanges", {**body, **more}, scopes=["self"], subject=subject)

    assert wish({}, "c-2").status == 404
    for more, where in (
        ({"advance": True}, "/advance"),
        ({"new_lines": [{"sku": "A", "quantity": 1, "unit_price": 1}]}, "/new_lines/0/unit_price"),
        ({"payments": [{"method": "card", "amount": 1, "capture": {"reference": "x", "amount": 1}}]}, "/payments/0/capture"),
        ({"payments": [{"method": "cash", "amount": 1}]}, "/payments/0/method"),
    ):
        refused = wish(more)
        assert (refused.status, refused.pointers) == (403, {where}), refused
    assert wish({"new_lines": [{"sku": "A", "quantity": 2}]}).status == 403
    unknown = wish({"new_lines": [{"sku": "C", "quantity": 1}]})
    assert (unknown.status, unknown.pointers) == (422, {"/new_lines/0/unit_price"})
    done = wish({})
    assert (done.status, done.body["change"]["new_order_number"]) == (200, "W-1-E1")
    assert "gateway" not in str(done.body)


class _Kill:
    """Kills the process before or after its n-th write of a kind."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, call: Call) -> None:
        if call.writes and call.service == "dynamodb":
            self.left -= 1
            if self.left == 0:
                raise Killed


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, 9))
def test_killed_at_any_write_what_never_came_is_collected_once(world: World, write: int, when: str) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1), advance=True, payments=[a_card(A)])
    world.step("capture", "Capture", new["id"])
    send(world, new["id"])
    world.done("POST", f"/v1/returns/{about['return_id']}/reject", {})
    kill = _Kill(write)
    with world.wire.watched(before=kill if when == "before" else None, after=kill if when == "after" else None):
        for _ in range(2):
            try:
                go_on(world, old["id"])
                go_on(world, new["id"])
            except Killed:
                continue
    old, new = world.order(old["id"]), world.order(new["id"])
    assert (old["exchanges"][0]["status"], new["money_owed"], world.gateway.moved("capture")) == ("refused", "none", [A, 3500])
    assert [(change["kind"], change["status"]) for change in new["changes"]] == [("collection", "done")]
    law(new)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, 7))
def test_killed_at_any_write_both_orders_end_right(world: World, write: int, when: str) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("B", 1, 500))
    world.done("POST", f"/v1/returns/{about['return_id']}/approve")
    world.done("POST", f"/v1/returns/{about['return_id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    kill = _Kill(write)
    with world.wire.watched(before=kill if when == "before" else None, after=kill if when == "after" else None):
        for _ in range(2):
            try:
                world.step("return_order", "Return", old["id"], return_id=about["return_id"])
                go_on(world, old["id"])
            except Killed:
                continue
    old, new = world.order(old["id"]), world.order(new["id"])
    assert (old["exchanges"][0]["status"], old["payment"]["refunded"], new["payment"]["captured"]) == ("done", 1200, 500)
    assert world.gateway.moved("refund") == [700]
    law(old)
    law(send(world, new["id"]))
    assert books(world).get("exchanges", 0) == 0


def test_in_advance_what_comes_in_part_is_taken_from_the_card_for_the_rest(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 2}, new_line("A", 2), advance=True, payments=[a_card(2 * A)])
    world.step("capture", "Capture", new["id"])
    send(world, new["id"])
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    assert (world.gateway.moved("void"), world.order(new["id"])["money_owed"]) == ([], "none"), "the other unit may still come"
    world.done("POST", f"/v1/returns/{about['return_id']}/close")
    go_on(world, old["id"])
    go_on(world, new["id"])
    old, new = world.order(old["id"]), world.order(new["id"])
    assert [(row["method"], row["captured"], row["voided"]) for row in new["payments"]] == [("exchange", A, 0), ("card", A, A)]
    assert (old["exchanges"][0]["status"], new["money_owed"], new["invoices"][0]["total_amount"]) == ("partial", "none", 2 * A)
    law(old)
    law(new)
    assert books(world).get("exchanges", 0) == 0


def test_in_advance_what_has_not_left_when_nothing_comes_is_asked_back(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1), advance=True, payments=[a_card(A)])
    world.step("capture", "Capture", new["id"])
    assert world.step("allocate", "Allocate", new["id"]) == {"next": "allocated"}
    world.done("POST", f"/v1/returns/{about['return_id']}/reject", {})
    go_on(world, old["id"])
    new = world.order(new["id"])
    assert (new["lines"][0]["quantities"]["cancel_requested"], new["changes"][0]["due_at"] is not None) == (1, True)
    fo = new["fulfillment_orders"][0]
    stopped = {"change_id": new["changes"][0]["id"], "lines": [{"line_id": "1", "quantity": 1}]}
    world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/cancel-response", stopped)
    go_on(world, new["id"])
    assert (world.order(new["id"])["status"], world.gateway.moved("void"), world.figures("A")) == ("cancelled", [A], (8, 0))


def test_where_the_card_does_not_pay_what_never_came_the_customer_owes_it(world: World) -> None:
    old = world.delivered(order_body())
    card = a_card(A, "tok_capture_decline")
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1), advance=True, payments=[card])
    world.step("capture", "Capture", new["id"])
    send(world, new["id"])
    world.done("POST", f"/v1/returns/{about['return_id']}/reject", {})
    go_on(world, old["id"])
    with pytest.raises(Unpaid):
        go_on(world, new["id"])  # it becomes an exception of the new order
    assert world.call("POST", f"/v1/orders/{new['id']}/payments", a_card(A)).status == 202
    paid = next(change for change in world.order(new["id"])["changes"] if change["kind"] == "payment")
    world.step("settle", "Settle", new["id"], change_id=paid["id"])
    go_on(world, new["id"])  # which is tried again
    new = world.order(new["id"])
    assert [(row["method"], row["captured"]) for row in new["payments"]] == [("exchange", 0), ("card", 0), ("card", A)]
    assert (world.order(old["id"])["exchanges"][0]["status"], new["money_owed"], world.gateway.moved("void")) == ("refused", "none", [A])
    law(new)


def test_a_second_exchange_comes_of_the_first_ones_order(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1))
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    new = send(world, new["id"])
    world.carrier(new["shipments"][0]["tracking_number"], "delivered")
    again, third = exchanged(world, new["id"], {"1": 1}, new_line("A", 1))
    assert third["order_number"] == "W-1-E1-E1"
    come_back(world, new["id"], again, {"1": 1})
    go_on(world, new["id"])
    third = send(world, third["id"])
    assert (third["payment"]["captured"], world.order(new["id"])["payment"]["refunded"]) == (A, A)
    sums = books(world)
    assert (sums.get("exchanges", 0), sums.get("store_credit_liability", 0)) == (0, 0)


def test_part_of_the_new_order_is_cancelled_and_the_return_pays_back_what_it_needs_no_more(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("B", 3, 500))
    assert [(row["method"], row["amount"]) for row in new["payments"]] == [("exchange", 1200), ("card", 300)]
    world.step("capture", "Capture", new["id"])
    world.done("POST", f"/v1/orders/{new['id']}/cancellations", {"lines": [{"line_id": "1", "quantity": 2}]})
    go_on(world, new["id"])
    assert world.gateway.moved("void") == [300]
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    assert (world.gateway.moved("refund"), world.order(new["id"])["payment"]["captured"]) == ([700], 500)
    law(send(world, new["id"]))
