"""Claims on a shipment: what is lost, damaged or missing is sent again, or paid back without a return; each unit once."""

from __future__ import annotations

import pytest

from oms.flows.fulfillment import deliver_by_clock
from tests.support.orders import a_line, an_order
from tests.support.service import claim, event, law_two, quantities, refund, replacement, reship, settled, shipped, units
from tests.support.world import JSON, World, order_body

LINES = (units("1", 2), units("2", 1))


def parcel(order: JSON, index: int = 0) -> JSON:
    found: JSON = order["shipments"][index]
    return found


def test_a_lost_parcel_is_written_off_and_sent_again(world: World) -> None:
    order = shipped(world, order_body())
    body = event("service/claim_lost_reship")
    answer = world.call("POST", f"/v1/shipments/{parcel(order)['id']}/claims", body).body
    change, after = answer["change"], answer["order"]
    assert (change["kind"], change["status"]) == ("claim", "done")
    assert change["claim"] == {
        "shipment_id": parcel(order)["id"],
        "kind": "lost",
        "remedy": "reship",
        "cost": 450,
        "carrier_claim": body["carrier_claim"],
    }
    assert quantities(after) == {"ordered": 2, "allocated": 2, "shipped": 2, "lost": 2, "reshipped": 2}
    assert (after["delivery_status"], after["status"], after["totals"]) == ("delivered", "open", order["totals"])
    assert {row["line_id"]: row["quantity"] for row in replacement(after)["lines"]} == {"1": 2, "2": 1}
    assert [fo["status"] for fo in after["fulfillment_orders"]] == ["delivered", "released"]
    assert parcel(after)["written_off"][0]["units"] == [[1, 2]]


