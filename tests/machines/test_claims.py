"""Whole lives of parcels that are lost, damaged, written off, sent again, through the synthesised machines."""

from __future__ import annotations

from typing import Any

import pytest

from tests.machines.engine import Engine
from tests.support.service import event, law_two, replacement, units
from tests.support.world import JSON, Call, order_body


def act(engine: Engine, path: str, body: JSON | None = None) -> Any:
    """A command that must succeed; the machines come to rest after it."""
    answer = engine.world.done("POST", path, body)
    engine.settle()
    return answer


def sent(engine: Engine) -> Any:
    """An order whose only parcel is on its way, as T1."""
    order_id = engine.world.place(order_body())["id"]
    engine.settle()
    fo = engine.world.order(order_id)["fulfillment_orders"][0]["id"]
    engine.world.ship(fo, {"1": 2, "2": 1}, "T1")
    engine.settle()
    return engine.world.order(order_id)


def again(engine: Engine, order: Any) -> Any:
    return engine.world.order(order["id"])


def news(engine: Engine, number: str, status: str) -> None:
    assert engine.world.carrier(number, status).body["changed"]
    engine.settle()


def claims_of(order: Any) -> str:
    return f"/v1/shipments/{order['shipments'][0]['id']}/claims"


def test_a_lost_parcel_is_sent_again_by_a_machine_without_money(engine: Engine) -> None:
    order = sent(engine)
    lost = order["fulfillment_orders"][0]["id"]
    act(engine, claims_of(order), event("service/claim_lost_reship"))
    fo = replacement(again(engine, order))
    assert engine.statuses() == {order["id"]: "SUCCEEDED", lost: "SUCCEEDED", fo["id"]: "Ship"}
    engine.world.ship(fo["id"], {"1": 2, "2": 1}, "R1")
    engine.settle()
    assert engine.path(fo["id"]) == ["Ship", "Deliver"]
    assert again(engine, order)["status"] == "open"
    news(engine, "R1", "delivered")
    done = again(engine, order)
    assert (done["status"], done["payment_status"], done["delivery_status"]) == ("completed", "captured", "delivered")
    assert set(engine.statuses().values()) == {"SUCCEEDED"}
    assert (engine.world.gateway.moved("capture"), engine.world.gateway.moved("refund")) == ([3500], [])
    law_two(done)


def test_a_lost_parcel_that_is_paid_back_ends_the_order(engine: Engine) -> None:
    order = sent(engine)
    body = {"kind": "lost", "remedy": "refund", "lines": [units("1", 2), units("2", 1)], "reduce_shipping": True}
    change = act(engine, claims_of(order), body)["change"]["id"]
    done = again(engine, order)
    assert (done["status"], done["payment_status"]) == ("completed", "refunded")
    assert engine.path(change) == ["Settle", "Settled"]
    assert set(engine.statuses().values()) == {"SUCCEEDED"}, "nobody waits for a parcel that is written off"
    assert engine.world.gateway.moved("refund") == [3500]
    law_two(done)


def test_a_claim_on_a_parcel_that_comes_back_closes_what_was_asked_about_it(engine: Engine) -> None:
    order = sent(engine)
    fo = order["fulfillment_orders"][0]["id"]
    news(engine, "T1", "return_to_sender")
    assert engine.statuses()[fo] == "Raise exception: Deliver"
    act(engine, claims_of(order), {"kind": "lost", "remedy": "refund", "lines": [units("1", 2)]})
    assert engine.statuses()[fo] == "Raise exception: Deliver", "a part of the parcel is still awaited"
    act(engine, claims_of(order), {"kind": "lost", "remedy": "refund", "lines": [units("2", 1)], "reduce_shipping": True})
    done = again(engine, order)
    assert (engine.statuses()[fo], done["status"], done["attention"]) == ("SUCCEEDED", "completed", [])
    assert [problem["action"] for problem in done["exceptions"]] == ["claimed"]


