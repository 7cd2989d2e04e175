"""Steps that fail, on real parts: the exception says what it was, offers what helps, and goes on at that very step."""

from __future__ import annotations

from typing import Any

from infra.local import life
from infra.local.client import Api
from infra.local.stack import Stack
from tests.support import engine
from tests.support.engine import DELIVERY, UNIT, an_order


def stuck(api: Api, order_id: str) -> Any:
    """The order, as soon as a step of it has failed for good."""
    return engine.until(api, order_id, "an exception", lambda seen: bool(seen["exceptions"]))


def test_a_card_that_refuses_the_capture_once_is_tried_again_at_that_step(api: Api, stack: Stack) -> None:
    card = engine.card(2 * UNIT + DELIVERY, "tok_capture_decline_once")
    order = engine.placed(api, an_order(engine.stocked(api), payments=[card]))
    life.ship(api, order["fulfillment_orders"][0])
    problem = stuck(api, order["id"])["exceptions"][0]
    assert (problem["kind"], problem["step"], problem["status"]) == ("payment", "Capture payment", "open")
    assert "declined" in problem["cause"]
    assert "retry" in problem["actions"]
    api.post(f"/v1/exceptions/{problem['id']}/retry", {"note": "the bank has lifted the block"})
    life.wait(api, order["id"], "the invoice", lambda seen: bool(seen["invoices"]))
    order = engine.arrive(stack, api, order["id"])
    engine.adds_up(order)
    assert engine.steps(engine.told(stack, api, order["id"], order["fulfillment_orders"][0]["id"])) == [
        *("Ship", "Capture payment", "Raise exception: Capture payment", "Capture payment", "Deliver"),
    ]


def test_a_refund_that_is_refused_is_an_exception_of_the_return(api: Api, stack: Stack) -> None:
    card = engine.card(2 * UNIT + DELIVERY, "tok_refund_decline")
    order = engine.delivered(stack, api, an_order(engine.stocked(api), payments=[card]))
    ret = api.post(f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]})
    engine.receive(api, ret["id"], {"line_id": "1", "quantity": 1, "condition": "resellable"})
    order = stuck(api, order["id"])
    (problem,) = order["exceptions"]
    assert (problem["kind"], problem["step"], problem["return_id"]) == ("payment", "Return", ret["id"])
    assert "exception" in order["attention"]


def test_a_parcel_that_comes_back_is_marked_delivered_by_hand(api: Api, stack: Stack) -> None:
    order = engine.placed(api, an_order(engine.stocked(api)))
    order = engine.send(api, order["id"])
    engine.news(stack, api, order["shipments"][0]["tracking_number"], "return_to_sender")
    problem = stuck(api, order["id"])["exceptions"][0]
    assert (problem["kind"], problem["step"]) == ("parcel", "Deliver")
    api.post(f"/v1/exceptions/{problem['id']}/resolve", {"action": "mark_delivered", "note": "the neighbour has it"})
    order = life.wait(api, order["id"], "completion", lambda seen: seen["status"] == "completed")
    engine.adds_up(order)
