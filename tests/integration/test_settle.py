"""What a change frees is given back once, whatever dies on the way; and steps that ask a gateway wait for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.orders import a_line, an_order
from tests.support.world import JSON, Call, Killed, World, order_body

SETTLED = {"next": "settled", "seconds": 0}


def given_up(world: World) -> str:
    """An order whose every unit was refused and given up; its authorization is still open."""
    world.done("PUT", "/v1/channels/web", {"location_group": "all", "on_unfillable": "cancel_and_refund"})
    for sku in ("A", "B"):
        world.stock(sku, "lyon", 0)
    order = world.allocated(order_body())
    world.done("POST", f"/v1/fulfillment-orders/{order['fulfillment_orders'][0]['id']}/reject", {"reason": "flood"})
    order_id = str(order["id"])
    assert world.step("allocate", "Allocate", order_id) == {"next": "cancelled"}
    assert (world.order(order_id)["status"], world.order(order_id)["payment_status"]) == ("open", "authorized")
    return order_id


def captured_and_cut_twice(world: World, token: str = "tok_approve") -> str:
    """Five units of 20.00, all captured up front, of which two were cancelled one after the other (Salesforce's refunds, 2.10 case 5)."""
    world.done("PUT", "/v1/channels/web", {"location_group": "all", "on_unfillable": "cancel_and_refund"})
    world.stock("A", "lyon", 0)
    elsewhere = {"authorization": {"reference": f"auth_77.{token}", "amount": 10000}, "capture": {"reference": "cap_77", "amount": 10000}}
    card = {"method": "card", "gateway": "sandbox", "amount": 10000, **elsewhere}
    order = world.allocated(an_order(a_line("1", "A", 5, 2000), payments=[card]))
    for reason in ("broken", "lost"):
        rejected = {"lines": [{"line_id": "1", "quantity": 1}], "reason": reason}
        world.done("POST", f"/v1/fulfillment-orders/{order['fulfillment_orders'][0]['id']}/reject", rejected)
        assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
    changes = world.order(order["id"])["changes"]
    assert [(change["kind"], change["worth"], change["status"]) for change in changes] == [("cancellation", 2000, "pending")] * 2
    return str(order["id"])


def changes_of(world: World, order_id: str) -> list[JSON]:
    found: list[JSON] = world.order(order_id)["changes"]
    return found


def settle(world: World, order_id: str, number: int = 0) -> Any:
    return world.step("settle", "Settle", order_id, change_id=changes_of(world, order_id)[number]["id"])


def die_at(world: World, when: str, write: int) -> Any:
    """Kill whoever makes the n-th write from now on."""
    seen: list[Call] = []

    def die(call: Call) -> None:
        seen.extend([call] if call.writes else [])
        if call.writes and len(seen) == write:
            raise Killed

    return world.wire.watched(**{when: die})


def test_the_order_is_cancelled_when_its_authorization_is_given_back(world: World) -> None:
    order_id = given_up(world)
    assert settle(world, order_id) == SETTLED
    order = world.order(order_id)
    assert (order["status"], order["payment_status"], order["payment"]["voided"]) == ("cancelled", "voided", 3500)
    assert [(change["status"], change["refunds"]) for change in order["changes"]] == [("done", [])]
    before = world.items()
    assert settle(world, order_id) == SETTLED
    assert world.items() == before, "there is nothing left to give back"


@pytest.mark.parametrize("death", range(1, 4))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_void_killed_at_any_write_and_run_again_moves_once(world: World, death: int, when: str) -> None:
    order_id = given_up(world)
    with die_at(world, when, death), pytest.raises(Killed):
        settle(world, order_id)
    assert settle(world, order_id) == SETTLED
    assert world.gateway.moved("void") == [3500]
    assert world.order(order_id)["status"] == "cancelled"


@pytest.mark.parametrize("death", range(1, 4))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_refund_killed_at_any_write_and_run_again_moves_once(world: World, death: int, when: str) -> None:
    order_id = captured_and_cut_twice(world)
    with die_at(world, when, death), pytest.raises(Killed):
        settle(world, order_id)
    assert settle(world, order_id) == SETTLED
    assert world.gateway.moved("refund") == [2000]
    assert [row["amount"] for row in changes_of(world, order_id)[0]["refunds"]] == [2000]


def test_each_run_writes_no_more_often_than_it_is_killed_above(world: World) -> None:
    for order_id in (given_up(world), captured_and_cut_twice(world)):
        made = len([call for call in world.wire.made if call.writes])
        assert settle(world, order_id) == SETTLED
        assert len([call for call in world.wire.made if call.writes]) == made + 3


@pytest.mark.parametrize("first", [0, 1])
def test_two_quick_cancellations_of_20_refund_20_and_20(world: World, first: int) -> None:
    order_id = captured_and_cut_twice(world)
    assert world.order(order_id)["money_owed"] == "credit_owed"
    for number in (first, 1 - first):
        assert settle(world, order_id, number) == SETTLED
    order = world.order(order_id)
    assert world.gateway.moved("refund") == [2000, 2000]
    assert [[row["amount"] for row in change["refunds"]] for change in order["changes"]] == [[2000], [2000]]
    assert (order["totals"]["grand_total"], order["payment"]["refunded"], order["money_owed"]) == (6000, 4000, "none")


@pytest.mark.parametrize("death", range(1, 4))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_refund_in_flight_is_not_given_back_by_the_other_cancellation(world: World, death: int, when: str) -> None:
    order_id = captured_and_cut_twice(world)
    with die_at(world, when, death), pytest.raises(Killed):
        settle(world, order_id, 0)
    assert settle(world, order_id, 1) == SETTLED
    assert settle(world, order_id, 0) == SETTLED
    assert world.gateway.moved("refund") == [2000, 2000]
    assert world.order(order_id)["payment"]["refunded"] == 4000


def test_refunds_that_a_gateway_thinks_about_are_waited_for_and_made_once(world: World) -> None:
    order_id = captured_and_cut_twice(world, "tok_async_refund")
    for _ in range(2):
        assert [settle(world, order_id, number) for number in (0, 1)] == [{"next": "later_settle", "seconds": 15}] * 2
    assert [change["status"] for change in changes_of(world, order_id)] == ["pending", "pending"]
    world.advance(seconds=61)
    assert [settle(world, order_id, number) for number in (0, 1)] == [SETTLED] * 2
    assert world.order(order_id)["payment"]["refunded"] == 4000
    assert [len(calls) for calls in world.gateway.calls.values()] == [1, 1], "later it is only looked up what became of them"


def test_what_has_expired_needs_no_release(world: World) -> None:
    order_id = given_up(world)
    world.advance(days=8)
    assert settle(world, order_id) == SETTLED
    assert world.gateway.moved("void") == []
    assert world.order(order_id)["status"] == "cancelled"
    assert world.step("allocate", "Allocate", order_id) == {"next": "cancelled"}


def test_allocate_that_is_run_again_gives_up_nothing_twice(world: World) -> None:
    order_id = given_up(world)
    before = world.items()
    assert world.step("allocate", "Allocate", order_id) == {"next": "cancelled"}
    assert world.items() == before
    assert len(changes_of(world, order_id)) == 1


def test_an_order_machine_of_an_earlier_version_may_still_ask_for_the_release(world: World) -> None:
    order_id = given_up(world)
    assert world.step("capture_payment", "Release payment", order_id) == {"next": "cancelled"}
    assert settle(world, order_id) == SETTLED
    assert world.gateway.moved("void") == [3500]
    assert world.order(order_id)["status"] == "cancelled"


@pytest.mark.parametrize(("token", "next_"), [("tok_async", "allocate"), ("tok_async_decline", "declined")])
def test_capture_comes_back_until_the_gateway_has_decided(world: World, token: str, next_: str) -> None:
    order_id = world.place(order_body(token=token), status=202)["id"]
    assert world.step("capture", "Capture", order_id) == {"next": "later_capture", "seconds": 15}
    world.advance(seconds=40)
    assert world.step("capture", "Capture", order_id) == {"next": "later_capture", "seconds": 15}
    assert world.order(order_id)["status"] == "received"
    world.advance(seconds=21)
    assert world.step("capture", "Capture", order_id) == {"next": next_, "seconds": 0}
    assert world.order(order_id)["payment"]["authorized"] == (3500 if next_ == "allocate" else 0)
    assert [len(calls) for calls in world.gateway.calls.values()] == [1], "later it is only looked up what became of it"
