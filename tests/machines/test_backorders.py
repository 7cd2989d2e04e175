"""Orders that wait for stock, through the synthesised machines: woken by what they are granted, or ended by the channel's policy."""

from __future__ import annotations

from typing import Any

from tests.machines.engine import Engine
from tests.support.world import JSON, order_body


def may_wait(number: str = "W-1", units: int = 2) -> JSON:
    """An order whose first line may wait; the second has stock."""
    body = order_body(number, quantities={"A": units, "B": 1})
    body["lines"][0]["backorder"] = "allow"
    return body


def placed(engine: Engine, body: JSON) -> Any:
    order_id = engine.world.place(body)["id"]
    engine.settle()
    return engine.world.order(order_id)


def sold_out(engine: Engine) -> None:
    for place in ("berlin", "lyon"):
        engine.world.stock("A", place, 0)


def test_an_arrival_wakes_the_orders_it_is_granted_to_and_no_others(engine: Engine) -> None:
    world = engine.world
    sold_out(engine)
    first, second = placed(engine, may_wait("W-1")), placed(engine, may_wait("W-2"))
    assert (engine.statuses()[first["id"]], first["attention"]) == ("Wait for stock", ["backordered"])
    assert [line["line_id"] for fo in first["fulfillment_orders"] for line in fo["lines"]] == ["2"]
    world.stock("A", "lyon", 2)
    engine.settle()
    first, second = (world.order(order["id"]) for order in (first, second))
    assert engine.path(first["id"]) == ["Allocate", "Wait for stock", "Allocate", "Allocated"]
    assert [(fo["location_id"], fo["status"]) for fo in first["fulfillment_orders"]] == [("berlin", "released"), ("lyon", "released")]
    assert first["attention"] == []
    assert engine.path(second["id"]) == ["Allocate", "Wait for stock"], "nothing for it yet, so it sleeps on"
    assert len(engine.visits("Allocate")) == 3


def test_a_part_is_released_as_it_comes(engine: Engine) -> None:
    world = engine.world
    sold_out(engine)
    order = placed(engine, may_wait(units=3))
    world.stock("A", "berlin", 1)
    engine.settle()
    assert engine.path(order["id"]) == ["Allocate", "Wait for stock", "Allocate", "Wait for stock"]
    world.stock("A", "lyon", 2)
    engine.settle()
    shown = world.order(order["id"])
    assert engine.path(order["id"])[-2:] == ["Allocate", "Allocated"]
    quantities = shown["lines"][0]["quantities"]
    assert (quantities["allocated"], quantities["backordered"], quantities["reserved"]) == (3, 0, 0)


def test_a_stock_arrival_whose_news_was_lost_is_seen_to_by_reconcile(engine: Engine) -> None:
    world = engine.world
    sold_out(engine)
    order = placed(engine, may_wait())
    world.advance(minutes=10)
    assert world.invoke("reconcile", {})["granted"] == 0
    world.stock("A", "lyon", 2)
    world.wire.stream.clear()
    assert world.invoke("reconcile", {})["granted"] == 2
    engine.settle()
    assert engine.path(order["id"]) == ["Allocate", "Wait for stock", "Allocate", "Allocated"]


def test_a_wait_that_took_too_long_is_an_exception_that_a_retry_cures(engine: Engine) -> None:
    world = engine.world
    world.done("PUT", "/v1/channels/web", {"backorder_days": 10})
    sold_out(engine)
    order = placed(engine, may_wait())
    world.advance(days=10, minutes=10)
    world.invoke("reconcile", {})
    engine.settle()
    assert engine.path(order["id"]) == ["Allocate", "Wait for stock", "Allocate", "Unfillable", "Raise exception: Allocate"]
    (problem,) = world.done("GET", "/v1/exceptions")["data"]
    assert problem["kind"] == "allocation"
    assert world.done("GET", "/v1/backorders", query={"sku": "A"})["data"] == []
    world.stock("A", "berlin", 2)
    world.done("POST", f"/v1/exceptions/{problem['id']}/retry")
    engine.settle()
    assert engine.path(order["id"])[-2:] == ["Allocate", "Allocated"]


def test_a_group_that_ships_complete_is_not_sent_in_part_when_its_wait_is_over(engine: Engine) -> None:
    world = engine.world
    world.done("PUT", "/v1/channels/web", {"backorder_days": 10})
    sold_out(engine)
    body = may_wait()
    body["delivery_groups"][0]["ship_complete"] = True
    order = placed(engine, body)
    world.stock("A", "berlin", 1)
    engine.settle()
    assert (engine.statuses()[order["id"]], world.order(order["id"])["fulfillment_orders"]) == ("Wait for stock", [])
    world.advance(days=10, minutes=10)
    world.invoke("reconcile", {})
    engine.settle()
    assert engine.statuses()[order["id"]] == "Raise exception: Allocate"
    shown = world.order(order["id"])
    assert (shown["fulfillment_orders"], [line["quantities"]["reserved"] for line in shown["lines"]]) == ([], [1, 1])


def test_a_wait_that_took_too_long_is_cancelled_where_the_channel_says_so(engine: Engine) -> None:
    world = engine.world
    world.done("PUT", "/v1/channels/web", {"backorder_days": 10, "on_unfillable": "cancel_and_refund"})
    sold_out(engine)
    order = placed(engine, may_wait())
    world.advance(days=10, minutes=10)
    world.invoke("reconcile", {})
    engine.settle()
    shown = world.order(order["id"])
    assert [line["quantities"]["cancelled"] for line in shown["lines"]] == [2, 0]
    assert engine.statuses()[order["id"]] == "SUCCEEDED"
    assert world.done("GET", "/v1/exceptions")["data"] == []
