"""Self-service on real parts: guests by their signed link, customers by their own token, and nothing but what the rules leave to them."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local import life
from infra.local.client import Api
from infra.local.stack import Stack
from tests.support import engine, people
from tests.support.engine import JSON, UNIT, an_order

ONE: JSON = {"line_id": "1", "quantity": 1, "reason": "too_small"}
BOX: JSON = {"line_id": "1", "quantity": 1, "condition": "resellable"}


@pytest.fixture
def guest(stack: Stack) -> Any:
    """Somebody without a token."""
    with Api(stack.base_url) as client:
        yield client


def link(order: JSON) -> str:
    """The path behind an order's tracking link."""
    return "/v1/track/" + str(order["tracking_page_url"]).rpartition("/")[2]


def test_a_guest_cancels_with_a_preview(api: Api, guest: Api, stack: Stack) -> None:
    order = engine.placed(api, an_order(engine.stocked(api), 3))
    balances, done = engine.quoted(guest, f"{link(order)}/cancellations", {"lines": [ONE]})
    assert (balances["grand_total"], done["change"]["status"]) == (-UNIT, "pending"), "the warehouse is asked first"
    assert guest.get(link(order))["lines"][0]["quantities"]["cancel_requested"] == 1
    fo = order["fulfillment_orders"][0]["id"]
    stopped = {"change_id": done["change"]["id"], "lines": [{"line_id": "1", "quantity": 1}]}
    api.post(f"/v1/fulfillment-orders/{fo}/cancel-response", stopped)
    after = engine.changed(api, order["id"], done["change"]["id"])
    assert after["payment"]["voided"] == UNIT
    assert after["changes"][0]["actor"] == "guest"
    life.ship(api, {**order["fulfillment_orders"][0], "lines": [{"line_id": "1", "quantity": 2}]})
    engine.adds_up(engine.arrive(stack, api, order["id"]))
    assert engine.steps(engine.told(stack, api, order["id"], done["change"]["id"])) == ["Settle", "Settled"]


def test_a_guest_returns_and_follows_it(api: Api, guest: Api, stack: Stack) -> None:
    order = engine.delivered(stack, api, an_order(engine.stocked(api)))
    ret = guest.post(f"{link(order)}/returns", {"lines": [ONE]})
    assert ret["status"] == "requested"
    engine.receive(api, ret["id"], BOX)
    after = engine.settled(api, order["id"], ret["id"])
    engine.adds_up(after)
    seen = guest.get(link(order))
    assert (seen["returns"][0]["status"], seen["payment"]["refunded"], seen["return_status"]) == ("settled", UNIT, "partially_returned")
    for private in ("pay_", "berlin", "ada@example.com", "Kastanienallee"):
        assert private not in str(seen)


def test_a_guest_exchanges_at_the_price_paid(api: Api, guest: Api, stack: Stack) -> None:
    order = engine.delivered(stack, api, an_order(engine.stocked(api)))
    body = {"return_lines": [ONE], "new_lines": [{"sku": order["lines"][0]["sku"], "quantity": 1}]}
    balances, done = engine.quoted(guest, f"{link(order)}/exchanges", body)
    assert (balances["grand_total"], done["change"]["new_order_number"]) == (0, f"{order['order_number']}-E1")
    engine.receive(api, api.get(f"/v1/orders/{order['id']}")["returns"][0]["id"], BOX)
    order = life.wait(api, order["id"], "the exchange", lambda seen: seen["exchanges"][0]["status"] == "done")
    new_id = order["exchanges"][0]["new_order_id"]
    engine.send(api, new_id)
    for each in (order, engine.arrive(stack, api, new_id)):
        engine.adds_up(each)


def test_nobody_names_what_the_rules_decide_nor_reaches_another_order(api: Api, guest: Api, stack: Stack) -> None:
    mine, other = (engine.delivered(stack, api, an_order(engine.stocked(api))) for _ in range(2))
    closed = engine.refused(guest, f"{link(mine)}/returns", {"lines": [ONE], "fees": [], "mode": "immediate", "location_id": "berlin"})
    assert (closed.status, {each["pointer"] for each in closed.body["errors"]}) == (403, {"/fees", "/mode", "/location_id"})
    forged = ".".join([other["id"], *link(mine).split(".")[1:]])
    assert engine.refused(guest, f"/v1/track/{forged}/returns", {"lines": [ONE]}).status == 404
    assert engine.refused(guest, f"/v1/orders/{mine['id']}/returns", {"lines": [ONE]}).status == 401


def test_a_link_is_sent_again_on_request(api: Api, guest: Api) -> None:
    order = engine.placed(api, an_order(engine.stocked(api)))
    asked = {"order_number": order["order_number"], "email": order["customer"]["email"]}
    wrong = {**asked, "email": "eve@example.com"}
    assert guest.post("/v1/track/requests", asked) == guest.post("/v1/track/requests", wrong)
    facts = [event["type"] for event in api.get(f"/v1/orders/{order['id']}/timeline", limit=100)["data"]]
    assert facts.count("track.link_requested") == 1


def test_customers_do_it_with_their_own_token_for_their_own_orders(api: Api, stack: Stack) -> None:
    shopper, subject = people.a_customer(stack)
    with shopper:
        mine = an_order(engine.stocked(api))
        mine["customer"]["id"] = subject
        order = engine.delivered(stack, api, mine)
        ret = shopper.post(f"/v1/orders/{order['id']}/returns", {"lines": [ONE]})
        assert ret["order"]["actions"]["return"] == [{"line_id": "1", "quantity": 1}]
        others = engine.delivered(stack, api, an_order(engine.stocked(api)))
        assert engine.refused(shopper, f"/v1/orders/{others['id']}/returns", {"lines": [ONE]}).status == 404
        assert engine.refused(shopper, f"/v1/orders/{order['id']}/adjustments", {"lines": []}).status == 403
        assert shopper.call("GET", f"/v1/orders/{order['id']}").status == 403
