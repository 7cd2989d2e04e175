"""A declined payment leaves nothing behind, and another card may follow."""

from __future__ import annotations

from typing import Any

import pytest

from oms import clock
from oms.payments import sandbox
from oms.storage.orders import load
from tests.support.orders import a_card
from tests.support.world import JSON, World, order_body

KEY = {"Idempotency-Key": "k-1"}


def declined(world: World, number: str = "W-1", **more: Any) -> Any:
    return world.place(order_body(number, token="tok_decline"), status=402, **more)


def two_cards(*tokens: str) -> JSON:
    body = order_body()
    amounts = [3000, 500]
    body["payments"] = [
        {"method": "card", "gateway": "sandbox", "token": token, "amount": amount} for token, amount in zip(tokens, amounts, strict=True)
    ]
    return body


def test_a_decline_gives_everything_back(world: World) -> None:
    order = declined(world)
    assert (order["status"], order["payment_status"], order["money_owed"]) == ("declined", "failed", "none")
    assert order["payment"]["authorized"] == 0
    assert order["attention"] == []
    assert (world.figures("A"), world.figures("B")) == ((10, 0), (10, 0))
    assert not [item for item in world.items()["oms-orders"] if item["pk"]["S"].startswith("number#")]
    assert [name for name, _ in world.facts(order["id"])] == ["payment.declined", "order.declined"]


def test_the_token_of_a_card_is_never_shown_and_not_kept_once_used(world: World) -> None:
    world.place(order_body())
    assert "tok_approve" not in str([item for item in world.items()["oms-orders"] if item["sk"]["S"].startswith("timeline")])
    (payment,) = [item for item in world.items()["oms-orders"] if item["sk"]["S"].startswith("state#payment")]
    assert "token" not in payment


def test_the_same_key_repeats_the_402_and_calls_nobody(world: World) -> None:
    first = declined(world, headers=KEY)
    again = world.call("POST", "/v1/orders", order_body(token="tok_decline"), headers=KEY)
    assert (again.status, again.body["id"], again.headers["idempotent-replayed"]) == (402, first["id"], "true")
    assert sum(len(calls) for calls in world.gateway.calls.values()) == 1


def test_a_new_submit_is_a_new_order_because_the_number_is_free(world: World) -> None:
    first = declined(world)
    second = world.place(order_body())
    assert first["id"] != second["id"]
    assert second["status"] == "open"
    assert world.done("GET", "/v1/orders", query={"channel": "web", "order_number": "W-1"})["data"][0]["id"] == second["id"]


def test_another_card_captures_the_declined_order(world: World) -> None:
    order = declined(world)
    answer = world.call("POST", f"/v1/orders/{order['id']}/payments", {"method": "card", "token": "tok_approve", "amount": 3500})
    assert (answer.status, answer.body["status"], answer.body["payment_status"]) == (201, "open", "authorized")
    assert [payment["status"] for payment in answer.body["payments"]] == ["failed", "authorized"]
    assert world.figures("A") == (10, 2)
    assert world.call("POST", "/v1/orders", order_body(quantities={"A": 1})).status == 409
    world.pump()
    assert world.started() == [order["id"]]


def test_another_card_that_is_declined_too(world: World) -> None:
    order = declined(world)
    path = f"/v1/orders/{order['id']}/payments"
    for _ in range(2):
        answer = world.call("POST", path, {"method": "card", "token": "tok_decline_insufficient", "amount": 3500}, headers=KEY)
        assert (answer.status, answer.body["status"]) == (402, "declined")
    assert [payment["status"] for payment in answer.body["payments"]] == ["failed", "failed"]
    assert world.figures("A") == (10, 0)
    assert world.call("POST", path, {"method": "card", "token": "tok_approve", "amount": 3500}).status == 201


def test_another_card_when_the_number_is_taken_meanwhile(world: World) -> None:
    order = declined(world)
    world.place(order_body(quantities={"B": 1}))
    before = world.items()
    answer = world.call("POST", f"/v1/orders/{order['id']}/payments", {"method": "card", "token": "tok_approve", "amount": 3500})
    assert (answer.status, answer.body["type"]) == (409, "urn:oms:problem:duplicate-order-number")
    assert world.items() == before
    assert world.gateway.moved("authorize") == [1100]


def test_another_card_when_the_stock_is_gone_meanwhile(world: World) -> None:
    order = declined(world)
    for place in ("berlin", "lyon"):
        world.stock("A", place, 0)
    answer = world.call("POST", f"/v1/orders/{order['id']}/payments", {"method": "card", "token": "tok_approve", "amount": 3500})
    assert (answer.status, answer.body["type"]) == (409, "urn:oms:problem:out-of-stock")
    assert world.order(order["id"])["status"] == "declined"


