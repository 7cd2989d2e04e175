"""Cancellations at any stage: previews that keep their word, units asked back from locations, the delivery charge, fees."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.orders import a_card, a_line, an_order
from tests.support.world import JSON, Answer, World, order_body

ALL = {"all": True, "reason": "changed_mind"}


def cancel(world: World, order_id: str, body: JSON, **more: Any) -> Answer:
    return world.call("POST", f"/v1/orders/{order_id}/cancellations", body, **more)


def lines(**quantities: int) -> JSON:
    return {"lines": [{"line_id": line_id[1:], "quantity": quantity} for line_id, quantity in quantities.items()]}


def settle(world: World, order_id: str, change: JSON) -> JSON:
    assert world.step("settle", "Settle", order_id, change_id=change["id"])["next"] == "settled"
    order: JSON = world.order(order_id)
    return order


def counters(order: JSON, line: int = 0) -> dict[str, int]:
    return {name: units for name, units in order["lines"][line]["quantities"].items() if units}


def test_an_order_is_cancelled_whole_before_anything_was_released(world: World) -> None:
    placed = world.place(order_body())
    done = cancel(world, placed["id"], ALL).body
    assert done["change"]["status"] == "pending"  # its authorization is still to be given back
    assert [counters(done["order"], line) for line in (0, 1)] == [{"ordered": 2, "cancelled": 2}, {"ordered": 1, "cancelled": 1}]
    assert done["order"]["totals"]["grand_total"] == 0
    assert [world.figures(sku)[1] for sku in ("A", "B")] == [0, 0]
    order = settle(world, placed["id"], done["change"])
    assert (order["status"], order["payment_status"], order["money_owed"]) == ("cancelled", "voided", "none")
    assert (order["changes"][0]["status"], world.gateway.moved("void")) == ("done", [3500])


def test_a_preview_writes_nothing_and_its_quote_comes_to_the_same(world: World) -> None:
    placed = world.place(order_body())
    before = world.items()
    preview = cancel(world, placed["id"], {**lines(_1=1), "preview": True}).body
    assert world.items() == before
    assert preview["balances"] == {
        "product_amount": -1200,
        "adjustment_amount": 0,
        "delivery_amount": 0,
        "fee_amount": 0,
        "tax_amount": -200,
        "grand_total": -1200,
        "refund_due": 0,
        "amount_due": 0,
        "refunds": [],
    }
    done = cancel(world, placed["id"], {**lines(_1=1), "quote_id": preview["quote_id"]})
    assert done.status == 200
    assert done.body["order"]["totals"]["grand_total"] == 3500 - 1200


def test_of_two_agents_with_the_same_quote_one_gets_412_with_the_new_state(world: World) -> None:
    placed = world.place(order_body())
    request = {"lines": [{"line_id": "1", "quantity": 2}], "reduce_shipping": True}
    quotes = [cancel(world, placed["id"], {**request, "preview": True}).body["quote_id"] for _ in range(2)]
    other = {"lines": [{"line_id": "2", "quantity": 1}], "reduce_shipping": True}
    late = cancel(world, placed["id"], {**other, "preview": True}).body
    assert cancel(world, placed["id"], {**request, "quote_id": quotes[0]}).status == 200
    again = cancel(world, placed["id"], {**request, "quote_id": quotes[1]})
    assert (again.status, again.body["current"]["version"]) == (412, placed["version"] + 1)
    assert cancel(world, placed["id"], {**other, "quote_id": late["quote_id"]}).status == 200


def test_a_quote_for_figures_that_changed_is_412(world: World) -> None:
    placed = world.place(order_body())
    preview = cancel(world, placed["id"], {**lines(_1=1), "reduce_shipping": False, "preview": True}).body
    # Somebody else cancels B: now nothing but the rest of A can carry the delivery charge, and the last unit gives it back.
    cancel(world, placed["id"], {**lines(_1=1), "reduce_shipping": True})
    answer = cancel(world, placed["id"], {**lines(_1=1), "reduce_shipping": True, "quote_id": preview["quote_id"]})
    assert (answer.status, answer.body["type"]) == (412, "urn:oms:problem:stale-quote")
    assert answer.body["current"]["version"] == placed["version"] + 1
    assert answer.body["current"]["balances"]["grand_total"] < -1200


@pytest.mark.parametrize("quote", ["q_1_x", "q_99999999999_" + "A" * 43, "nonsense", ""])
def test_a_quote_that_nobody_gave_is_refused(world: World, quote: str) -> None:
    placed = world.place(order_body())
    answer = cancel(world, placed["id"], {**lines(_1=1), "quote_id": quote})
    assert answer.status == (412 if quote else 422)


def test_an_expired_quote_is_412(world: World) -> None:
    placed = world.place(order_body())
    quote = cancel(world, placed["id"], {**lines(_1=1), "preview": True}).body["quote_id"]
    world.advance(minutes=31)
    assert cancel(world, placed["id"], {**lines(_1=1), "quote_id": quote}).status == 412
    assert world.order(placed["id"])["version"] == placed["version"]


def test_what_is_more_than_there_is_or_unknown_is_refused_and_changes_nothing(world: World) -> None:
    placed = world.place(order_body())
    assert cancel(world, placed["id"], lines(_1=3)).status == 409
    assert cancel(world, placed["id"], lines(_7=1)).status == 422
    assert cancel(world, placed["id"], {"lines": [], "all": False}).status == 422
    assert cancel(world, placed["id"], {**ALL, **lines(_1=1)}).status == 422
    assert cancel(world, placed["id"], {**lines(_1=1), "surprise": 1}).pointers == {"/surprise"}
    assert world.order(placed["id"])["version"] == placed["version"]


def test_units_on_released_work_are_asked_back_and_cancelled_when_the_location_could_stop_them(world: World) -> None:
    order = world.allocated(order_body())
    fo = order["fulfillment_orders"][0]
    asked = cancel(world, order["id"], lines(_1=2)).body
    assert asked["change"]["status"] == "pending"
    assert counters(asked["order"])["cancel_requested"] == 2
    assert asked["order"]["totals"]["grand_total"] == 3500
    answer = {"change_id": asked["change"]["id"], "lines": [{"line_id": "1", "quantity": 2}]}
    for _ in range(2):  # told twice, it counts once
        shown = world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/cancel-response", answer)
    assert [row["cancel_requested"] for row in shown["lines"]] == [0, 0]
    after = world.order(order["id"])
    assert counters(after) == {"ordered": 2, "cancelled": 2}
    assert world.figures("A")[1] == 0
    assert after["totals"]["grand_total"] == 3500 - 2400
    world.ship(fo["id"], {"2": 1}, "T1")
    assert world.order(order["id"])["fulfillment_orders"][0]["status"] == "shipped"


def test_a_location_that_could_stop_only_some_makes_the_change_partial(world: World) -> None:
    order = world.allocated(order_body())
    fo = order["fulfillment_orders"][0]
    change = cancel(world, order["id"], lines(_1=2)).body["change"]
    world.done(
        "POST",
        f"/v1/fulfillment-orders/{fo['id']}/cancel-response",
        {"change_id": change["id"], "lines": [{"line_id": "1", "quantity": 1}]},
    )
    settled = settle(world, order["id"], change)
    assert settled["changes"][0]["status"] == "partial"
    assert (settled["changes"][0]["lines"][0]["quantity"], settled["changes"][0]["lines"][0]["refused"]) == (2, 1)
    assert counters(settled)["cancelled"] == 1
    assert counters(settled)["available_to_cancel"] == 1


def test_a_unit_that_ships_before_the_answer_is_shipped_and_the_change_says_so(world: World) -> None:
    order = world.allocated(order_body(quantities={"A": 2}))
    fo = order["fulfillment_orders"][0]
    change = cancel(world, order["id"], lines(_1=2)).body["change"]
    world.ship(fo["id"], {"1": 1}, "T1")
    half = world.order(order["id"])
    assert (half["lines"][0]["quantities"]["cancel_requested"], half["changes"][0]["lines"][0]["refused"]) == (1, 1)
    more = {"change_id": change["id"], "lines": [{"line_id": "1", "quantity": 2}]}
    assert world.call("POST", f"/v1/fulfillment-orders/{fo['id']}/cancel-response", more).status == 409
    world.ship(fo["id"], {"1": 1}, "T2")
    done = world.order(order["id"])
    assert (done["changes"][0]["status"], counters(done)["shipped"]) == ("refused", 2)
    assert done["totals"] == order["totals"]


def test_a_rejected_unit_that_was_asked_back_is_cancelled_and_goes_nowhere_else(world: World) -> None:
    order = world.allocated(order_body(quantities={"A": 2}))
    fo = order["fulfillment_orders"][0]
    cancel(world, order["id"], lines(_1=1))
    world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/reject", {"reason": "damaged"})
    after = world.order(order["id"])
    assert (counters(after)["cancelled"], after["lines"][0]["quantities"]["cancel_requested"]) == (1, 0)
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
    assert counters(world.order(order["id"]))["allocated"] == 1


def test_a_location_that_does_not_answer_in_time_could_not_stop_them(world: World) -> None:
    world.done("PUT", "/v1/channels/web", {"location_group": "all", "recall_hours": 2})
    order = world.allocated(order_body(quantities={"A": 2}))
    cancel(world, order["id"], lines(_1=1))
    world.advance(hours=3)
    world.invoke("reconcile", {})
    after = world.order(order["id"])
    assert (after["changes"][0]["status"], after["lines"][0]["quantities"]["cancel_requested"]) == ("refused", 0)


def test_cancelling_all_of_a_partly_shipped_order_does_what_can_be_done_and_tells_the_rest(world: World) -> None:
    order = world.allocated(order_body())
    fo = order["fulfillment_orders"][0]
    world.ship(fo["id"], {"1": 1}, "T1")
    world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo["id"])
    change = cancel(world, order["id"], ALL).body["change"]
    world.done(
        "POST",
        f"/v1/fulfillment-orders/{fo['id']}/cancel-response",
        {"change_id": change["id"], "lines": [{"line_id": "1", "quantity": 1}, {"line_id": "2", "quantity": 1}]},
    )
    done = settle(world, order["id"], change)
    assert done["changes"][0]["status"] == "partial"
    assert [(row["line_id"], row["refused"]) for row in done["changes"][0]["lines"]] == [("1", 1), ("1", 0), ("2", 0)]
    assert (counters(done)["cancelled"], counters(done)["shipped"]) == (1, 1)


def test_the_share_of_the_delivery_charge_goes_back_with_the_units_where_that_is_asked_for(world: World) -> None:
    placed = world.place(order_body())
    preview = cancel(world, placed["id"], {**lines(_2=1), "reduce_shipping": True, "preview": True}).body["balances"]
    # 600 over 2400 and 500: 497 and 103, their taxes 83 and 17.
    assert (preview["delivery_amount"], preview["tax_amount"], preview["grand_total"]) == (-103, -83 - 17, -603)


def test_otherwise_it_moves_to_what_still_ships_and_adds_up_to_the_cent(world: World) -> None:
    order = world.allocated(order_body())
    fo = order["fulfillment_orders"][0]
    change = cancel(world, order["id"], {**lines(_2=1), "reduce_shipping": False}).body["change"]
    world.done(
        "POST",
        f"/v1/fulfillment-orders/{fo['id']}/cancel-response",
        {"change_id": change["id"], "lines": [{"line_id": "2", "quantity": 1}]},
    )
    for number in (1, 2):
        world.ship(fo["id"], {"1": 1}, f"T{number}")
        world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo["id"])
    done = settle(world, order["id"], change)
    assert done["totals"]["delivery_amount"] == 600
    assert (done["payment"]["captured"], done["payment"]["invoiced"]) == (3000, 3000)
    assert [sum(row["delivery"]["total_amount"] for row in invoice["lines"]) for invoice in done["invoices"]] == [
        301,
        299,
    ]  # 249 + 52, 248 + 51


def test_with_nothing_left_to_carry_it_the_charge_is_invoiced_at_once(world: World) -> None:
    placed = world.place(order_body())
    change = cancel(world, placed["id"], {**ALL, "reduce_shipping": False}).body["change"]
    done = settle(world, placed["id"], change)
    assert (done["totals"]["grand_total"], done["totals"]["delivery_amount"]) == (600, 600)
    assert (done["payment"]["captured"], done["payment"]["voided"]) == (600, 2900)
    assert [(row["total_amount"], row["change_id"]) for row in done["invoices"]] == [(600, change["id"])]
    assert done["status"] == "cancelled"


def test_a_cancel_fee_is_kept_of_what_was_authorized(world: World) -> None:
    placed = world.place(order_body())
    fee = {"code": "cancel", "percent": "10", "taxes": [{"name": "VAT", "rate": "20"}]}
    body = {**ALL, "fees": [fee]}
    preview = cancel(world, placed["id"], {**body, "preview": True}).body["balances"]
    assert (preview["fee_amount"], preview["grand_total"]) == (290, -3500 + 290)
    change = cancel(world, placed["id"], body).body["change"]
    done = settle(world, placed["id"], change)
    assert (done["totals"]["fee_amount"], done["totals"]["tax_amount"], done["payment"]["captured"]) == (290, 48, 290)
    assert (done["payment"]["voided"], done["status"], done["money_owed"]) == (3210, "cancelled", "none")


def test_money_captured_up_front_is_refunded_net_of_the_fee_and_of_refunds_in_flight(world: World) -> None:
    """Salesforce's published trap: 100 captured, 20 cancelled twice, 60 refunded where 40 was due."""
    taken = {"authorization": {"reference": "auth_1.tok_approve", "amount": 10000}, "capture": {"reference": "cap_1", "amount": 10000}}
    card = {"method": "card", "gateway": "sandbox", "amount": 10000, **taken}
    placed = world.place(an_order(a_line("1", "A", 5, 2000), payments=[card]))
    changes, previews = [], []
    for _ in range(2):
        previews.append(cancel(world, placed["id"], {**lines(_1=1), "preview": True}).body["balances"])
        changes.append(cancel(world, placed["id"], lines(_1=1)).body["change"])
    assert [preview["refund_due"] for preview in previews] == [2000, 2000]
    for change in reversed(changes):
        order = settle(world, placed["id"], change)
    assert (world.gateway.moved("refund"), order["payment"]["refunded"]) == ([2000, 2000], 4000)
    fee = {"code": "cancel", "amount": 300}
    body = {**ALL, "fees": [fee]}
    assert cancel(world, placed["id"], {**body, "preview": True}).body["balances"]["refund_due"] == 5700
    order = settle(world, placed["id"], cancel(world, placed["id"], body).body["change"])
    assert (order["payment"]["refunded"], order["payment"]["invoiced"], order["status"]) == (9700, 300, "cancelled")


