"""Returns by API: request, approve, receive, settle; and everything that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import JSON, World, order_body


@pytest.fixture
def order(world: World) -> Any:
    """Two A and one B, delivered."""
    return world.delivered(order_body())


def announce(world: World, order: Any, quantities: dict[str, int] | None = None, **more: Any) -> Any:
    lines = [{"line_id": key, "quantity": quantity, "reason": "small"} for key, quantity in (quantities or {"1": 1}).items()]
    return world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": lines, **more})


def act(world: World, ret: Any, action: str, body: JSON | None = None) -> Any:
    return world.call("POST", f"/v1/returns/{ret['id']}/{action}", body)


def receive(world: World, ret: Any, quantity: int = 1, line: str = "1", **more: Any) -> Any:
    return act(world, ret, "receive", {"lines": [{"line_id": line, "quantity": quantity, **more}]})


def settle(world: World, order: Any, ret: Any) -> Any:
    return world.step("return_order", "Return", order["id"], return_id=ret["id"])["next"]


def test_one_unit_comes_back_and_is_paid_back(world: World, order: Any) -> None:
    ret = announce(world, order)
    assert ret["status"] == "requested"
    assert world.order(order["id"])["return_status"] == "requested"
    assert act(world, ret, "approve").body["status"] == "approved"
    assert receive(world, ret).body["status"] == "received"
    assert settle(world, order, ret) == "settled"
    after = world.order(order["id"])
    (memo,) = after["credit_memos"]
    assert (memo["total_amount"], memo["tax_amount"]) == (1200, 200)
    assert memo["refunds"] == [{"payment_id": order["payments"][0]["id"], "amount": 1200, "reference": memo["refunds"][0]["reference"]}]
    assert world.gateway.moved("refund") == [1200]
    assert (after["return_status"], after["payment_status"], after["money_owed"]) == ("partially_returned", "partially_refunded", "none")
    assert after["totals"]["grand_total"] == 2300
    assert after["status"] == "completed"
    assert world.figures("A") == (9, 0), "back on the shelf it left from"
    assert world.done("GET", f"/v1/credit-memos/{memo['id']}")["order_id"] == order["id"]


def test_settling_again_changes_nothing(world: World, order: Any) -> None:
    ret = announce(world, order)
    act(world, ret, "approve")
    receive(world, ret)
    settle(world, order, ret)
    before = world.items()
    assert settle(world, order, ret) == "settled"
    assert world.items() == before
    assert world.gateway.moved("refund") == [1200]


def test_everything_back_in_two_boxes_gives_back_exactly_what_was_paid_for_goods(world: World, order: Any) -> None:
    ret = announce(world, order, {"1": 2, "2": 1}, reduce_shipping=True)
    act(world, ret, "approve")
    assert receive(world, ret).body["status"] == "partially_received"
    assert settle(world, order, ret) == "wait_for_goods"
    act(world, ret, "receive", {"lines": [{"line_id": "1", "quantity": 1}, {"line_id": "2", "quantity": 1}], "location_id": "lyon"})
    assert settle(world, order, ret) == "settled"
    after = world.order(order["id"])
    assert sum(world.gateway.moved("refund")) == 3500
    assert (after["return_status"], after["payment_status"], after["totals"]["grand_total"]) == ("returned", "refunded", 0)
    assert (world.figures("A"), world.figures("A", "lyon")) == ((9, 0), (11, 0))


@pytest.mark.parametrize(("condition", "on_hand", "refunded"), [("resellable", 9, [1200]), ("damaged", 8, [1200]), ("wrong_item", 8, [])])
def test_what_was_in_the_box_decides(world: World, order: Any, condition: str, on_hand: int, refunded: list[int]) -> None:
    ret = announce(world, order)
    act(world, ret, "approve")
    receive(world, ret, condition=condition)
    settle(world, order, ret)
    assert world.gateway.moved("refund") == refunded
    assert world.figures("A") == (on_hand, 0)


@pytest.mark.parametrize(
    ("lines", "status", "pointer"),
    [
        ([], 422, "/lines"),
        ([{"line_id": "9", "quantity": 1}], 422, "/lines/0/line_id"),
        ([{"line_id": "1", "quantity": 1}, {"line_id": "1", "quantity": 1}], 422, "/lines/1/line_id"),
        ([{"line_id": "1", "quantity": 0}], 422, "/lines/0/quantity"),
        ([{"line_id": "1", "quantity": 3}], 409, "/lines/0/quantity"),
        ([{"line_id": "1", "quantity": 1, "price": 1}], 422, "/lines/0/price"),
        ([{"line_id": "1", "quantity": 1, "resolution": "cake"}], 422, "/lines/0/resolution"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(world: World, order: Any, lines: Any, status: int, pointer: str) -> None:
    before = world.items()
    answer = world.call("POST", f"/v1/orders/{order['id']}/returns", {"lines": lines})
    assert answer.status == status
    assert answer.pointers == {pointer}
    assert world.items() == before


def test_units_on_their_way_back_cannot_be_announced_again(world: World, order: Any) -> None:
    announce(world, order, {"1": 2})
    lines = [{"line_id": "1", "quantity": 1, "reason": "x"}]
    assert world.call("POST", f"/v1/orders/{order['id']}/returns", {"lines": lines}).status == 409


def test_what_has_not_arrived_cannot_be_returned(world: World) -> None:
    order = world.allocated(order_body())
    world.ship_all(order)
    lines = [{"line_id": "1", "quantity": 1, "reason": "x"}]
    answer = world.call("POST", f"/v1/orders/{order['id']}/returns", {"lines": lines})
    assert (answer.status, answer.body["type"]) == (409, "urn:oms:problem:not-returnable")


def test_a_declined_order_takes_no_return(world: World) -> None:
    order = world.place(order_body(token="tok_decline"), status=402)
    lines = [{"line_id": "1", "quantity": 1, "reason": "x"}]
    assert world.call("POST", f"/v1/orders/{order['id']}/returns", {"lines": lines}).status == 409


@pytest.mark.parametrize(("action", "status"), [("reject", "rejected"), ("cancel", "cancelled")])
def test_a_return_that_does_not_happen_frees_its_units(world: World, order: Any, action: str, status: str) -> None:
    ret = announce(world, order, {"1": 2})
    assert act(world, ret, action, {"reason": "worn"} if action == "reject" else None).body["status"] == status
    assert world.order(order["id"])["lines"][0]["quantities"]["available_to_return"] == 2
    announce(world, order, {"1": 2})


@pytest.mark.parametrize(
    ("done", "refused"),
    [
        ([], ["receive", "close"]),
        (["approve"], ["approve", "reject"]),
        (["reject"], ["approve", "reject", "cancel", "receive", "close"]),
        (["approve", "receive"], ["approve", "reject", "cancel", "receive", "close"]),
        (["approve", "close"], ["receive", "cancel"]),
    ],
)
def test_what_the_status_does_not_allow_is_409(world: World, order: Any, done: list[str], refused: list[str]) -> None:
    ret = announce(world, order)
    box = {"lines": [{"line_id": "1", "quantity": 1}]}
    for action in done:
        assert act(world, ret, action, box if action == "receive" else None).status == 200
    before = world.items()
    for action in refused:
        answer = act(world, ret, action, box if action == "receive" else None)
        assert answer.status == 409, (action, answer)
        assert "possible when" in answer.body["detail"]
    assert world.items() == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 400),
        ({"lines": []}, 422),
        ({"lines": [{"line_id": "9", "quantity": 1}]}, 422),
        ({"lines": [{"quantity": 1}]}, 422),
        ({"lines": [{"line_id": "1", "sku": "A", "quantity": 1}]}, 422),
        ({"lines": [{"line_id": "1", "quantity": 1, "condition": "wrong_item", "disposition": "restock"}]}, 422),
        ({"lines": [{"line_id": "1", "quantity": 1, "condition": "eaten"}]}, 422),
        ({"lines": [{"line_id": "1", "quantity": 1}], "location_id": "atlantis"}, 422),
    ],
)
def test_a_box_that_makes_no_sense_is_refused(world: World, order: Any, body: Any, status: int) -> None:
    ret = announce(world, order)
    act(world, ret, "approve")
    before = world.items()
    assert act(world, ret, "receive", body).status == status
    assert world.items() == before


def test_closing_early_settles_what_came_and_frees_the_rest(world: World, order: Any) -> None:
    ret = announce(world, order, {"1": 2})
    act(world, ret, "approve")
    receive(world, ret)
    assert act(world, ret, "close").body["status"] == "received"
    assert settle(world, order, ret) == "settled"
    assert world.order(order["id"])["lines"][0]["quantities"]["available_to_return"] == 1


def expired(world: World, order: Any, ret: Any) -> str:
    """The machine's wait for goods ran out. Returns what comes next."""
    return str(world.step("return_order", "Expire", order["id"], return_id=ret["id"])["next"])


