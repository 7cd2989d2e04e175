"""Labels for the way back: bought by the machine, once; followed by the carrier's news; found by their number."""

from __future__ import annotations

from typing import Any

import pytest

from oms.carriers import labels
from oms.carriers.labels import LabelOrder, SandboxLabels, SoldLabel
from oms.errors import Retryable
from oms.service.tracking import return_summary
from oms.storage.orders import load
from tests.support.world import Call, Killed, World, order_body


@pytest.fixture
def ret(world: World) -> Any:
    """One A of a delivered order, announced and approved."""
    order = world.delivered(order_body())
    made = world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1}]})
    return world.done("POST", f"/v1/returns/{made['id']}/approve")


def want(world: World, ret: Any, **body: Any) -> Any:
    return world.call("POST", f"/v1/returns/{ret['id']}/labels", body)


def buy(world: World, ret: Any) -> str:
    return str(world.step("return_order", "Buy label", ret["order_id"], return_id=ret["id"])["next"])


def shown(world: World, ret: Any) -> Any:
    return world.done("GET", f"/v1/returns/{ret['id']}")


def test_an_edge_notes_that_a_label_is_wanted_and_the_step_buys_it(world: World, ret: Any) -> None:
    answer = want(world, ret)
    assert (answer.status, [label["status"] for label in answer.body["labels"]]) == (202, ["wanted"])
    assert buy(world, ret) == "wait_for_goods"
    (label,) = shown(world, ret)["labels"]
    assert (label["status"], label["carrier"], label["cost"]) == ("bought", "sandbox", 490)
    assert label["tracking_number"] in label["url"]
    found = world.done("GET", "/v1/returns", query={"tracking_number": label["tracking_number"]})["data"]
    assert [row["id"] for row in found] == [ret["id"]]
    assert world.done("GET", "/v1/returns", query={"tracking_number": "unknown"})["data"] == []
    assert world.call("GET", "/v1/returns", query={"tracking_number": "x", "status": "approved"}).status == 422
    held = world.done("GET", "/v1/orders", query={"tracking_number": label["tracking_number"]})["data"]
    assert [row["id"] for row in held] == [ret["order_id"]]


def test_one_is_enough_unless_another_is_asked_for(world: World, ret: Any) -> None:
    want(world, ret)
    want(world, ret)
    buy(world, ret)
    want(world, ret)
    want(world, ret, another=True)
    buy(world, ret)
    numbers = [label["tracking_number"] for label in shown(world, ret)["labels"]]
    assert len(set(numbers)) == len(numbers) == 2


@pytest.mark.parametrize("write", [1, 2])
def test_a_label_is_bought_once_whatever_dies(world: World, ret: Any, write: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[LabelOrder] = []

    class Counting(SandboxLabels):
        def buy_label(self, order: LabelOrder) -> SoldLabel:
            asked.append(order)
            return super().buy_label(order)

    monkeypatch.setitem(labels.CARRIERS, "sandbox", Counting())
    want(world, ret)

    def die(call: Call) -> None:
        if call.writes:
            raise Killed

    with pytest.raises(Killed), world.wire.watched(**{"before" if write == 1 else "after": die}):
        buy(world, ret)
    assert buy(world, ret) == "wait_for_goods"
    assert len({each.key for each in asked}) == 1, "asked again, it is the same label"
    assert len(shown(world, ret)["labels"]) == 1
    assert asked[0].sender["country"] == "DE"


def test_a_carrier_that_does_not_answer_is_asked_again(world: World, ret: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Down:
        def buy_label(self, order: LabelOrder) -> SoldLabel:
            raise Retryable("no answer")

    want(world, ret)
    monkeypatch.setitem(labels.CARRIERS, "sandbox", Down())
    with pytest.raises(Retryable):
        buy(world, ret)
    monkeypatch.setitem(labels.CARRIERS, "sandbox", SandboxLabels())
    assert [label["status"] for label in shown(world, ret)["labels"]] == ["wanted"]
    assert buy(world, ret) == "wait_for_goods"


def test_the_carriers_news_moves_the_return_and_nothing_moves_backwards(world: World, ret: Any) -> None:
    want(world, ret)
    buy(world, ret)
    number = shown(world, ret)["labels"][0]["tracking_number"]
    assert [world.carrier(number, status).body["changed"] for status in ("pre_transit", "in_transit", "in_transit")] == [False, True, False]
    assert shown(world, ret)["status"] == "in_transit"
    assert [row["id"] for row in world.done("GET", "/v1/returns", query={"status": "in_transit"})["data"]] == [ret["id"]]
    assert world.carrier(number, "delivered").body["changed"]
    assert not world.carrier(number, "in_transit").body["changed"]
    after = shown(world, ret)
    assert (after["status"], after["labels"][0]["status"]) == ("in_transit", "delivered"), "what has come is for the warehouse to say"
    told = [kind for kind, _ in world.facts(ret["order_id"]) if kind.startswith("return.")]
    assert told[-4:] == ["return.label_requested", "return.label_bought", "return.in_transit", "return.delivered"]
    world.done("POST", f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    assert world.order(ret["order_id"])["delivery_status"] == "delivered"


def test_news_that_comes_before_its_label_is_on_record_is_not_lost(world: World, ret: Any) -> None:
    number = SandboxLabels().buy_label(LabelOrder(ret["id"].replace("ret_", "lbl_"), "", "EUR", {}, {})).tracking_number
    assert not world.carrier(number, "in_transit").body["changed"]
    want(world, ret)
    buy(world, ret)
    assert shown(world, ret)["status"] == "in_transit"


def test_nobody_buys_a_label_for_goods_that_are_not_expected(world: World, ret: Any) -> None:
    assert want(world, ret, carrier="pigeon").pointers == {"/carrier"}
    want(world, ret)
    world.done("POST", f"/v1/returns/{ret['id']}/cancel")
    assert buy(world, ret) == "cancelled"
    assert shown(world, ret)["labels"] == []
    assert want(world, ret).status == 409


def test_goods_that_come_before_their_label_was_bought_need_none(world: World, ret: Any) -> None:
    want(world, ret)
    world.done("POST", f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    world.step("return_order", "Return", ret["order_id"], return_id=ret["id"])
    assert (shown(world, ret)["status"], shown(world, ret)["labels"]) == ("settled", [])


def test_a_rule_gives_a_label_and_takes_what_it_costs_off_the_refund(world: World) -> None:
    world.done("PUT", "/v1/return-rules/std", {"approval": "automatic", "label": True, "customer_pays_shipping": True})
    order = world.delivered(order_body())
    ret = world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1}]})
    assert [label["status"] for label in ret["labels"]] == ["wanted"]
    buy(world, ret)
    world.done("POST", f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    world.step("return_order", "Return", order["id"], return_id=ret["id"])
    assert world.gateway.moved("refund") == [1200 - 490]
    body = {"lines": [{"line_id": "2", "quantity": 1}]}
    mine = world.call("POST", f"/v1/orders/{order['id']}/returns", body, scopes=["self"], subject="c-1").body
    assert mine["labels"] == [], "not bought yet"
    buy(world, {"id": mine["id"], "order_id": order["id"]})
    after = load(order["id"])
    (label,) = return_summary(after, after.returns[mine["id"]])["labels"]
    assert (label["status"], label["tracking_number"] in label["url"]) == ("bought", True)
    assert world.order(order["id"])["invoices"][-1]["fees"][0]["code"] == "return_shipping"
