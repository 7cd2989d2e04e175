"""Whole lives through the synthesised machines, every way out included."""

from __future__ import annotations

from typing import Any

import pytest

from tests.machines.engine import Engine, an_engine
from tests.support.world import JSON, order_body

HOLD = {"kind": "fraud", "reason": "looks odd"}


def placed(engine: Engine, body: JSON | None = None, **more: Any) -> Any:
    """An order placed and brought to rest."""
    order_id = engine.world.place(body or order_body(), **more)["id"]
    engine.settle()
    return engine.world.order(order_id)


def fo_of(order: Any, index: int = 0) -> str:
    return str(order["fulfillment_orders"][index]["id"])


def act(engine: Engine, path: str, body: JSON | None = None, method: str = "POST") -> Any:
    """A command that must succeed; the machines come to rest after it."""
    answer = engine.world.done(method, path, body)
    engine.settle()
    return answer


def ship(engine: Engine, fulfillment_order_id: str, lines: dict[str, int], number: str = "T1") -> None:
    engine.world.ship(fulfillment_order_id, lines, number)
    engine.settle()


def news(engine: Engine, number: str, status: str) -> None:
    assert engine.world.carrier(number, status).body["changed"]
    engine.settle()


def again(engine: Engine, order: Any) -> Any:
    return engine.world.order(order["id"])


def exception(engine: Engine) -> Any:
    """The one open exception."""
    (found,) = engine.world.done("GET", "/v1/exceptions")["data"]
    return found