@pytest.mark.parametrize("how", ["reject", "reroute", "drain"])
def test_a_replacement_that_loses_its_place_is_placed_again(engine: Engine, how: str) -> None:
    order = sent(engine)
    act(engine, claims_of(order), event("service/claim_lost_reship"))
    fo = replacement(again(engine, order))
    if how == "drain":
        act(engine, "/v1/locations/berlin/drain", {"reason": "flood"})
    else:
        act(engine, f"/v1/fulfillment-orders/{fo['id']}/{how}", {"reason": "flood"})
    moved = replacement(again(engine, order), 1)
    assert (moved["location_id"], engine.statuses()[moved["id"]], engine.statuses()[fo["id"]]) == ("lyon", "Ship", "SUCCEEDED")
    assert (engine.world.figures("A"), engine.world.figures("A", "lyon")) == ((8, 0), (10, 2))
    engine.world.ship(moved["id"], {"1": 2, "2": 1}, "R1")
    engine.settle()
    news(engine, "R1", "delivered")
    assert (again(engine, order)["status"], set(engine.statuses().values())) == ("completed", {"SUCCEEDED"})


@pytest.mark.parametrize("action", ["retry", "resolve"])
def test_a_replacement_that_nobody_can_send_is_decided_by_a_person(engine: Engine, action: str) -> None:
    world = engine.world
    order = sent(engine)
    act(engine, claims_of(order), {"kind": "lost", "remedy": "reship", "lines": [units("1", 2)], "reason": "lost"})
    world.stock("A", "lyon", 0)
    act(engine, f"/v1/fulfillment-orders/{replacement(again(engine, order))['id']}/reject", {"reason": "flood"})
    (problem,) = world.done("GET", "/v1/exceptions")["data"]
    assert (problem["kind"], "2 of A (line 1, refused by berlin)" in problem["cause"]) == ("allocation", True)
    if action == "retry":
        world.stock("A", "lyon", 5)
    act(engine, f"/v1/exceptions/{problem['id']}/{action}", {"action": "cancel_and_refund"} if action == "resolve" else None)
    after = again(engine, order)
    if action == "retry":
        assert replacement(after, 1)["status"] == "released"
        return
    assert (world.gateway.moved("refund"), after["lines"][0]["quantities"]["reshipped"]) == ([2400], 0)
    assert after["lines"][0]["quantities"]["cancelled"] == 0
    law_two(after)
    news(engine, "T1", "delivered")  # with line 2, which nobody has claimed
    assert set(engine.statuses().values()) == {"SUCCEEDED"}
    assert again(engine, order)["status"] == "completed"


