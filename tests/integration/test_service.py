"""What agents do: holds, notes, process exceptions."""

from __future__ import annotations

from typing import Any

import pytest

from oms import clock
from tests.support.world import World, order_body

HOLD = {"kind": "fraud", "reason": "looks odd"}


def hold(world: World, order: Any, **more: Any) -> Any:
    return world.done("POST", f"/v1/orders/{order['id']}/holds", {**HOLD, **more})["holds"][-1]


def release(world: World, order: Any, held: Any) -> Any:
    return world.call("DELETE", f"/v1/orders/{order['id']}/holds/{held['id']}")


def test_a_hold_is_seen_and_released(world: World) -> None:
    order = world.place(order_body())
    held = hold(world, order)
    after = world.order(order["id"])
    assert (after["status"], after["attention"]) == ("on_hold", ["hold"])
    assert release(world, order, held).body["status"] == "open"
    assert release(world, order, held).status == 409
    assert release(world, order, {"id": "hold_x"}).status == 404


def test_every_hold_must_go_before_the_order_goes_on(world: World) -> None:
    order = world.place(order_body())
    first, second = hold(world, order), hold(world, order, kind="address")
    release(world, order, first)
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "wait_for_release"}
    release(world, order, second)
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}


def test_an_order_may_come_with_its_hold(world: World) -> None:
    order = world.place(order_body(holds=[HOLD]))
    assert order["status"] == "on_hold"
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "wait_for_release"}


def test_a_hold_that_is_over_holds_nothing(world: World) -> None:
    order = world.place(order_body(holds=[HOLD | {"expires_at": clock.later(clock.stamp(), hours=1)}]))
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "wait_for_release"}
    world.advance(hours=2)
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}


def test_a_hold_on_shipping_holds_released_work_too(world: World) -> None:
    order = world.allocated(order_body())
    held = hold(world, order, blocks=["ship"])
    fo = world.order(order["id"])["fulfillment_orders"][0]
    assert fo["status"] == "on_hold"
    package = {"packages": [{"lines": [{"line_id": "1", "quantity": 1}]}]}
    assert world.call("POST", f"/v1/fulfillment-orders/{fo['id']}/ship", package).status == 409
    assert world.call("POST", f"/v1/fulfillment-orders/{fo['id']}/release").status == 409
    release(world, order, held)
    assert world.call("POST", f"/v1/fulfillment-orders/{fo['id']}/ship", package).status == 200


def test_a_hold_on_capture_keeps_the_money_where_it_is(world: World) -> None:
    order = world.allocated(order_body())
    world.ship_all(order)
    held = hold(world, order, blocks=["capture"])
    fo = order["fulfillment_orders"][0]["id"]

    def captures() -> str:
        return str(world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo)["next"])

    assert (captures(), world.gateway.moved("capture"), world.order(order["id"])["status"]) == ("hold", [], "on_hold")
    release(world, order, held)
    assert (captures(), world.gateway.moved("capture")) == ("deliver", [3500])


def test_a_hold_on_capture_also_keeps_what_an_upcharge_would_take(world: World) -> None:
    order = world.delivered(order_body())
    held = hold(world, order, blocks=["capture"])
    line = {"line_id": "1", "type": "amount_with_tax", "amount": 200, "reason": "gift wrap"}
    change = world.done("POST", f"/v1/orders/{order['id']}/adjustments", {"lines": [line]})["change"]
    with pytest.raises(Exception, match="held for capture"):
        world.step("settle", "Settle", order["id"], change_id=change["id"])
    assert world.order(order["id"])["money_owed"] == "balance_due"
    release(world, order, held)
    world.step("settle", "Settle", order["id"], change_id=change["id"])
    assert world.gateway.moved("capture") == [200, 3500]


@pytest.mark.parametrize(
    "body",
    [{}, {"kind": "x", "reason": "y", "blocks": []}, {"kind": "x", "reason": "y", "blocks": ["sleep"]}, HOLD | {"expires_at": "soon"}],
)
def test_a_hold_that_makes_no_sense_is_422(world: World, body: Any) -> None:
    order = world.place(order_body())
    before = world.items()
    assert world.call("POST", f"/v1/orders/{order['id']}/holds", body).status == 422
    assert world.items() == before


def test_a_declined_order_cannot_be_held(world: World) -> None:
    order = world.place(order_body(token="tok_decline"), status=402)
    assert world.call("POST", f"/v1/orders/{order['id']}/holds", HOLD).status == 409


def test_a_note_has_its_author_and_stays_out_of_the_timeline(world: World) -> None:
    order = world.place(order_body())
    world.done("POST", f"/v1/orders/{order['id']}/notes", {"text": "call Ann"}, who="agent-7")
    (note,) = world.order(order["id"])["notes"]
    assert (note["text"], note["author"]) == ("call Ann", "agent-7")
    assert "call Ann" not in str(world.facts(order["id"]))


