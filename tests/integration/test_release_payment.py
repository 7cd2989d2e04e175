"""Authorization that nobody needs any more is given back once, whatever dies on the way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import Call, Killed, World, order_body


def given_up(world: World) -> str:
    """An order whose every unit was refused and given up; its authorization is still open."""
    world.done("PUT", "/v1/channels/web", {"location_group": "all", "on_unfillable": "cancel_and_refund"})
    for sku in ("A", "B"):
        world.stock(sku, "lyon", 0)
    order = world.allocated(order_body())
    world.done("POST", f"/v1/fulfillment-orders/{order['fulfillment_orders'][0]['id']}/reject", {"reason": "flood"})
    order_id = str(order["id"])
    assert world.step("allocate", "Allocate", order_id) == {"next": "release_payment"}
    assert (world.order(order_id)["status"], world.order(order_id)["payment_status"]) == ("open", "authorized")
    return order_id


def release(world: World, order_id: str) -> Any:
    return world.step("capture_payment", "Release payment", order_id)


def test_the_order_is_cancelled_when_its_authorization_is_given_back(world: World) -> None:
    order_id = given_up(world)
    assert release(world, order_id) == {"next": "cancelled"}
    order = world.order(order_id)
    assert (order["status"], order["payment_status"], order["payment"]["voided"]) == ("cancelled", "voided", 3500)
    before = world.items()
    assert release(world, order_id) == {"next": "cancelled"}
    assert world.items() == before, "there is nothing left to give back"


@pytest.mark.parametrize("death", range(1, 3))
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_write_and_run_again_it_moves_once(world: World, death: int, when: str) -> None:
    order_id = given_up(world)
    seen: list[Call] = []

    def die(call: Call) -> None:
        seen.extend([call] if call.writes else [])
        if call.writes and len(seen) == death:
            raise Killed

    with world.wire.watched(**{when: die}), pytest.raises(Killed):
        release(world, order_id)
    assert release(world, order_id) == {"next": "cancelled"}
    assert world.gateway.moved("void") == [3500]
    assert world.order(order_id)["status"] == "cancelled"


def test_what_has_expired_needs_no_release(world: World) -> None:
    order_id = given_up(world)
    world.advance(days=8)
    assert release(world, order_id) == {"next": "cancelled"}
    assert world.gateway.moved("void") == []
    assert world.step("allocate", "Allocate", order_id) == {"next": "cancelled"}


def test_allocate_that_is_run_again_gives_up_nothing_twice(world: World) -> None:
    order_id = given_up(world)
    before = world.items()
    assert world.step("allocate", "Allocate", order_id) == {"next": "release_payment"}
    assert world.items() == before