def test_what_never_came_expires_and_may_be_returned_otherwise(world: World, order: Any) -> None:
    ret = announce(world, order, {"1": 2})
    act(world, ret, "approve")
    for _ in range(2):
        assert expired(world, order, ret) == "expired"
    after = world.order(order["id"])
    assert (after["returns"][0]["status"], after["lines"][0]["quantities"]["available_to_return"]) == ("expired", 2)
    assert world.gateway.moved("refund") == []
    assert act(world, ret, "receive", {"lines": [{"line_id": "1", "quantity": 1}]}).status == 409
    assert announce(world, order, {"1": 2})["status"] == "requested"


def test_when_the_rest_expires_what_came_is_settled_first(world: World, order: Any) -> None:
    ret = announce(world, order, {"1": 2})
    act(world, ret, "approve")
    receive(world, ret)
    assert expired(world, order, ret) == "return"
    assert settle(world, order, ret) == "settled"
    after = world.order(order["id"])
    assert (after["lines"][0]["quantities"]["returned"], after["lines"][0]["quantities"]["available_to_return"]) == (1, 1)
    assert len(world.gateway.moved("refund")) == 1


def test_a_return_of_which_something_was_settled_is_not_called_expired(world: World, order: Any) -> None:
    ret = announce(world, order, {"1": 2})
    act(world, ret, "approve")
    receive(world, ret)
    assert settle(world, order, ret) == "wait_for_goods"
    assert [expired(world, order, ret) for _ in range(2)] == ["settled", "settled"]
    assert world.done("GET", f"/v1/returns/{ret['id']}")["status"] == "settled"