def test_several_tenders_are_paid_back_as_the_preview_says(world: World) -> None:
    order = world.delivered(order_body(payments=[a_card(1500), a_card(2000)]))
    assert cancel(world, order["id"], ALL).status == 409
    assert world.order(order["id"])["version"] == order["version"]


def test_a_backordered_unit_is_cancelled_and_leaves_the_queue(world: World) -> None:
    world.stock("A", "berlin", 1)
    world.stock("A", "lyon", 0)
    placed = world.place(an_order(a_line("1", "A", 3, 1000, backorder="allow")))
    assert counters(placed)["backordered"] == 2
    done = cancel(world, placed["id"], lines(_1=2)).body["order"]
    assert counters(done) == {"ordered": 3, "cancelled": 2, "reserved": 1, "available_to_cancel": 1}
    assert world.done("GET", "/v1/backorders", query={"sku": "A"})["data"] == []


@pytest.mark.parametrize("one_by_one", [True, False])
def test_c02_each_cancelled_unit_takes_its_own_share_and_the_last_leaves_zero(world: World, one_by_one: bool) -> None:
    placed = world.place(an_order(a_line("1", "A", 4, 250, own=-1)))
    totals = [999]
    for quantity in [1] * 4 if one_by_one else [4]:
        totals.append(cancel(world, placed["id"], lines(_1=quantity)).body["order"]["totals"]["grand_total"])
    assert totals == ([999, 749, 500, 250, 0] if one_by_one else [999, 0])
    assert cancel(world, placed["id"], lines(_1=1)).status == 409