def test_another_card_must_cover_the_total_and_the_order_must_be_declined(world: World) -> None:
    order = declined(world)
    path = f"/v1/orders/{order['id']}/payments"
    assert world.call("POST", path, {"method": "card", "token": "tok_approve", "amount": 1}).status == 422
    assert world.call("POST", path, {"method": "card", "token": "tok_approve", "amount": 3500, "pin": 1}).pointers == {"/pin"}
    fine = world.place(order_body("W-2"))
    answer = world.call("POST", f"/v1/orders/{fine['id']}/payments", {"method": "card", "token": "tok_approve", "amount": 3500})
    assert answer.status == 409


def test_two_cards_are_both_authorized(world: World) -> None:
    order = world.place(two_cards("tok_approve", "tok_approve"))
    assert [payment["authorized"] for payment in order["payments"]] == [3000, 500]
    assert world.gateway.moved("authorize") == [500, 3000]


def test_when_the_second_card_is_declined_the_first_is_given_back(world: World) -> None:
    order = world.place(two_cards("tok_approve", "tok_decline"), status=402)
    assert [payment["status"] for payment in order["payments"]] == ["voided", "failed"]
    assert (world.gateway.moved("authorize"), world.gateway.moved("void")) == ([3000], [3000])
    assert world.figures("A") == (10, 0)
    assert [name for name, _ in world.facts(order["id"])] == ["payment.authorized", "payment.declined", "payment.voided", "order.declined"]


def test_what_a_gateway_authorizes_after_the_order_was_declined_is_given_back(world: World) -> None:
    order = world.place(two_cards("tok_async", "tok_decline"), status=402)
    news = {"payment_id": order["payments"][0]["id"], "kind": "authorization", "state": "succeeded", "amount": 3000}
    payment = load(order["id"]).payments[news["payment_id"]]
    news |= {"reference": payment.events[0].reference, "occurred_at": clock.stamp()}
    for _ in range(2):
        assert world.signed("/v1/webhooks/payments/sandbox", {"type": "payment.event", "data": news}).status == 200
    (change,) = world.order(order["id"])["changes"]
    assert (change["kind"], change["status"]) == ("release", "pending")
    assert world.step("settle", "Settle", order["id"], change_id=change["id"])["next"] == "settled"
    assert world.gateway.moved("void") == [3000]
    order = world.order(order["id"])
    assert (order["status"], order["payment_status"], order["changes"][0]["status"]) == ("declined", "voided", "done")


def test_when_the_first_card_is_declined_the_second_is_not_asked_now_or_later(world: World) -> None:
    order = world.place(two_cards("tok_decline", "tok_approve"), status=402)
    assert (order["payment"]["pending_authorization"], order["payment_status"]) == (0, "failed")
    assert world.gateway.moved("authorize") == []
    answer = world.call("POST", f"/v1/orders/{order['id']}/payments", {"method": "card", "token": "tok_approve", "amount": 3500})
    assert answer.status == 201
    assert world.gateway.moved("authorize") == [3500]


def test_after_two_cards_a_third_may_pay_it_all(world: World) -> None:
    order = world.place(two_cards("tok_approve", "tok_decline"), status=402)
    answer = world.call("POST", f"/v1/orders/{order['id']}/payments", {"method": "card", "token": "tok_approve", "amount": 3500})
    assert (answer.status, answer.body["payment_status"], answer.body["money_owed"]) == (201, "authorized", "none")
    assert answer.body["payment"]["authorized"] - answer.body["payment"]["voided"] == 3500


def test_a_gateway_that_cannot_be_reached_is_a_503_and_trying_again_captures_the_same_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = order_body(token="tok_unavailable")
    for _ in range(2):
        answer = world.call("POST", "/v1/orders", body)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert world.figures("A") == (10, 2)
    monkeypatch.setattr(sandbox, "_UNAVAILABLE", "tok_other")
    monkeypatch.setattr(sandbox, "_KNOWN", {"tok_unavailable"})
    order = world.place(body)
    assert (order["status"], world.figures("A")) == ("open", (10, 2))
    assert world.gateway.moved("authorize") == [3500]
    assert len([item for item in world.items()["oms-orders"] if item["sk"]["S"] == "state#summary"]) == 1


def test_money_that_nobody_gives_back_by_itself_is_one_task_for_a_person(world: World) -> None:
    """Cash and a transfer, known only by name, and a card that is declined: both are paid back by hand, and said so once."""
    elsewhere = [{"method": name, "amount": 1000, "capture": {"reference": name, "amount": 1000}} for name in ("cash", "transfer")]
    order = world.place(order_body(payments=[*elsewhere, a_card(1500, "tok_decline")]), status=402)
    (problem,) = order["exceptions"]
    assert (order["status"], problem["kind"], problem["actions"]) == ("declined", "payment", ["resolve:recorded", "abandon"])
    assert problem["cause"].count("10.00 EUR") == 2
    world.done("POST", f"/v1/exceptions/{problem['id']}/resolve", {"action": "recorded"})
    order = world.order(order["id"])
    assert (order["payment"]["captured"], order["payment"]["refunded"]) == (2000, 2000)
    assert [each["status"] for each in order["exceptions"]] == ["resolved"]