def test_returns_are_listed_by_status_and_read_by_id(world: World, order: Any) -> None:
    ret = announce(world, order)
    assert [row["id"] for row in world.done("GET", "/v1/returns", query={"status": "requested"})["data"]] == [ret["id"]]
    assert (ret["change"]["status"], ret["order"]["return_status"]) == ("pending", "requested")
    act(world, ret, "approve")
    assert world.done("GET", "/v1/returns", query={"status": "requested"})["data"] == []
    assert world.done("GET", f"/v1/returns/{ret['id']}")["status"] == "approved"
    assert world.call("GET", "/v1/returns").status == 422
    assert act(world, ret, "burn").status == 404
    assert act(world, {"id": ret["id"].replace("_1", "_9")}, "approve").status == 404


def test_returns_that_are_over_are_listed_newest_first_page_by_page(world: World, order: Any) -> None:
    made = []
    for _ in range(3):
        ret = announce(world, order)
        act(world, ret, "cancel")
        made.append(ret["id"])
    first = world.done("GET", "/v1/returns", query={"status": "cancelled", "limit": "2"})
    assert [row["id"] for row in first["data"]] == made[:0:-1]
    rest = world.done("GET", "/v1/returns", query={"status": "cancelled", "limit": "2", "cursor": first["next_cursor"]})
    assert ([row["id"] for row in rest["data"]], rest["next_cursor"]) == (made[:1], None)
    assert world.call("GET", "/v1/returns", query={"status": "eaten"}).pointers == {"/status"}