class TestBundles:
    """A desk (parent) with two legs each; the policy stands on the desk."""

    def desk(self, policy: str) -> JSON:
        legs = a_line("legs", "B", 4, 100, bundle_of="desk")
        return an_order(a_line("desk", "A", 2, 1000, bundle_policy=policy), legs)

    def test_components_go_by_themselves_where_the_bundle_is_sold_by_components(self, world: World) -> None:
        placed = world.place(self.desk("components"))
        after = cancel(world, placed["id"], {"lines": [{"line_id": "legs", "quantity": 3}]}).body["order"]
        assert [row["quantities"]["cancelled"] for row in after["lines"]] == [0, 3]

    def test_a_bundle_that_is_sold_as_a_whole_goes_with_its_components(self, world: World) -> None:
        placed = world.place(self.desk("whole"))
        alone = cancel(world, placed["id"], {"lines": [{"line_id": "legs", "quantity": 2}]})
        assert (alone.status, alone.pointers) == (409, {"/lines/0/quantity"})
        after = cancel(world, placed["id"], {"lines": [{"line_id": "desk", "quantity": 1}]}).body["order"]
        assert [row["quantities"]["cancelled"] for row in after["lines"]] == [1, 2]
        assert after["totals"]["grand_total"] == 1200

    def test_its_quantity_is_edited_as_a_whole(self, world: World) -> None:
        placed = world.place(self.desk("whole"))
        path = f"/v1/orders/{placed['id']}/edits"
        part = {"operations": [{"op": "set_quantity", "line_id": "legs", "quantity": 9}]}
        assert world.call("POST", path, part).status == 409
        whole = {"operations": [{"op": "set_quantity", "line_id": "desk", "quantity": 3}]}
        after = world.done("POST", path, whole)["order"]
        assert [row["quantities"]["reserved"] for row in after["lines"]] == [3, 6]

    def test_components_that_make_no_whole_bundles_are_refused(self, world: World) -> None:
        body = self.desk("whole")
        body["lines"][1]["quantity"] = 3
        answer = world.call("POST", "/v1/orders", body)
        assert (answer.status, answer.pointers) == (422, {"/lines/1/quantity"})
