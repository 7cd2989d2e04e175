"""Exchanges through the machines: two orders, each with its own executions, and one value that moves from one to the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from oms.payments.gateway import Instruction, Outcome, Unsure
from oms.payments.records import Payment
from tests.machines.engine import Engine
from tests.support.gateways import Faulty
from tests.support.orders import a_card
from tests.support.world import JSON, order_body


def act(engine: Engine, path: str, body: JSON | None = None) -> Any:
    answer = engine.world.done("POST", path, body)
    engine.settle()
    return answer


def send(engine: Engine, order_id: str) -> Any:
    """Ship everything and deliver it."""
    for number in engine.world.ship_all(engine.world.order(order_id)):
        engine.settle()
        engine.world.carrier(number, "delivered")
    engine.settle()
    return engine.world.order(order_id)


def delivered(engine: Engine) -> Any:
    order_id = engine.world.place(order_body())["id"]
    engine.settle()
    return send(engine, order_id)


def exchange(engine: Engine, order: Any, *lines: JSON, units: int = 1, **more: Any) -> tuple[Any, str]:
    """The exchange of units of line 1, and the id of the new order."""
    body = {"return_lines": [{"line_id": "1", "quantity": units}], "new_lines": list(lines), **more}
    answer = act(engine, f"/v1/orders/{order['id']}/exchanges", body)
    return answer["order"]["exchanges"][-1], answer["change"]["new_order_id"]


def goods(sku: str, quantity: int, unit_price: int) -> JSON:
    return {"sku": sku, "quantity": quantity, "unit_price": unit_price}


def come_back(engine: Engine, about: Any, units: int = 1) -> None:
    act(engine, f"/v1/returns/{about['return_id']}/approve")
    act(engine, f"/v1/returns/{about['return_id']}/receive", {"lines": [{"line_id": "1", "quantity": units}]})


def test_the_new_order_waits_for_the_old_goods_and_then_goes_its_way(engine: Engine) -> None:
    old = delivered(engine)
    about, new_id = exchange(engine, old, {"sku": "A", "quantity": 1})
    assert engine.statuses()[new_id] == "Wait for release"
    come_back(engine, about)
    assert (engine.path(about["id"]), engine.statuses()[new_id]) == (["Settle", "Settled"], "SUCCEEDED")
    new = send(engine, new_id)
    old = engine.world.order(old["id"])
    assert (old["status"], new["status"], old["exchanges"][0]["status"]) == ("completed", "completed", "done")
    assert (old["payment"]["refunded"], new["payment"]["captured"], new["payment"]["invoiced"]) == (1200, 1200, 1200)
    assert (engine.world.gateway.moved("refund"), engine.world.gateway.moved("capture")) == ([], [3500])


def test_in_parts_and_dearer_each_parcel_moves_its_value_and_the_card_pays_the_rest(engine: Engine) -> None:
    old = delivered(engine)
    about, new_id = exchange(engine, old, goods("B", 5, 600), units=2, payments=[a_card(600)])
    assert engine.path(new_id) == ["Capture", "Allocate", "Wait for release"]
    come_back(engine, about)
    assert (engine.statuses()[new_id], engine.world.order(new_id)["payment"]["captured"]) == ("Wait for release", 1200)
    act(engine, f"/v1/returns/{about['return_id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    assert (engine.path(about["id"]), engine.path(f"{about['id']}-2")) == (["Settle", "Settled"], ["Settle", "Settled"])
    new = send(engine, new_id)
    assert (new["status"], [(row["method"], row["captured"]) for row in new["payments"]]) == (
        "completed",
        [("exchange", 2400), ("card", 600)],
    )
    assert engine.world.order(old["id"])["status"] == "completed"


def test_in_advance_the_new_goods_go_first_and_the_card_is_let_go_when_the_old_ones_come(engine: Engine) -> None:
    old = delivered(engine)
    about, new_id = exchange(engine, old, {"sku": "A", "quantity": 1}, advance=True, payments=[a_card(1200)])
    new = send(engine, new_id)
    assert (new["status"], new["payment"]["captured"], engine.world.gateway.moved("void")) == ("open", 0, [])
    come_back(engine, about)
    new = engine.world.order(new_id)
    assert (new["status"], new["payment"]["captured"], engine.world.gateway.moved("void")) == ("completed", 1200, [1200])


@dataclass
class OfCapturesNobodyKnows(Faulty):
    """Whether a capture was made, this gateway cannot say."""

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        if what.kind == "capture":
            raise Unsure("asked, and never answered")
        return self.inner.perform(what, payment)


@pytest.mark.parametrize("action", ["recorded", "not_done"])
def test_a_capture_for_what_never_came_that_nobody_is_sure_of_is_decided_on_the_new_order(engine: Engine, action: str) -> None:
    world = engine.world
    old = delivered(engine)
    about, new_id = exchange(engine, old, {"sku": "A", "quantity": 1}, advance=True, payments=[a_card(1200)])
    send(engine, new_id)
    bank = world.gateway.inner
    world.gateway.inner = OfCapturesNobodyKnows(bank)
    act(engine, f"/v1/returns/{about['return_id']}/reject", {})
    (problem,) = world.done("GET", "/v1/exceptions")["data"]
    assert (problem["order_id"], problem["step"], problem["cause"].split(":")[0]) == (new_id, "Settle", "Unsure")
    old = world.order(old["id"])
    assert (old["status"], old["exchanges"][0]["status"], engine.statuses()[about["id"]]) == ("completed", "refused", "SUCCEEDED")
    world.gateway.inner = bank
    act(engine, f"/v1/exceptions/{problem['id']}/resolve", {"action": action, "note": "seen at the bank"})
    new = world.order(new_id)
    assert (new["status"], new["money_owed"], new["payments"][1]["captured"]) == ("completed", "none", 1200)
    assert [(change["kind"], change["status"]) for change in new["changes"]] == [("collection", "done")]
    assert world.gateway.moved("capture") == ([3500] if action == "recorded" else [1200, 3500])
    assert set(engine.statuses().values()) == {"SUCCEEDED"}


@pytest.mark.parametrize("cure", ["retry", "another card"])
def test_a_declined_capture_for_what_never_came_is_an_exception_of_the_new_order(engine: Engine, cure: str) -> None:
    world = engine.world
    old = delivered(engine)
    card = a_card(1200, "tok_capture_decline_once" if cure == "retry" else "tok_capture_decline")
    about, new_id = exchange(engine, old, {"sku": "A", "quantity": 1}, advance=True, payments=[card])
    send(engine, new_id)
    act(engine, f"/v1/returns/{about['return_id']}/reject", {})
    (problem,) = world.done("GET", "/v1/exceptions")["data"]
    assert (problem["order_id"], problem["cause"].split(":")[0]) == (new_id, "Unpaid")
    assert world.order(old["id"])["status"] == "completed"
    if cure == "retry":
        act(engine, f"/v1/exceptions/{problem['id']}/retry")
    else:
        act(engine, f"/v1/orders/{new_id}/payments", a_card(1200))
    new = world.order(new_id)
    assert (new["status"], new["money_owed"], world.gateway.moved("capture")) == ("completed", "none", [1200, 3500])
    assert new["exceptions"][0]["action"] == ("retry" if cure == "retry" else "paid")
    assert set(engine.statuses().values()) == {"SUCCEEDED"}


def test_a_declined_card_ends_the_exchange_and_the_return_goes_on(engine: Engine) -> None:
    old = delivered(engine)
    about, new_id = exchange(engine, old, goods("B", 3, 600), payments=[a_card(600, "tok_decline")])
    assert engine.path(new_id)[-1] == "Declined"
    assert engine.world.order(old["id"])["exchanges"][0]["status"] == "refused"
    come_back(engine, about)
    assert engine.world.gateway.moved("refund") == [1200]


def test_goods_that_never_come_cancel_the_new_order(engine: Engine) -> None:
    old = delivered(engine)
    about, new_id = exchange(engine, old, {"sku": "A", "quantity": 1})
    act(engine, f"/v1/returns/{about['return_id']}/cancel")
    old, new = engine.world.order(old["id"]), engine.world.order(new_id)
    assert (old["exchanges"][0]["status"], old["status"], new["status"]) == ("refused", "completed", "cancelled")
    assert (engine.path(new_id)[-1], engine.world.figures("A")) == ("Cancelled", (8, 0))


def test_before_shipment_the_old_units_are_asked_back_and_the_new_ones_go_when_they_are_stopped(engine: Engine) -> None:
    order_id = engine.world.place(order_body())["id"]
    engine.settle()
    old = engine.world.order(order_id)
    about, new_id = exchange(engine, old, goods("B", 4, 600), units=2)
    assert engine.statuses()[new_id] == "Wait for release"
    stopped = {"change_id": about["cancellation_id"], "lines": [{"line_id": "1", "quantity": 2}]}
    act(engine, f"/v1/fulfillment-orders/{old['fulfillment_orders'][0]['id']}/cancel-response", stopped)
    assert (engine.world.order(order_id)["exchanges"][0]["status"], engine.world.gateway.moved("void")) == ("done", [2400])
    assert send(engine, new_id)["payment"]["captured"] == 2400
