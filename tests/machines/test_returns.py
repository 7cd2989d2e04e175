"""Returns through the machines that are deployed: every way of settling them, labels, and what a person decides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.machines.engine import Engine
from tests.support.world import JSON, order_body

FEES = {"fees": [{"code": "restocking", "percent": "10"}], "approval": "automatic"}


def delivered(engine: Engine, body: JSON | None = None) -> Any:
    """An order of two A and one B, delivered in one parcel."""
    world = engine.world
    order_id = world.place(body or order_body())["id"]
    engine.settle()
    (fo,) = world.order(order_id)["fulfillment_orders"]
    world.ship(fo["id"], {"1": 2, "2": 1}, "T1")
    engine.settle()
    assert world.carrier("T1", "delivered").body["changed"]
    engine.settle()
    return world.order(order_id)


@pytest.fixture
def order(engine: Engine) -> Any:
    return delivered(engine)


def act(engine: Engine, path: str, body: JSON | None = None) -> Any:
    answer = engine.world.done("POST", path, body)
    engine.settle()
    return answer


def announce(engine: Engine, order: Any, *rows: JSON, **more: Any) -> str:
    lines = [{"quantity": 1, **row} for row in rows or ({"line_id": "1"},)]
    return str(act(engine, f"/v1/orders/{order['id']}/returns", {"lines": lines, **more})["id"])


def box(engine: Engine, ret: str, *rows: JSON, **more: Any) -> None:
    act(engine, f"/v1/returns/{ret}/receive", {"lines": [{"quantity": 1, **row} for row in rows], **more})


def exception(engine: Engine) -> Any:
    (found,) = engine.world.done("GET", "/v1/exceptions")["data"]
    return found


def again(engine: Engine, order: Any) -> Any:
    return engine.world.order(order["id"])


def test_goods_handed_over_are_settled_without_anybody_else(engine: Engine, order: Any) -> None:
    ret = announce(engine, order, mode="immediate", location_id="lyon")
    assert engine.path(ret) == ["Approve", "Wait for goods", "Return", "Settled"]
    assert (engine.world.gateway.moved("refund"), engine.world.figures("A", "lyon")) == ([1200], (11, 0))
    assert again(engine, order)["status"] == "completed"


def test_fees_are_invoiced_and_the_difference_is_refunded_box_by_box(engine: Engine) -> None:
    world = engine.world
    world.done("PUT", "/v1/return-rules/std", FEES)
    order_id = delivered(engine)["id"]
    ret = announce(engine, {"id": order_id}, {"line_id": "1", "quantity": 2}, {"line_id": "2"})
    assert engine.statuses()[ret] == "Wait for goods", "approved by its rule"
    box(engine, ret, {"line_id": "1"}, {"line_id": "2"})
    box(engine, ret, {"line_id": "1"})
    assert engine.path(ret) == ["Approve", "Wait for goods", "Return", "Wait for goods", "Return", "Settled"]
    after = world.order(order_id)
    assert sorted(world.gateway.moved("refund")) == [1080, 1530]
    fees = [invoice["total_amount"] for invoice in after["invoices"] if invoice["return_id"]]
    assert (fees, after["totals"]["fee_amount"], after["money_owed"]) == ([170, 120], 290, "none")
    assert (after["status"], after["attention"]) == ("completed", [])


def test_three_resolutions_in_one_return(engine: Engine) -> None:
    world = engine.world
    order_id = delivered(engine)["id"]
    order = {"id": order_id}
    ret = announce(engine, order, {"line_id": "1", "resolution": "replace"}, {"line_id": "2", "resolution": "store_credit"})
    act(engine, f"/v1/returns/{ret}/approve")
    box(engine, ret, {"line_id": "1"}, {"line_id": "2"})
    assert engine.path(ret) == ["Approve", "Wait for goods", "Return", "Settled"]
    after = again(engine, order)
    assert [(memo["into"], memo["total_amount"]) for memo in after["credit_memos"]] == [("store_credit", 500)]
    assert (world.gateway.moved("refund"), after["payment"]["refunded"]) == ([], 500)
    (work,) = [each for each in after["fulfillment_orders"] if each.get("replaces")]
    assert (work["replaces"], after["status"]) == (ret, "open")
    world.ship(work["id"], {"1": 1}, "T2")
    engine.settle()
    world.carrier("T2", "delivered")
    engine.settle()
    done = again(engine, order)
    assert (done["status"], done["lines"][0]["quantities"]["reshipped"], done["lines"][0]["quantities"]["returned"]) == ("completed", 1, 0)
    assert set(engine.statuses().values()) == {"SUCCEEDED"}


@pytest.mark.parametrize("action", ["retry", "resolve"])
def test_a_replacement_without_stock_is_decided_by_a_person(engine: Engine, order: Any, action: str) -> None:
    world = engine.world
    ret = announce(engine, order, {"line_id": "1", "resolution": "replace"})
    act(engine, f"/v1/returns/{ret}/approve")
    for place in ("berlin", "lyon"):
        world.stock("A", place, 0)
    box(engine, ret, {"line_id": "1", "condition": "damaged"})
    assert engine.statuses()[ret] == "Raise exception: Return"
    problem = exception(engine)
    assert (problem["kind"], problem["actions"]) == ("stock", ["retry", "resolve:refund", "abandon"])
    assert again(engine, order)["lines"][0]["quantities"]["reshipped"] == 0
    if action == "retry":
        world.stock("A", "lyon", 1)
    act(engine, f"/v1/exceptions/{problem['id']}/{action}", {"action": "refund"} if action == "resolve" else None)
    assert engine.path(ret)[-3:] == ["Raise exception: Return", "Return", "Settled"]
    assert world.gateway.moved("refund") == ([1200] if action == "resolve" else [])
    assert again(engine, order)["lines"][0]["quantities"]["reshipped"] == (0 if action == "resolve" else 1)


def test_a_label_is_bought_after_approval_and_another_while_the_goods_are_awaited(engine: Engine, order: Any) -> None:
    ret = announce(engine, order, label=True)
    act(engine, f"/v1/returns/{ret}/approve")
    assert engine.path(ret) == ["Approve", "Buy label", "Wait for goods"]
    act(engine, f"/v1/returns/{ret}/labels", {"another": True})
    assert engine.path(ret) == ["Approve", "Buy label", "Wait for goods", "Buy label", "Wait for goods"]
    labels = again(engine, order)["returns"][0]["labels"]
    assert [label["status"] for label in labels] == ["bought", "bought"]
    assert engine.world.carrier(labels[0]["tracking_number"], "in_transit").body["changed"]
    engine.settle()
    assert again(engine, order)["returns"][0]["status"] == "in_transit"
    box(engine, ret, {"line_id": "1"})
    assert engine.path(ret)[-2:] == ["Return", "Settled"]


@pytest.mark.parametrize("action", ["resolve", "abandon"])
def test_a_label_that_nobody_sells_is_decided_by_a_person(engine: Engine, action: str) -> None:
    body = order_body()
    body["delivery_groups"][0]["address"]["country"] = "AQ"
    order_id = delivered(engine, body)["id"]
    ret = announce(engine, {"id": order_id}, label=True)
    act(engine, f"/v1/returns/{ret}/approve")
    problem = exception(engine)
    assert (engine.statuses()[ret], problem["kind"]) == ("Raise exception: Buy label", "carrier")
    act(engine, f"/v1/exceptions/{problem['id']}/{action}", {"action": "no_label"} if action == "resolve" else None)
    assert engine.statuses()[ret] == ("Wait for goods" if action == "resolve" else "FAILED")


def test_a_box_with_more_and_with_a_strangers_goods(engine: Engine, order: Any) -> None:
    ret = announce(engine, order)
    act(engine, f"/v1/returns/{ret}/approve")
    box(engine, ret, {"line_id": "1", "quantity": 2}, {"sku": "X", "condition": "wrong_item"}, location_id="berlin")
    assert engine.path(ret)[-2:] == ["Return", "Settled"]
    assert engine.world.gateway.moved("refund") == [2400]
    problem = exception(engine)
    assert (problem["kind"], problem["return_id"], again(engine, order)["attention"]) == ("unexpected_goods", ret, ["exception"])
    act(engine, f"/v1/exceptions/{problem['id']}/resolve", {"action": "accept", "note": "sent back"})
    assert again(engine, order)["attention"] == []


def test_one_parcel_can_come_back_while_the_other_is_on_its_way(engine: Engine) -> None:
    world = engine.world
    order_id = world.place(order_body())["id"]
    engine.settle()
    (fo,) = world.order(order_id)["fulfillment_orders"]
    for number, lines in (("T1", {"1": 1}), ("T2", {"1": 1, "2": 1})):
        world.ship(fo["id"], lines, number)
    engine.settle()
    world.carrier("T1", "delivered")
    engine.settle()
    order = {"id": order_id}
    assert world.call("POST", f"/v1/orders/{order_id}/returns", {"lines": [{"line_id": "1", "quantity": 2}]}).status == 409
    ret = announce(engine, order, mode="immediate")
    assert engine.statuses()[ret] == "SUCCEEDED"
    assert world.gateway.moved("refund") == [1200]
