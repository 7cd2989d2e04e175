"""Capacity on real tables: taken with the work, given back with it, never exceeded, reset by the calendar alone."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from oms.clock import later
from oms.settings import LocationSettings
from oms.storage.capacity import taken_between
from oms.storage.settings import put_setting
from tests.support.world import JSON, World, order_body


def limit(world: World, place: str, orders: int, unit: str = "day", **more: Any) -> None:
    """A location takes so many orders per window."""
    body = {"name": place, "type": "warehouse", "capacity": {"orders": orders, "window": unit}, **more}
    world.done("PUT", f"/v1/locations/{place}", body)


def taken(place: str = "berlin") -> list[int]:
    """Orders taken per window, the oldest first."""
    return [count for _, count in sorted(taken_between(place, "0", "~").items())]


def where(order: Any) -> list[tuple[str, str]]:
    return [(fo["location_id"], fo["status"]) for fo in order["fulfillment_orders"]]


def only_a(number: str) -> JSON:
    return order_body(number, quantities={"A": 1})


def test_a_location_that_is_full_is_left_out_and_the_next_day_takes_orders_again(world: World) -> None:
    limit(world, "berlin", 2)
    places = [where(world.allocated(only_a(f"W-{n}")))[0][0] for n in range(3)]
    assert places == ["berlin", "berlin", "lyon"]
    assert taken() == [2]
    world.advance(days=1)
    order = world.allocated(only_a("W-9"))
    assert where(order)[0][0] == "berlin"
    assert taken() == [2, 1]


def test_a_rejected_order_gives_its_place_back_once(world: World) -> None:
    limit(world, "berlin", 1)
    order = world.allocated(only_a("W-1"))
    assert where(world.allocated(only_a("W-2"))) == [("lyon", "released")]
    world.done("POST", f"/v1/fulfillment-orders/{order['fulfillment_orders'][0]['id']}/reject", {"reason": "flood"})
    assert taken() == [0]
    world.step("allocate", "Allocate", order["id"])
    assert taken() == [0], "it was routed elsewhere"
    assert where(world.allocated(only_a("W-3"))) == [("berlin", "released")]
    assert taken() == [1]


def test_what_was_shipped_in_part_keeps_its_place(world: World) -> None:
    limit(world, "berlin", 5)
    order = world.allocated(order_body(quantities={"A": 2}))
    body = {
        "packages": [{"tracking_number": "T1", "lines": [{"line_id": "1", "quantity": 1}]}],
        "short": [{"line_id": "1", "quantity": 1, "reason": "broken"}],
    }
    world.done("POST", f"/v1/fulfillment-orders/{order['fulfillment_orders'][0]['id']}/ship", body)
    assert taken() == [1]


def test_a_promise_at_the_only_place_is_kept_in_a_later_window(world: World) -> None:
    world.stock("A", "lyon", 0)
    limit(world, "berlin", 1, "hour", processing_hours=2)
    ship_by = [world.allocated(only_a(f"W-{n}"))["fulfillment_orders"][0]["ship_by"] for n in range(3)]
    assert taken() == [1, 1, 1]
    starts = sorted(taken_between("berlin", "0", "~"))
    assert ship_by[1:] == [later(start, hours=2) for start in starts[1:]], "the time to prepare it counts from the window"


def test_without_a_limit_nothing_of_it_is_read_or_written(world: World) -> None:
    world.allocated(only_a("W-1"))
    assert taken() == []
    assert not [call for call in world.wire.made if call.operation == "BatchGetItem"]


def test_orders_that_are_allocated_at_the_same_moment_never_exceed_the_limit(world: World) -> None:
    limit(world, "berlin", 3)
    orders = [world.place(only_a(f"W-{n}"))["id"] for n in range(8)]
    threads = [threading.Thread(target=world.step, args=("allocate", "Allocate", order_id)) for order_id in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for order_id in orders:
        world.step("allocate", "Allocate", order_id)  # what gave up in the crowd is tried again by its machine
    places = [where(world.order(order_id))[0][0] for order_id in orders]
    assert (places.count("berlin"), places.count("lyon"), taken()) == (3, 5, [3])


def test_a_step_that_is_run_twice_takes_one_place(world: World) -> None:
    limit(world, "berlin", 3)
    order = world.allocated(only_a("W-1"))
    world.step("allocate", "Allocate", order["id"])
    assert taken() == [1]


def test_a_limit_that_is_lifted_lets_old_places_go_in_peace(world: World) -> None:
    limit(world, "berlin", 1)
    order = world.allocated(only_a("W-1"))
    put_setting("locations", "berlin", LocationSettings(name="Berlin", type="warehouse").model_dump())
    assert where(world.allocated(only_a("W-2"))) == [("berlin", "released")]
    world.done("POST", f"/v1/fulfillment-orders/{order['fulfillment_orders'][0]['id']}/reject", {"reason": "flood"})
    assert taken() == [0]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"capacity": {"orders": 0, "window": "day"}}, "/capacity/orders"),
        ({"capacity": {"orders": 1, "window": "week"}}, "/capacity/window"),
        ({"time_zone": "Europe/Atlantis"}, "/time_zone"),
    ],
)
def test_a_capacity_that_makes_no_sense_is_refused(world: World, change: JSON, pointer: str) -> None:
    answer = world.call("PUT", "/v1/locations/berlin", {"name": "Berlin", "type": "warehouse", **change})
    assert (answer.status, answer.pointers) == (422, {pointer})