@pytest.mark.parametrize("sent_again", [1, 2])
@pytest.mark.parametrize("box_comes", ["before", "after"])
def test_units_that_come_back_are_paid_for_by_their_return_alone(engine: Engine, box_comes: str, sent_again: int) -> None:
    world = engine.world
    order = sent(engine)
    news(engine, "T1", "delivered")
    act(engine, f"/v1/orders/{order['id']}/reshipments", {"lines": [units("1", sent_again)]})
    returned = {"lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]}
    ret = act(engine, f"/v1/orders/{order['id']}/returns", returned)["order"]["returns"][0]["id"]
    act(engine, f"/v1/returns/{ret}/approve")

    def receive() -> None:
        act(engine, f"/v1/returns/{ret}/receive", {"lines": [{"line_id": "1", "quantity": 1, "condition": "resellable"}]})

    if box_comes == "before":
        receive()
    world.stock("A", "lyon", 0)
    act(engine, f"/v1/fulfillment-orders/{replacement(again(engine, order))['id']}/reject", {"reason": "flood"})
    (problem,) = world.done("GET", "/v1/exceptions")["data"]
    act(engine, f"/v1/exceptions/{problem['id']}/resolve", {"action": "cancel_and_refund"})
    if box_comes == "after":
        receive()
    after = again(engine, order)
    assert world.gateway.moved("refund") == [1200] * sent_again, "unit 1 by its return; unit 2 because nobody could send it again"
    assert (after["status"], after["totals"]["grand_total"]) == ("completed", 3500 - 1200 * sent_again)
    law_two(after)


class TestGiftCards:
    """What is not sent again after all is paid back, unless somebody has spent it."""

    def card(self, engine: Engine) -> tuple[Any, str]:
        """An order of one gift card of 12.00, delivered; its account."""
        body = order_body(quantities={"A": 1})
        body["lines"][0]["product"] = {"gift_card": True}
        order = engine.world.place(body)
        engine.settle()
        engine.world.ship_all(engine.world.order(order["id"]))
        engine.settle()
        news(engine, f"T-{again(engine, order)['fulfillment_orders'][0]['id']}", "delivered")
        (card,) = engine.world.done("GET", f"/v1/orders/{order['id']}/gift-cards")["data"]
        return again(engine, order), card["id"]

    def spend(self, engine: Engine, account: str) -> None:
        tenders = [{"method": "gift_card", "account_id": account, "amount": 500}, {"method": "card", "token": "tok_approve", "amount": 600}]
        engine.world.place(order_body("W-2", quantities={"B": 1}, payments=tenders))

    def unplaced(self, engine: Engine, order: Any, how: str) -> JSON:
        """It was to be sent again, for a claim or a return, and no location can: the exception that says so."""
        world = engine.world
        if how == "claim":
            act(engine, claims_of(order), {"kind": "damaged", "remedy": "reship", "lines": [units("1", 1)]})
        else:
            lines = [{"line_id": "1", "quantity": 1, "resolution": "replace"}]
            ret = act(engine, f"/v1/orders/{order['id']}/returns", {"lines": lines})
            act(engine, f"/v1/returns/{ret['id']}/approve")
        for place in ("berlin", "lyon"):
            world.stock("A", place, 1 if how == "claim" and place == "berlin" else 0)
        if how == "claim":
            act(engine, f"/v1/fulfillment-orders/{replacement(again(engine, order))['id']}/reject", {"reason": "flood"})
        else:
            act(engine, f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "1", "quantity": 1, "condition": "damaged"}]})
        (problem,) = world.done("GET", "/v1/exceptions")["data"]
        found: JSON = problem
        return found

    @pytest.mark.parametrize(("how", "action"), [("claim", "cancel_and_refund"), ("return", "refund")])
    def test_a_whole_card_dies_before_it_is_paid_back(self, engine: Engine, how: str, action: str) -> None:
        order, account = self.card(engine)
        problem = self.unplaced(engine, order, how)
        act(engine, f"/v1/exceptions/{problem['id']}/resolve", {"action": action})
        assert engine.world.gateway.moved("refund") == [1200]
        assert engine.world.done("GET", f"/v1/credit-accounts/{account}")["status"] == "closed"
        assert engine.world.done("GET", f"/v1/orders/{order['id']}/gift-cards")["data"] == []
        law_two(again(engine, order))

    @pytest.mark.parametrize(("how", "action"), [("claim", "cancel_and_refund"), ("return", "refund")])
    def test_a_spent_card_is_not_paid_back(self, engine: Engine, how: str, action: str) -> None:
        order, account = self.card(engine)
        problem = self.unplaced(engine, order, how)
        self.spend(engine, account)
        before = again(engine, order)
        refused = engine.world.call("POST", f"/v1/exceptions/{problem['id']}/resolve", {"action": action})
        assert (refused.status, refused.body["type"]) == (409, "urn:oms:problem:gift-card-spent")
        assert again(engine, order) == before

    def test_nor_one_that_is_spent_while_it_is_given_up(self, engine: Engine) -> None:
        order, account = self.card(engine)
        problem = self.unplaced(engine, order, "claim")
        resolved: list[str] = []

        def interrupt(call: Call) -> None:
            if call.operation == "TransactWriteItems" and engine.world.wire.work.name.startswith("allocate") and not resolved:
                resolved.append(account)
                self.spend(engine, account)

        with engine.world.wire.watched(before=interrupt):
            act(engine, f"/v1/exceptions/{problem['id']}/resolve", {"action": "cancel_and_refund"})
        (stopped,) = engine.world.done("GET", "/v1/exceptions")["data"]
        assert (resolved, stopped["step"], "was spent from" in stopped["cause"]) == ([account], "Settle", True)
        assert engine.world.gateway.moved("refund") == []


def test_what_waits_for_a_place_is_found_when_its_execution_has_died(engine: Engine) -> None:
    world = engine.world
    order = sent(engine)
    act(engine, claims_of(order), event("service/claim_lost_reship"))
    world.done("POST", f"/v1/fulfillment-orders/{replacement(again(engine, order))['id']}/reject", {"reason": "flood"})
    world.wire.stream.clear()  # nobody hears that it has to be placed again
    world.advance(minutes=6)
    world.invoke("reconcile", {})
    engine.settle()
    assert replacement(again(engine, order), 1)["location_id"] == "lyon"