def test_once_the_replacement_has_arrived_the_units_may_come_back(world: World) -> None:
    order = shipped(world, order_body())
    fo = replacement(claim(world, parcel(order), "lost", "reship", *LINES).body["order"])
    back = {"lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]}
    assert world.call("POST", f"/v1/orders/{order['id']}/returns", back).status == 409, "a lost unit cannot come back"
    world.ship(fo["id"], {"1": 2, "2": 1}, "R1")
    world.carrier("R1", "delivered")
    done = world.order(order["id"])
    assert (done["status"], quantities(done)["available_to_return"], quantities(done)["lost_replaced"]) == ("completed", 2, 2)
    ret = world.done("POST", f"/v1/orders/{order['id']}/returns", back)["id"]
    world.done("POST", f"/v1/returns/{ret}/approve")
    world.done("POST", f"/v1/returns/{ret}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    world.step("return_order", "Return", order["id"], return_id=ret)
    after = world.order(order["id"])
    assert (world.gateway.moved("refund"), after["status"]) == ([1200], "completed")
    law_two(after)


def test_a_lost_parcel_that_is_paid_back_lets_the_order_end(world: World) -> None:
    order = shipped(world, order_body())
    asked = {"kind": "lost", "remedy": "refund", "lines": list(LINES), "reduce_shipping": True}
    quote = world.done("POST", f"/v1/shipments/{parcel(order)['id']}/claims", {**asked, "preview": True})
    assert (quote["balances"]["refund_due"], quote["balances"]["grand_total"], quote["balances"]["tax_amount"]) == (3500, -3500, -583)
    answer = claim(world, parcel(order), "lost", "refund", *LINES, reduce_shipping=True, quote_id=quote["quote_id"])
    done = settled(world, order, answer)
    assert (done["status"], done["payment_status"], done["totals"]["grand_total"]) == ("completed", "refunded", 0)
    memo = done["credit_memos"][0]
    assert (memo["total_amount"], memo["change_id"], world.gateway.moved("refund")) == (3500, answer.body["change"]["id"], [3500])
    law_two(done)


def test_a_parcel_that_is_not_invoiced_yet_is_invoiced_first_and_then_paid_back(world: World) -> None:
    order = world.allocated(order_body())
    world.ship_all(order)
    order = world.order(order["id"])
    change = claim(world, parcel(order), "lost", "refund", *LINES, reduce_shipping=True).body["change"]
    assert world.step("settle", "Settle", order["id"], change_id=change["id"])["next"] == "later_settle"
    world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=order["fulfillment_orders"][0]["id"])
    assert world.step("settle", "Settle", order["id"], change_id=change["id"])["next"] == "settled"
    done = world.order(order["id"])
    assert (done["payment"]["invoiced"], done["payment"]["credited"], done["status"]) == (3500, 3500, "completed")
    law_two(done)


def test_without_the_delivery_charge_exactly_the_goods_are_paid_back(world: World) -> None:
    order = shipped(world, order_body())
    done = settled(world, order, claim(world, parcel(order), "lost", "refund", units("1", 1)))
    assert (world.gateway.moved("refund"), done["status"]) == ([1200], "open")
    assert quantities(done)["lost"] == 1
    law_two(done)


def test_a_refund_never_takes_more_than_was_paid_for_the_units(world: World) -> None:
    """C26: after discounts, and after what was given back for goodwill."""
    order = world.delivered(an_order(a_line("1", "A", 3, 1000, "20", own=-500), off=-250))
    given = settled(world, order, refund(world, order, amount=100))
    worth = given["lines"][0]["amounts"]["total_amount"]
    assert worth == 3000 - 500 - 250 - 100
    done = settled(world, order, claim(world, parcel(order), "damaged", "refund", units("1", 3)))
    assert (world.gateway.moved("refund"), done["totals"]["grand_total"]) == ([100, worth], 0)
    law_two(done)


def test_a_second_claim_on_the_same_units_is_refused(world: World) -> None:
    order = world.delivered(order_body())
    settled(world, order, claim(world, parcel(order), "missing", "refund", units("1", 1)))
    assert claim(world, parcel(order), "damaged", "refund", units("1", 1)).status == 200, "the other unit"
    refused = claim(world, parcel(order), "missing", "refund", units("1", 1))
    assert (refused.status, refused.body["type"], refused.pointers) == (409, "urn:oms:problem:not-claimable", {"/lines/0/quantity"})


def test_the_same_key_twice_is_one_claim(world: World) -> None:
    order = shipped(world, order_body())
    body = {"kind": "lost", "remedy": "reship", "lines": [units("1", 2)]}
    path, key = f"/v1/shipments/{parcel(order)['id']}/claims", {"Idempotency-Key": "once"}
    first, again = (world.call("POST", path, body, headers=key) for _ in range(2))
    assert (again.status, again.body["change"]["id"]) == (200, first.body["change"]["id"])
    assert (quantities(world.order(order["id"]))["lost"], world.figures("A")) == (2, (8, 2))


def test_what_is_damaged_stays_with_the_customer_and_may_come_back_once(world: World) -> None:
    order = world.delivered(order_body())
    body = event("service/claim_damaged_refund")
    done = settled(world, order, world.call("POST", f"/v1/shipments/{parcel(order)['id']}/claims", body))
    assert (quantities(done)["delivered"], quantities(done)["available_to_return"], "lost" in quantities(done)) == (2, 1, False)
    assert world.gateway.moved("refund") == [1200 + 249]
    law_two(done)
    again = replacement(claim(world, parcel(done), "damaged", "reship", units("1", 1)).body["order"])
    world.ship(again["id"], {"1": 1}, "R1")
    assert "available_to_return" not in quantities(world.order(order["id"])), "one is paid back, the other's replacement is not there yet"
    world.carrier("R1", "delivered")
    assert quantities(world.order(order["id"]))["available_to_return"] == 1
    back = {"lines": [{"line_id": "1", "quantity": 2, "reason": "small"}]}
    assert world.call("POST", f"/v1/orders/{order['id']}/returns", back).status == 409, "what is shown is what can be had"
    back["lines"][0]["quantity"] = 1
    assert world.call("POST", f"/v1/orders/{order['id']}/returns", back).status == 201


def test_what_was_not_paid_back_is_sent_again_first(world: World) -> None:
    order = world.delivered(order_body())
    settled(world, order, claim(world, parcel(order), "damaged", "refund", units("1", 1)))
    fo = replacement(reship(world, order, units("1", 1)).body["order"])
    world.ship(fo["id"], {"1": 1}, "R1")
    assert parcel(world.order(order["id"]), 1)["lines"][0]["units"] == [[2, 2]]


def test_what_is_missing_was_delivered_once_and_cannot_come_back(world: World) -> None:
    order = world.delivered(order_body())
    after = claim(world, parcel(order), "missing", "reship", units("1", 1)).body["order"]
    assert quantities(after) == {
        "ordered": 2,
        "allocated": 2,
        "shipped": 2,
        "delivered": 2,
        "lost": 1,
        "lost_delivered": 1,
        "reshipped": 1,
        "available_to_return": 1,
        "available_to_reship": 1,
    }
    assert (after["lines"][0]["status"], after["delivery_status"]) == ("delivered", "delivered")


def test_the_kind_has_to_fit_where_the_parcel_is(world: World) -> None:
    order = shipped(world, order_body())
    for kind in ("missing", "damaged"):
        assert claim(world, parcel(order), kind, "refund", units("1", 1)).pointers == {"/kind"}
    world.carrier(parcel(order)["tracking_number"], "delivered")
    refused = claim(world, parcel(order), "lost", "refund", units("1", 1))
    assert (refused.status, refused.pointers) == (409, {"/kind"})


def test_where_nobody_confirms_delivery_what_is_missing_may_be_claimed_at_once(world: World) -> None:
    world.done("PUT", "/v1/methods/standard", {"delivery_confirmation": "none", "assume_delivered_after_days": 5})
    order = shipped(world, order_body())
    claim(world, parcel(order), "missing", "refund", units("1", 1))
    world.advance(days=6)
    deliver_by_clock(order["id"], order["fulfillment_orders"][0]["id"], "test")
    after = world.order(order["id"])
    assert (quantities(after)["delivered"], quantities(after)["lost"], after["delivery_status"]) == (1, 1, "delivered")
    assert (after["exceptions"], quantities(after)["available_to_return"]) == ([], 1), "the clock does not say that anything has arrived"


def test_what_was_written_off_and_arrives_stays_written_off_and_a_person_is_told(world: World) -> None:
    order = shipped(world, order_body())
    settled(world, order, claim(world, parcel(order), "lost", "refund", units("1", 2)))
    number = parcel(order)["tracking_number"]
    assert world.carrier(number, "delivered").body["changed"]
    after = world.order(order["id"])
    assert ("delivered" in quantities(after), quantities(after, 1)["delivered"]) == (False, 1)
    assert ("available_to_return" in quantities(after), after["status"]) == (False, "completed")
    (problem,) = after["exceptions"]
    assert (problem["kind"], problem["status"], problem["step"]) == ("written_off_arrived", "open", "Deliver")
    told = dict(world.facts(order["id"]))["shipment.written_off_arrived"]
    assert told["lines"] == {"1": 2}
    assert not world.carrier(number, "delivered").body["changed"], "told once"
    world.done("POST", f"/v1/exceptions/{problem['id']}/resolve", {"action": "accept"})


def test_what_was_sent_again_before_it_was_called_lost_needs_no_second_replacement(world: World) -> None:
    order = shipped(world, order_body())
    fo = replacement(reship(world, order, units("1", 2)).body["order"])
    after = claim(world, parcel(order), "lost", "reship", units("1", 2)).body["order"]
    assert [each["id"] for each in after["fulfillment_orders"][1:]] == [fo["id"]]
    assert (quantities(after)["lost"], quantities(after)["reshipped"], world.figures("A")) == (2, 2, (8, 2))


def test_a_replacement_that_is_lost_too_is_replaced_or_paid_back(world: World) -> None:
    order = shipped(world, order_body())
    fo = replacement(claim(world, parcel(order), "lost", "reship", units("1", 2)).body["order"])
    world.ship(fo["id"], {"1": 2}, "R1")
    second = parcel(world.order(order["id"]), 1)
    after = claim(world, second, "lost", "reship", units("1", 1)).body["order"]
    assert (quantities(after)["lost"], quantities(after)["reshipped"]) == (2, 2)
    assert [each["status"] for each in after["fulfillment_orders"]] == ["shipped", "shipped", "released"]
    done = settled(world, order, claim(world, second, "lost", "refund", units("1", 1)))
    assert (world.gateway.moved("refund"), quantities(done)["reshipped"]) == ([1200], 1)
    assert [each["status"] for each in done["fulfillment_orders"]] == ["shipped", "delivered", "released"]
    law_two(done)


def test_units_on_their_way_back_are_not_claimed(world: World) -> None:
    order = world.delivered(order_body())
    world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]})
    assert claim(world, parcel(order), "damaged", "refund", units("1", 2)).status == 409
    assert claim(world, parcel(order), "damaged", "reship", units("1", 1)).status == 200