def fail(world: World, order: Any, step: str = "Allocate", error: str = "Conflict", subject: str = "", entered: str = "t1") -> Any:
    """The Raise exception state, called as its machine calls it; the exception."""
    given = {"schema": 1, "order_id": order["id"], **({"fulfillment_order_id": subject} if subject else {})}
    event = {
        "step": f"Raise exception: {step}",
        "failed_step": step,
        "input": given,
        "error": {"Error": error, "Cause": '{"errorMessage": "no way", "stackTrace": ["..."]}'},
        "execution": subject or order["id"],
        "execution_arn": f"arn:aws:states:us-east-1:123456789012:execution:oms-order:{subject or order['id']}",
        "entered": entered,
        "retry": 0,
        "token": "tok",
    }
    return world.invoke("raise_exception", event)["exception_id"]


def act(world: World, exception_id: str, action: str, body: Any = None) -> Any:
    return world.call("POST", f"/v1/exceptions/{exception_id}/{action}", body)


def test_an_exception_says_what_why_and_what_to_do(world: World) -> None:
    order = world.place(order_body())
    exception_id = fail(world, order)
    (row,) = world.done("GET", "/v1/exceptions", query={"status": "open"})["data"]
    assert (row["id"], row["kind"], row["step"], row["order_id"]) == (exception_id, "state", "Allocate", order["id"])
    assert row["cause"] == "Conflict: no way"
    assert row["hint"]
    assert row["execution"]["arn"] in row["execution"]["console_url"]
    assert world.order(order["id"])["attention"] == ["exception"]


def test_the_same_visit_raises_one_exception_and_the_next_visit_another(world: World) -> None:
    order = world.place(order_body())
    assert fail(world, order) == fail(world, order)
    assert fail(world, order, entered="t2") != fail(world, order)
    assert len(world.order(order["id"])["exceptions"]) == 2


@pytest.mark.parametrize(("action", "status"), [("retry", "retried"), ("abandon", "abandoned")])
def test_an_exception_is_closed_once(world: World, action: str, status: str) -> None:
    order = world.place(order_body())
    exception_id = fail(world, order)
    closed = act(world, exception_id, action, {"note": "seen"})
    assert (closed.status, closed.body["status"], closed.body["note"]) == (200, status, "seen")
    assert world.done("GET", "/v1/exceptions")["data"] == []
    before = world.items()
    for again in ("retry", "abandon"):
        assert act(world, exception_id, again).status == 409
    assert world.items() == before
    assert world.order(order["id"])["attention"] == []


def test_only_an_offered_action_resolves_it(world: World) -> None:
    order = world.place(order_body())
    exception_id = fail(world, order)
    assert act(world, exception_id, "resolve", {"action": "mark_delivered"}).status == 422
    assert act(world, exception_id, "resolve", {}).status == 422
    assert act(world, exception_id, "resolve").status == 400
    assert act(world, exception_id, "ignore").status == 404
    assert act(world, "exc_nothing", "retry").status == 404
    assert world.call("GET", "/v1/exceptions", query={"status": "closed"}).status == 422


def test_a_returned_parcel_may_be_resolved_as_delivered(world: World) -> None:
    order = world.allocated(order_body())
    (number,) = world.ship_all(order)
    fo = order["fulfillment_orders"][0]["id"]
    world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo)
    world.carrier(number, "return_to_sender")
    exception_id = fail(world, order, "Deliver", "ReturnedToSender", fo)
    assert world.done("GET", "/v1/exceptions")["data"][0]["fulfillment_order_id"] == fo
    assert act(world, exception_id, "resolve", {"action": "mark_delivered"}).body["action"] == "mark_delivered"
    after = world.order(order["id"])
    assert (after["delivery_status"], after["status"]) == ("delivered", "completed")


def test_every_change_and_return_says_who_asked_for_it_by_which_request(world: World) -> None:
    order = world.delivered(order_body())
    lines = [{"line_id": "1", "quantity": 1, "reason": "small"}]
    headers = {"Idempotency-Key": "k-1"}
    world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": lines}, who="ann", headers=headers)
    token = str(order["tracking_page_url"]).rpartition("/")[2]
    wish = {"return_lines": [{"line_id": "1", "quantity": 1, "reason": "small"}], "new_lines": [{"sku": "A", "quantity": 1}]}
    world.done("POST", f"/v1/track/{token}/exchanges", wish)
    world.done("POST", f"/v1/orders/{order['id']}/refunds", {"amount": 100, "reason": "late"}, who="bob")
    after = world.order(order["id"])
    assert [(ret["actor"], ret["cause"], ret["lines"][0]["reason"]) for ret in after["returns"]] == [
        ("client:ann", "k-1", "small"),
        ("guest", "POST /v1/track/{token}/exchanges", "small"),
    ]
    assert [(change["kind"], change["actor"], change["cause"]) for change in after["changes"]] == [
        ("exchange", "guest", "POST /v1/track/{token}/exchanges"),
        ("goodwill", "client:bob", "POST /v1/orders/{id}/refunds"),
    ]
    assert after["changes"][1]["reason"] == "late"
    assert "client:ann" not in str(world.done("GET", f"/v1/track/{token}")), "a customer is not told who works for the shop"


def test_a_change_of_the_system_names_its_step_or_the_clock(world: World) -> None:
    order = world.allocated(order_body(token="tok_reauthorization_decline"))
    world.advance(days=6, hours=12)
    world.invoke("reconcile", {})
    changes = world.order(order["id"])["changes"]
    assert changes
    assert all(change["actor"] and change["cause"] for change in changes)