def test_the_whole_life_of_two_lines_from_two_locations_with_a_return(engine: Engine) -> None:
    world = engine.world
    world.stock("B", "berlin", 0)
    world.stock("A", "lyon", 0)
    order = placed(engine)
    assert [fo["location_id"] for fo in order["fulfillment_orders"]] == ["berlin", "lyon"]
    assert engine.statuses() == {order["id"]: "SUCCEEDED", fo_of(order): "Ship", fo_of(order, 1): "Ship"}
    ship(engine, fo_of(order), {"1": 1}, "T1")
    assert engine.statuses()[fo_of(order)] == "Ship", "a remainder is open"
    assert again(engine, order)["payment_status"] == "partially_captured"
    ship(engine, fo_of(order), {"1": 1}, "T2")
    ship(engine, fo_of(order, 1), {"2": 1}, "T3")
    assert engine.statuses() == {order["id"]: "SUCCEEDED", fo_of(order): "Deliver", fo_of(order, 1): "Deliver"}
    assert engine.path(fo_of(order)) == ["Ship", "Capture payment", "Ship", "Capture payment", "Deliver"]
    for number in ("T1", "T2", "T3"):
        news(engine, number, "delivered")
    done = again(engine, order)
    assert (done["status"], done["payment_status"], done["delivery_status"]) == ("completed", "captured", "delivered")
    assert set(engine.statuses().values()) == {"SUCCEEDED"}
    assert sum(world.gateway.moved("capture")) == sum(invoice["total_amount"] for invoice in done["invoices"]) == 3500

    ret = act(engine, f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]})["id"]
    assert engine.statuses()[ret] == "Approve"
    act(engine, f"/v1/returns/{ret}/approve")
    assert engine.statuses()[ret] == "Wait for goods"
    act(engine, f"/v1/returns/{ret}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    done = again(engine, order)
    assert engine.path(ret) == ["Approve", "Wait for goods", "Return", "Settled"]
    assert (done["status"], done["payment_status"], done["return_status"]) == ("completed", "partially_refunded", "partially_returned")
    assert world.gateway.moved("refund") == [1200]
    assert {execution["status"] for execution in done["executions"]} == {"SUCCEEDED"}
    sequences = [event["sequence"] for event in world.published()]
    assert sequences == list(range(1, len(world.facts(order["id"])) + 1)), "every fact has exactly one event, in order"


def test_a_plain_life_takes_at_most_ten_transitions(engine: Engine) -> None:
    order = placed(engine)
    ship(engine, fo_of(order), {"1": 2, "2": 1})
    news(engine, "T1", "delivered")
    assert engine.path(order["id"]) == ["Allocate", "Allocated"]
    assert engine.path(fo_of(order)) == ["Ship", "Capture payment", "Deliver"]


def test_an_order_taken_in_bulk_is_captured_by_its_machine(engine: Engine) -> None:
    received = engine.world.place(order_body(), status=202, headers={"Prefer": "respond-async"})
    assert (received["status"], engine.world.gateway.calls) == ("received", {})
    engine.settle()
    order = again(engine, received)
    assert engine.path(order["id"]) == ["Capture", "Allocate", "Allocated"]
    assert (order["status"], order["payment_status"]) == ("open", "authorized")


def test_an_order_taken_in_bulk_and_declined_ends_there(engine: Engine) -> None:
    received = engine.world.place(order_body(token="tok_decline"), status=202, headers={"Prefer": "respond-async"})
    engine.settle()
    assert engine.path(received["id"]) == ["Capture", "Declined"]
    assert (again(engine, received)["status"], engine.world.figures("A")) == ("declined", (10, 0))
    answer = engine.world.call("POST", f"/v1/orders/{received['id']}/payments", {"method": "card", "token": "tok_approve", "amount": 3500})
    assert answer.status == 201
    engine.settle()
    assert again(engine, received)["fulfillment_status"] == "allocated"
    assert engine.path(f"{received['id']}-2") == ["Allocate", "Allocated"]


def test_what_a_location_rejects_is_routed_to_another_by_a_second_run(engine: Engine) -> None:
    order = placed(engine)
    act(engine, f"/v1/fulfillment-orders/{fo_of(order)}/reject", {"reason": "flood"})
    order = again(engine, order)
    assert [(fo["location_id"], fo["status"]) for fo in order["fulfillment_orders"]] == [("berlin", "rejected"), ("lyon", "released")]
    assert engine.path(fo_of(order)) == ["Ship", "Rejected"]
    assert engine.path(f"{order['id']}-2") == ["Allocate", "Allocated"]
    assert (engine.world.figures("A"), engine.world.figures("A", "lyon")) == ((10, 0), (10, 2))
    ship(engine, fo_of(order, 1), {"1": 2, "2": 1})
    news(engine, "T1", "delivered")
    assert again(engine, order)["status"] == "completed"


def test_a_held_order_waits_for_its_release(engine: Engine) -> None:
    order = placed(engine, order_body(holds=[HOLD]))
    assert engine.statuses() == {order["id"]: "Wait for release"}
    act(engine, f"/v1/orders/{order['id']}/holds/{order['holds'][0]['id']}", method="DELETE")
    assert engine.path(order["id"]) == ["Allocate", "Wait for release", "Allocate", "Allocated"]


def test_held_work_waits_for_its_release(engine: Engine) -> None:
    order = placed(engine)
    act(engine, f"/v1/fulfillment-orders/{fo_of(order)}/hold")
    assert engine.statuses()[fo_of(order)] == "Wait for release"
    act(engine, f"/v1/fulfillment-orders/{fo_of(order)}/release")
    assert engine.statuses()[fo_of(order)] == "Ship"


def test_an_order_held_for_shipping_holds_its_released_work(engine: Engine) -> None:
    order = placed(engine)
    held = act(engine, f"/v1/orders/{order['id']}/holds", {**HOLD, "blocks": ["ship"]})["holds"][0]
    assert engine.statuses()[fo_of(order)] == "Wait for release"
    act(engine, f"/v1/orders/{order['id']}/holds/{held['id']}", method="DELETE")
    assert engine.statuses()[fo_of(order)] == "Ship"


def test_an_order_held_for_capture_waits_for_its_release_with_what_has_left(engine: Engine) -> None:
    order = placed(engine)
    held = act(engine, f"/v1/orders/{order['id']}/holds", {**HOLD, "blocks": ["capture"]})["holds"][0]
    ship(engine, fo_of(order), {"1": 2, "2": 1})
    assert engine.statuses()[fo_of(order)] == "Wait for release"
    assert (engine.world.gateway.moved("capture"), again(engine, order)["exceptions"]) == ([], [])
    news(engine, "T1", "delivered")
    act(engine, f"/v1/orders/{order['id']}/holds/{held['id']}", method="DELETE")
    assert engine.world.gateway.moved("capture") == [3500]
    assert (again(engine, order)["status"], engine.statuses()[fo_of(order)]) == ("completed", "SUCCEEDED")


def test_work_that_nobody_ships_in_time_goes_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def soon(machine: str, states: JSON) -> None:
        if machine == "fulfillment":
            states["Ship"]["TimeoutSeconds"] = 1

    with an_engine(monkeypatch, soon) as engine:
        order = engine.world.place(order_body())
        engine.until(lambda: len(again(engine, order)["fulfillment_orders"]) == 2)
        ship(engine, fo_of(again(engine, order), 1), {"1": 2, "2": 1})
        shown = again(engine, order)
        assert [(fo["location_id"], fo["status"]) for fo in shown["fulfillment_orders"]] == [("berlin", "expired"), ("lyon", "shipped")]
        assert engine.path(fo_of(shown)) == ["Ship", "Expire", "Expired"]
        assert (engine.world.figures("A"), engine.world.figures("A", "lyon")) == ((10, 0), (8, 0))


@pytest.mark.parametrize("action", ["retry", "resolve", "abandon"])
def test_a_parcel_on_its_way_back_is_decided_by_a_person(engine: Engine, action: str) -> None:
    order = placed(engine)
    ship(engine, fo_of(order), {"1": 2, "2": 1})
    news(engine, "T1", "return_to_sender")
    assert engine.statuses()[fo_of(order)] == "Raise exception: Deliver"
    problem = exception(engine)
    assert (problem["kind"], problem["actions"]) == ("parcel", ["retry", "resolve:mark_delivered", "abandon"])
    assert problem["execution"]["arn"] == engine.executions[fo_of(order)]
    act(engine, f"/v1/exceptions/{problem['id']}/{action}", {"action": "mark_delivered"} if action == "resolve" else None)
    if action == "retry":
        assert engine.statuses()[fo_of(order)] == "Deliver"
        news(engine, "T1", "delivered")
    assert engine.statuses()[fo_of(order)] == ("FAILED" if action == "abandon" else "SUCCEEDED")
    assert engine.path(fo_of(order))[-1] == {"retry": "Deliver", "resolve": "Deliver", "abandon": "Abandoned"}[action]
    assert again(engine, order)["status"] == ("open" if action == "abandon" else "completed")


def test_a_declined_capture_is_retried_by_a_person(engine: Engine) -> None:
    order = placed(engine, order_body(token="tok_capture_decline_once"))
    ship(engine, fo_of(order), {"1": 2, "2": 1})
    assert engine.statuses()[fo_of(order)] == "Raise exception: Capture payment"
    problem = exception(engine)
    assert problem["kind"] == "payment"
    assert problem["cause"].startswith("PaymentDeclined: the capture of 35.00 EUR")
    assert again(engine, order)["invoices"] == []
    act(engine, f"/v1/exceptions/{problem['id']}/retry")
    assert engine.statuses()[fo_of(order)] == "Deliver"
    assert engine.world.gateway.moved("capture") == [3500]
    assert [key[-2:] for key in engine.world.gateway.calls if "/capture/" in key] == ["/1", "/2"]
    news(engine, "T1", "delivered")
    assert again(engine, order)["status"] == "completed"


def test_a_refund_that_is_declined_is_an_exception_and_a_retry_asks_with_a_new_key(engine: Engine) -> None:
    order = placed(engine, order_body(token="tok_refund_decline"))
    ship(engine, fo_of(order), {"1": 2, "2": 1})
    news(engine, "T1", "delivered")
    ret = act(engine, f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1, "reason": "x"}]})["id"]
    act(engine, f"/v1/returns/{ret}/approve")
    act(engine, f"/v1/returns/{ret}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    assert engine.statuses()[ret] == "Raise exception: Return"
    first = exception(engine)["id"]
    act(engine, f"/v1/exceptions/{first}/retry")
    assert exception(engine)["id"] != first
    assert [key[-2:] for key in engine.world.gateway.calls if "/refund/" in key] == ["/1", "/2"]
    assert again(engine, order)["credit_memos"] == []


@pytest.mark.parametrize("action", ["retry", "resolve", "abandon"])
def test_a_refund_for_a_cancellation_that_is_declined_is_decided_by_a_person(engine: Engine, action: str) -> None:
    """Paid up front elsewhere, then one of two units (12.00 with 3.00 for its delivery) is refused by all and given up."""
    world = engine.world
    world.done("PUT", "/v1/channels/web", {"location_group": "all", "on_unfillable": "cancel_and_refund"})
    world.stock("A", "lyon", 0)
    paid = {"authorization": {"reference": "a_1.tok_refund_decline", "amount": 3000}, "capture": {"reference": "c_1", "amount": 3000}}
    order = placed(engine, order_body(quantities={"A": 2}, payments=[{"method": "card", "gateway": "sandbox", "amount": 3000, **paid}]))
    refused = {"reason": "broken", "lines": [{"line_id": "1", "quantity": 1}]}
    act(engine, f"/v1/fulfillment-orders/{fo_of(order)}/reject", refused)
    (change,) = again(engine, order)["changes"]
    problem = exception(engine)
    assert (problem["step"], problem["kind"]) == ("Settle", "payment")
    assert problem["actions"] == ["retry", "resolve:recorded", "abandon"]
    assert problem["cause"].startswith("PaymentDeclined: the refund of 15.00 EUR")
    act(engine, f"/v1/exceptions/{problem['id']}/{action}", {"action": "recorded"} if action == "resolve" else None)
    path = {"retry": ["Settle", "Raise exception: Settle"], "resolve": ["Settle", "Settled"], "abandon": ["Abandoned"]}[action]
    assert engine.path(change["id"]) == ["Settle", "Raise exception: Settle", *path]
    keys = [key[-2:] for key in world.gateway.calls if "/refund/" in key]
    assert keys == (["/1", "/2"] if action == "retry" else ["/1"])
    order = again(engine, order)
    assert order["changes"][0]["status"] == ("done" if action == "resolve" else "pending")
    assert (order["payment"]["refunded"], order["money_owed"]) == ((1500, "none") if action == "resolve" else (0, "credit_owed"))


def test_stock_that_vanished_is_an_exception_until_there_is_some(engine: Engine) -> None:
    world = engine.world
    world.stock("A", "lyon", 0)
    order = placed(engine)
    act(engine, f"/v1/fulfillment-orders/{fo_of(order)}/reject", {"reason": "flood"})
    run = f"{order['id']}-2"
    assert engine.path(run) == ["Allocate", "Unfillable", "Raise exception: Allocate"]
    problem = exception(engine)
    assert problem["kind"] == "allocation"
    act(engine, f"/v1/exceptions/{problem['id']}/retry")
    assert engine.statuses()[run] == "Raise exception: Allocate", "still nothing there"
    world.stock("A", "lyon", 2)
    act(engine, f"/v1/exceptions/{exception(engine)['id']}/retry")
    assert engine.statuses()[run] == "SUCCEEDED"
    open_work = [fo for fo in again(engine, order)["fulfillment_orders"] if fo["status"] == "released"]
    assert [(fo["location_id"], [line["quantity"] for line in fo["lines"]]) for fo in open_work][-1] == ("lyon", [2])


def test_where_nobody_confirms_delivery_the_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def soon(machine: str, states: JSON) -> None:
        if machine == "fulfillment":
            del states["Wait for the clock"]["SecondsPath"]
            states["Wait for the clock"]["Seconds"] = 1

    with an_engine(monkeypatch, soon) as engine:
        engine.world.done("PUT", "/v1/methods/standard", {"delivery_confirmation": "none", "assume_delivered_after_days": 3})
        order = placed(engine)
        engine.world.ship(fo_of(order), {"1": 2, "2": 1}, "T1")
        engine.until(lambda: engine.statuses()[fo_of(order)] == "Wait for the clock")
        assert again(engine, order)["delivery_status"] == "in_transit"
        engine.world.advance(days=3, seconds=5)
        engine.settle()
        assert engine.path(fo_of(order)) == ["Ship", "Capture payment", "Wait for the clock", "Deliver"]
        assert (again(engine, order)["delivery_status"], again(engine, order)["status"]) == ("delivered", "completed")


@pytest.mark.parametrize(("action", "path"), [("reject", ["Approve", "Rejected"]), ("cancel", ["Approve", "Cancelled"])])
def test_a_return_that_does_not_happen(engine: Engine, action: str, path: list[str]) -> None:
    order = placed(engine)
    ship(engine, fo_of(order), {"1": 2, "2": 1})
    news(engine, "T1", "delivered")
    ret = act(engine, f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1, "reason": "x"}]})["id"]
    act(engine, f"/v1/returns/{ret}/{action}")
    assert engine.path(ret) == path
    assert again(engine, order)["return_status"] == "none"


def test_goods_that_never_come_end_the_return(monkeypatch: pytest.MonkeyPatch) -> None:
    def soon(machine: str, states: JSON) -> None:
        if machine == "return":
            states["Wait for goods"]["TimeoutSeconds"] = 1

    with an_engine(monkeypatch, soon) as engine:
        order = placed(engine)
        ship(engine, fo_of(order), {"1": 2, "2": 1})
        news(engine, "T1", "delivered")
        ret = act(engine, f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1, "reason": "x"}]})["id"]
        act(engine, f"/v1/returns/{ret}/approve")
        engine.until(lambda: engine.statuses()[ret] == "SUCCEEDED")
        assert engine.path(ret) == ["Approve", "Wait for goods", "Expire", "Expired"]
        assert again(engine, order)["returns"][0]["status"] == "expired"