def test_a_return_that_starts_while_a_claim_is_settled_pays_the_other_unit(world: World) -> None:
    order = world.delivered(order_body())
    claimed = claim(world, parcel(order), "missing", "refund", units("1", 1))
    returned = {"lines": [{"line_id": "1", "quantity": 2, "reason": "small"}]}
    assert world.call("POST", f"/v1/orders/{order['id']}/returns", returned).status == 409
    returned["lines"][0]["quantity"] = 1
    ret = world.done("POST", f"/v1/orders/{order['id']}/returns", returned)["id"]
    world.done("POST", f"/v1/returns/{ret}/approve")
    world.done("POST", f"/v1/returns/{ret}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    world.step("return_order", "Return", order["id"], return_id=ret)
    done = settled(world, order, claimed)
    assert (world.gateway.moved("refund"), done["status"]) == ([1200, 1200], "completed")
    law_two(done)


def test_stock_that_is_short_refuses_the_claim_and_writes_nothing_off(world: World) -> None:
    order = shipped(world, order_body())
    world.stock("A", "berlin", 0)
    world.stock("A", "lyon", 1)
    refused = claim(world, parcel(order), "lost", "reship", units("1", 2))
    assert (refused.status, refused.body["type"], refused.pointers) == (409, "urn:oms:problem:out-of-stock", {"/lines/0/quantity"})
    assert world.order(order["id"])["version"] == order["version"]


def test_what_is_wrong_with_a_claim_is_named(world: World) -> None:
    order = shipped(world, order_body())
    assert claim(world, parcel(order), "lost", "reship", units("1", 1), reduce_shipping=True).status == 422
    assert claim(world, parcel(order), "lost", "reship", units("9", 1)).pointers == {"/lines/0/line_id"}
    assert claim(world, parcel(order), "lost", "refund", units("1", 3)).status == 409
    assert claim(world, parcel(order), "lost", "refund", units("1", 1), shipment_id="shp_other").pointers == {"/shipment_id"}
    assert claim(world, {"id": parcel(order)["id"] + "9"}, "lost", "refund", units("1", 1)).status == 404
    assert claim(world, {"id": "shp_x"}, "lost", "refund", units("1", 1)).status == 404
    world.done("PUT", "/v1/reasons/torn", {"actions": ["claim"]})
    assert claim(world, parcel(order), "lost", "refund", units("1", 1)).pointers == {"/lines/0/reason"}


def test_a_refund_above_an_agents_limit_waits_for_approval_and_names_its_parcel(world: World) -> None:
    order = shipped(world, order_body())
    world.done("PUT", "/v1/roles/junior", {"clients": ["shop"], "limits": {"EUR": {"goodwill": 1000}}})
    asked = claim(world, parcel(order), "lost", "refund", units("1", 1))
    assert (asked.status, asked.body["change"]["status"]) == (202, "pending_approval")
    assert asked.body["change"]["requested"]["body"]["shipment_id"] == parcel(order)["id"]
    assert "lost" not in quantities(asked.body["order"])
    given = world.call("POST", f"/v1/approvals/{asked.body['change']['id']}/approve", {}, who="boss")
    done = settled(world, order, given)
    assert (quantities(done)["lost"], world.gateway.moved("refund")) == (1, [1200])


def test_what_is_sent_again_is_given_away_and_counts_like_money(world: World) -> None:
    order = shipped(world, order_body())
    world.done("PUT", "/v1/roles/junior", {"clients": ["shop"], "limits": {"EUR": {"goodwill": 1199}}})
    asked = claim(world, parcel(order), "lost", "reship", units("1", 1))
    assert (asked.status, asked.body["change"]["status"], asked.body["order"]["fulfillment_orders"][1:]) == (202, "pending_approval", [])
    requested = asked.body["change"]["requested"]["figures"]
    assert (requested["grand_total"], requested["goods_amount"]) == (0, 1200)
    given = world.done("POST", f"/v1/approvals/{asked.body['change']['id']}/approve", {}, who="boss")
    assert (given["change"]["id"], replacement(given["order"])["replaces"]) == (asked.body["change"]["id"],) * 2
    assert claim(world, parcel(order), "lost", "reship", units("2", 1)).status == 200, "5.00 is within the limit"


def test_what_was_sent_again_before_is_not_given_away_by_its_claim(world: World) -> None:
    order = shipped(world, order_body())
    reship(world, order, units("1", 1))
    world.done("PUT", "/v1/roles/junior", {"clients": ["shop"], "limits": {"EUR": {"goodwill": 0}}})
    assert claim(world, parcel(order), "lost", "reship", units("1", 1)).status == 200


@pytest.mark.parametrize("kind", ["damaged", "missing"])
def test_a_gift_card_that_may_have_been_spent_is_returned_and_not_claimed(world: World, kind: str) -> None:
    body = order_body(quantities={"A": 1})
    body["lines"][0]["product"] = {"gift_card": True}
    order = world.delivered(body)
    refused = claim(world, parcel(order), kind, "refund", units("1", 1))
    assert (refused.status, refused.body["type"], refused.pointers) == (409, "urn:oms:problem:not-claimable", {"/lines/0/line_id"})
    assert world.order(order["id"])["version"] == order["version"]
    assert claim(world, parcel(order), kind, "reship", units("1", 1)).status == 200, "the same card, printed once more"


def test_a_gift_card_that_never_came_is_paid_back_and_never_lives(world: World) -> None:
    body = order_body(quantities={"A": 1})
    body["lines"][0]["product"] = {"gift_card": True}
    order = shipped(world, body)
    settled(world, order, claim(world, parcel(order), "lost", "refund", units("1", 1)))
    assert world.gateway.moved("refund") == [1200]
    world.carrier(order["shipments"][0]["tracking_number"], "delivered")
    world.pump()
    assert world.done("GET", f"/v1/orders/{order['id']}/gift-cards")["data"] == []
