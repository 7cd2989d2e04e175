"""Promises that cannot be kept any more: put before a person, or given up and not charged for. They never vanish."""

from __future__ import annotations

from typing import Any

import pytest

from oms.payments.sandbox import Sandbox
from tests.machines.engine import Engine
from tests.support.world import JSON, order_body

CANCEL = {"location_group": "all", "on_unfillable": "cancel_and_refund"}


def placed(engine: Engine, body: JSON | None = None) -> Any:
    order_id = engine.world.place(body or order_body())["id"]
    engine.settle()
    return engine.world.order(order_id)


def act(engine: Engine, path: str, body: JSON | None = None, method: str = "POST") -> Any:
    answer = engine.world.done(method, path, body)
    engine.settle()
    return answer


def reject(engine: Engine, order: Any, index: int = 0, **more: Any) -> Any:
    act(engine, f"/v1/fulfillment-orders/{order['fulfillment_orders'][index]['id']}/reject", {"reason": "flood", **more})
    return engine.world.order(order["id"])


def nothing_in_lyon(engine: Engine, *skus: str) -> None:
    for sku in skus or ("A", "B"):
        engine.world.stock(sku, "lyon", 0)


def statuses(order: Any) -> tuple[str, str, str]:
    return order["status"], order["payment_status"], order["money_owed"]


def exception(engine: Engine) -> Any:
    (found,) = engine.world.done("GET", "/v1/exceptions")["data"]
    return found


def test_an_order_that_nobody_can_serve_is_cancelled_and_its_money_let_go(engine: Engine) -> None:
    engine.world.done("PUT", "/v1/channels/web", CANCEL)
    nothing_in_lyon(engine)
    order = reject(engine, placed(engine))
    assert engine.path(f"{order['id']}-2") == ["Allocate", "Cancelled"]
    (change,) = order["changes"]
    assert (change["kind"], change["status"], change["worth"]) == ("cancellation", "done", 3500)
    assert engine.path(change["id"]) == ["Settle", "Settled"]
    assert statuses(order) == ("cancelled", "voided", "none")
    assert order["totals"]["grand_total"] == 0
    assert order["placed_totals"]["grand_total"] == 3500
    assert engine.world.gateway.moved("void") == [3500]
    assert [line["status"] for line in order["lines"]] == ["cancelled", "cancelled"]
    assert [(row["result"], row["places"]) for row in order["attempts"]] == [("cancelled", [])]
    facts = [data for kind, data in engine.world.facts(order["id"]) if kind == "order.units_cancelled"]
    assert [(fact["line_id"], fact["units"]) for fact in facts] == [("1", [[1, 2]]), ("2", [[1, 1]])]
    assert set(engine.statuses().values()) == {"SUCCEEDED"}


def test_what_was_captured_stays_and_the_rest_is_let_go(engine: Engine) -> None:
    engine.world.done("PUT", "/v1/channels/web", CANCEL)
    nothing_in_lyon(engine)
    order = placed(engine)
    fo = order["fulfillment_orders"][0]["id"]
    engine.world.ship(fo, {"1": 1}, "T1")
    engine.settle()
    order = reject(engine, order)
    # One of two A (12.00) with its share of the delivery charge of 6.00 (by amount over A, A, B) has left.
    assert engine.world.gateway.moved("capture") == [order["totals"]["grand_total"]] == [1200 + 249]
    assert engine.world.gateway.moved("void") == [3500 - 1449]
    assert statuses(order) == ("open", "captured", "none")
    assert order["lines"][0]["quantities"]["cancelled"] == 1
    engine.world.carrier("T1", "delivered")
    engine.settle()
    assert statuses(engine.world.order(order["id"])) == ("completed", "captured", "none")


@pytest.mark.parametrize("in_parts", [True, False], ids=["in parts", "as a whole only"])
def test_the_money_of_what_is_given_up_is_let_go_as_soon_as_the_gateway_can(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, in_parts: bool
) -> None:
    """B (5.00 with its 1.03 of the delivery charge) is given up, A (24.00 with 4.97) still needs its part of the authorization."""
    monkeypatch.setattr(Sandbox, "voids_parts", in_parts)
    engine.world.done("PUT", "/v1/channels/web", CANCEL)
    nothing_in_lyon(engine, "B")
    order = placed(engine)
    order = reject(engine, order, lines=[{"line_id": "2", "quantity": 1}])
    assert engine.path(f"{order['id']}-2") == ["Allocate", "Allocated"]
    (change,) = order["changes"]
    assert (change["status"], change["worth"], engine.path(change["id"])) == ("done", 603, ["Settle", "Settled"])
    assert engine.world.gateway.moved("void") == ([603] if in_parts else [])
    assert statuses(order) == ("open", "authorized", "none")
    engine.world.ship(order["fulfillment_orders"][0]["id"], {"1": 2}, "T1")
    engine.settle()
    order = engine.world.order(order["id"])
    assert engine.world.gateway.moved("capture") == [order["totals"]["grand_total"]] == [2897]
    assert engine.world.gateway.moved("void") == [603]
    engine.world.carrier("T1", "delivered")
    engine.settle()
    assert statuses(engine.world.order(order["id"])) == ("completed", "captured", "none")


def test_by_default_a_person_decides_and_may_cancel(engine: Engine) -> None:
    nothing_in_lyon(engine)
    order = reject(engine, placed(engine))
    problem = exception(engine)
    assert (problem["kind"], "resolve:cancel_and_refund" in problem["actions"]) == ("allocation", True)
    assert "2 of A (line 1, refused by berlin)" in problem["cause"]
    assert order["attention"] == ["exception"]
    assert order["attempts"][-1]["result"] == "unfillable"
    act(engine, f"/v1/exceptions/{problem['id']}/resolve", {"action": "cancel_and_refund"})
    order = engine.world.order(order["id"])
    assert statuses(order) == ("cancelled", "voided", "none")
    assert engine.path(f"{order['id']}-2") == [
        "Allocate",
        "Unfillable",
        "Raise exception: Allocate",
        "Allocate",
        "Cancelled",
    ]


def test_a_retry_looks_everywhere_again_and_is_logged(engine: Engine) -> None:
    nothing_in_lyon(engine)
    order = reject(engine, placed(engine))
    engine.world.stock("A", "lyon", 5)
    act(engine, f"/v1/exceptions/{exception(engine)['id']}/retry")
    engine.world.stock("B", "lyon", 5)
    act(engine, f"/v1/exceptions/{exception(engine)['id']}/retry")
    order = engine.world.order(order["id"])
    assert order["fulfillment_status"] == "allocated"
    assert [row["result"] for row in order["attempts"]] == ["unfillable", "unfillable"]


def test_attempts_are_bounded_by_the_channel(engine: Engine) -> None:
    engine.world.done("PUT", "/v1/channels/web", {"location_group": "all", "most_attempts": 1})
    order = reject(engine, placed(engine))
    assert [fo["location_id"] for fo in order["fulfillment_orders"]] == ["berlin"], "lyon has it, and is not asked"
    assert "Unfillable" in engine.path(f"{order['id']}-2")
    act(engine, f"/v1/exceptions/{exception(engine)['id']}/retry")
    order = engine.world.order(order["id"])
    assert [fo["location_id"] for fo in order["fulfillment_orders"]] == ["berlin", "lyon"], "a person has asked for it"


def test_a_location_that_was_switched_off_is_left_or_raises_an_exception(engine: Engine) -> None:
    off = {"name": "Berlin", "type": "warehouse", "enabled": False}
    first, second = (engine.world.place(order_body(f"W-{n}"))["id"] for n in range(2))
    engine.world.stock("A", "lyon", 2)
    engine.world.done("PUT", "/v1/locations/berlin", off)
    engine.settle()
    places = {order_id: engine.world.order(order_id)["fulfillment_orders"] for order_id in (first, second)}
    assert sorted([fo["location_id"] for fo in fos] for fos in places.values()) == [[], ["lyon"]]
    problem = exception(engine)
    assert "reserved at berlin, which may not send it now" in problem["cause"]
    (stuck,) = [order_id for order_id, fos in places.items() if not fos]
    assert engine.world.order(stuck)["lines"][0]["quantities"]["reserved"] == 2, "its promise is kept"
    engine.world.done("PUT", "/v1/locations/berlin", {**off, "enabled": True})
    act(engine, f"/v1/exceptions/{problem['id']}/retry")
    assert [fo["location_id"] for fo in engine.world.order(stuck)["fulfillment_orders"]] == ["berlin"]


def test_what_is_given_up_at_a_location_that_is_off_is_no_longer_reserved_there(engine: Engine) -> None:
    engine.world.done("PUT", "/v1/channels/web", CANCEL)
    order_id = engine.world.place(order_body())["id"]
    nothing_in_lyon(engine)
    engine.world.done("PUT", "/v1/locations/berlin", {"name": "Berlin", "type": "warehouse", "enabled": False})
    engine.settle()
    assert statuses(engine.world.order(order_id)) == ("cancelled", "voided", "none")
    assert engine.world.figures("A") == (10, 0)


def test_a_pickup_that_its_shop_refuses_goes_to_nobody_else(engine: Engine) -> None:
    body = order_body()
    body["delivery_groups"][0] |= {"type": "pickup", "location_id": "lyon"}
    order = reject(engine, placed(engine, body))
    assert [(fo["location_id"], fo["status"]) for fo in order["fulfillment_orders"]] == [("lyon", "rejected")]
    assert "refused by lyon" in exception(engine)["cause"]


def test_a_split_cap_that_came_later_does_not_break_a_promise(engine: Engine) -> None:
    world = engine.world
    world.stock("A", "lyon", 0)
    world.stock("B", "berlin", 0)
    order_id = world.place(order_body())["id"]
    world.done("PUT", "/v1/routing/rule-groups/one", {"priority": 1, "max_splits": 0})
    engine.settle()
    assert [fo["location_id"] for fo in world.order(order_id)["fulfillment_orders"]] == ["berlin", "lyon"]


@pytest.mark.parametrize("effect", ["zero", "recount"])
def test_a_reason_with_an_effect_reroutes_and_stops_sales_there(engine: Engine, effect: str) -> None:
    engine.world.done("PUT", "/v1/reasons/flood", {"effect": effect})
    order = reject(engine, placed(engine))
    assert [fo["location_id"] for fo in order["fulfillment_orders"]] == ["berlin", "lyon"]
    assert engine.world.figures("A") == ((0, 0) if effect == "zero" else (10, 0))
    assert [fo["location_id"] for fo in placed(engine, order_body("W-2"))["fulfillment_orders"]] == ["lyon"]
