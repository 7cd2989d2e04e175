"""The waiting queue: who gets what arrives, in which order, and that nothing of it is lost or given twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from oms.flows.backorders import serve
from oms.inventory.backorders import end_wait
from oms.storage.clients import client
from oms.storage.codec import decode
from oms.storage.orders import Cause, load, update
from oms.storage.queue import InLine, begin, finish, in_line
from tests.support.orders import a_line, an_order
from tests.support.world import JSON, Call, Killed, World, a_world, order_body

ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Nothing of A anywhere, plenty of B."""
    with a_world(monkeypatch) as found:
        for place in ("berlin", "lyon"):
            found.stock("A", place, 0)
        found.pump()
        yield found


def wants(number: str, units: int = 1, *, sku: str = "A", **more: Any) -> JSON:
    """An order that may wait."""
    body = order_body(number, quantities={sku: units}, **more)
    body["lines"][0]["backorder"] = "allow"
    return body


def waits(world: World, number: str, units: int = 1, **more: Any) -> str:
    """An order that waits, placed and relayed."""
    order_id = str(world.place(wants(number, units, **more))["id"])
    world.pump()
    return order_id


def receive(world: World, units: int, place: str = "berlin", sku: str = "A", record: str = "") -> None:
    """Goods arrive."""
    row = {"record_id": record or f"r{random.random()}", "sku": sku, "location_id": place, "delta": units}
    assert world.done("POST", "/v1/inventory/batch", {"records": [row]})["data"][0]["status"] == "applied"


def has(world: World, *orders: str) -> list[int]:
    """Units that the first line of each order has a place for."""
    return [world.order(order)["lines"][0]["quantities"]["reserved"] for order in orders]


def line(world: World, order_id: str) -> Any:
    return world.order(order_id)["lines"][0]


def keep_the_laws(world: World, *skus: str) -> None:
    """What is owed at the places is what the queue says is what the lines say; and the figures of every row fit together."""
    rows = [decode(item) for item in world.items()["oms-inventory"]]
    summaries = [decode(item) for item in world.items()["oms-orders"] if item["sk"]["S"] == "state#summary"]
    placed = {item["pk"]["S"]: decode(item) for item in world.items()["oms-orders"] if item["sk"]["S"] == "doc#order"}
    for sku in skus:
        stock = [row for row in rows if row["pk"].startswith(f"sku#{sku}") and row["sk"].startswith("stock#")]
        for row in stock:
            on_hand, reserved, queued = (row.get(name, 0) for name in ("on_hand", "reserved", "queued"))
            assert row["spare"] == on_hand - reserved - row.get("safety_stock", 0)
            assert row["available"] == row["spare"] - queued
            assert min(on_hand, reserved, queued, on_hand - reserved) >= 0
        owed = sum(row.get("queued", 0) for row in stock)
        entries = sum(row["units"] for row in rows if row["pk"] == f"sku#{sku}" and row["sk"].startswith("queue#"))
        lines = {(pk, each["id"]) for pk, order in placed.items() for each in order["lines"] if each["sku"] == sku}
        missing = sum(state.get("backordered", 0) for row in summaries for key, state in row["lines"].items() if (row["pk"], key) in lines)
        assert owed == entries == missing
        holders = sum(row["units"].get(sku, 0) for row in rows if row["pk"].startswith("reserved#"))
        assert holders == sum(row.get("reserved", 0) for row in stock)
    assert not [row for row in rows if row["pk"] == "workers"], "every worker has gone home"


def test_what_arrives_goes_to_the_head_of_the_queue_and_no_sale_has_it_first(world: World) -> None:
    first, second, third = (waits(world, f"W-{number}", 2) for number in range(3))
    receive(world, 3)
    assert world.call("POST", "/v1/orders", order_body("W-9", quantities={"A": 1})).status == 409, "owed, though nobody has granted it yet"
    world.pump()
    assert has(world, first, second, third) == [2, 1, 0]
    assert line(world, second)["quantities"]["backordered"] == 1
    receive(world, 4)
    world.pump()
    assert has(world, first, second, third) == [2, 2, 2]
    assert world.place(order_body("W-9", quantities={"A": 1}))["status"] == "open", "what the queue does not need is sold"
    keep_the_laws(world, "A")


def test_only_orders_that_were_granted_something_hear_of_it(world: World) -> None:
    first, second = waits(world, "W-1"), waits(world, "W-2")
    version = world.order(second)["version"]
    receive(world, 1)
    world.pump()
    assert ("backorder.granted", {"line_id": "1", "units": 1, "location_id": "berlin"}) in world.facts(first)
    assert world.order(second)["version"] == version


def test_a_better_class_goes_first(world: World) -> None:
    usual, better = waits(world, "W-1"), waits(world, "W-2", priority=1)
    receive(world, 1)
    world.pump()
    assert has(world, usual, better) == [0, 1]


def test_goods_that_arrive_elsewhere_are_the_queues_too(world: World) -> None:
    order = waits(world, "W-1", 3)
    receive(world, 2, "lyon")
    assert world.call("POST", "/v1/orders", order_body("W-9", quantities={"A": 1})).status == 409
    world.pump()
    assert (has(world, order), world.figures("A", "lyon")) == ([2], (2, 2))
    receive(world, 1)
    world.pump()
    assert (has(world, order), world.figures("A")) == ([3], (1, 1))
    keep_the_laws(world, "A")


def test_units_that_come_back_go_to_the_queue(world: World) -> None:
    receive(world, 2)
    sold = world.allocated(order_body("W-0", quantities={"A": 2}))
    order = waits(world, "W-1", 1)
    world.done("POST", f"/v1/fulfillment-orders/{sold['fulfillment_orders'][0]['id']}/reject", {"reason": "no time"})
    world.pump()
    assert has(world, order) == [1]
    keep_the_laws(world, "A")


def two_channels(world: World) -> None:
    """Channel `north` sells from berlin only, channel `south` from lyon only."""
    for place, group in (("berlin", "g-north"), ("lyon", "g-south")):
        world.done("PUT", f"/v1/locations/{place}", {"name": place, "type": "warehouse", "groups": [group]})
    for channel in ("north", "south"):
        world.done("PUT", f"/v1/channels/{channel}", {"location_group": f"g-{channel}"})


def test_who_cannot_have_it_does_not_stand_in_the_way_of_those_who_can(world: World) -> None:
    two_channels(world)
    north, south = waits(world, "W-1", 2, channel="north"), waits(world, "W-2", 1, channel="south")
    receive(world, 1, "lyon")
    world.pump()
    assert has(world, north, south) == [0, 1]
    receive(world, 2, "lyon")
    world.pump()
    assert has(world, north, south) == [0, 1]
    world.place(order_body("W-3", quantities={"A": 2}, channel="south"))
    keep_the_laws(world, "A")
    receive(world, 1)
    world.pump()
    assert has(world, north) == [1], "its debt went back to where it can be paid"
    keep_the_laws(world, "A")


def test_places_that_the_rules_leave_out_serve_nobody_who_waits(world: World) -> None:
    world.done("PUT", "/v1/routing/rule-groups/main", {"exclude_locations": ["lyon"]})
    order = waits(world, "W-1")
    receive(world, 5, "lyon")
    world.pump()
    assert has(world, order) == [0]
    world.done("PUT", "/v1/routing/rule-groups/main", {"exclude_locations": []})
    world.place(order_body("W-2", quantities={"A": 5}))
    keep_the_laws(world, "A")


def test_an_arrival_at_the_very_moment_somebody_begins_to_wait(world: World) -> None:
    """It has not seen the debt, and the debt has not seen it: the order's own news brings them together."""
    done: list[Call] = []

    def arrives(call: Call) -> None:
        if call.operation == "TransactWriteItems" and not done:
            done.append(call)
            receive(world, 1, "lyon")

    with world.wire.watched(before=arrives):
        order = world.place(wants("W-1"))["id"]
    assert world.figures("A", "lyon") == (1, 0)
    world.pump()
    assert has(world, order) == [1]
    keep_the_laws(world, "A")


def test_news_that_comes_while_the_worker_is_at_its_end_is_not_lost(world: World) -> None:
    first, second = waits(world, "W-1"), waits(world, "W-2")
    came: list[Call] = []

    def leaving(call: Call) -> None:
        if call.operation == "DeleteItem" and call.given["Key"]["pk"]["S"] == "workers" and not came:
            came.append(call)
            receive(world, 1)
            world.pump()  # this news finds a worker at it, and leaves
            assert has(world, second) == [0]

    receive(world, 1)
    with world.wire.watched(before=leaving):
        world.pump()
    assert (len(came), has(world, first, second)) == (1, [1, 1])
    keep_the_laws(world, "A")


def test_more_that_arrives_while_the_worker_is_at_it_goes_to_those_in_front(world: World) -> None:
    two_channels(world)
    north, south = waits(world, "W-1", channel="north"), waits(world, "W-2", 2)
    came: list[Call] = []

    def granting(call: Call) -> None:
        if call.operation == "TransactWriteItems" and not came:
            came.append(call)
            receive(world, 1)

    receive(world, 1, "lyon")
    with world.wire.watched(before=granting):
        world.pump()
    assert has(world, north, south) == [1, 1]
    keep_the_laws(world, "A")


@pytest.mark.parametrize("write", range(12))
def test_a_worker_that_dies_is_followed_by_another(world: World, write: int) -> None:
    orders = [waits(world, f"W-{number}") for number in range(4)]
    receive(world, 3)
    seen = 0

    def dies(call: Call) -> None:
        nonlocal seen
        seen += call.writes
        if call.writes and seen == write + 1:
            raise Killed

    with world.wire.watched(before=dies):
        world.pump()
    if has(world, *orders) != [1, 1, 1, 0]:
        world.advance(seconds=40)
        world.invoke("stockkeeper", {})
        world.pump()
    assert has(world, *orders) == [1, 1, 1, 0]
    world.advance(seconds=40)
    world.invoke("stockkeeper", {})
    keep_the_laws(world, "A")


def test_a_worker_without_time_hands_on(world: World) -> None:
    order = waits(world, "W-1")
    receive(world, 1)
    world.wire.stream.clear()
    assert serve("A", lambda: 3) == 0
    assert has(world, order) == [0]
    world.pump()
    assert has(world, order) == [1]
    keep_the_laws(world, "A")


def test_one_worker_at_a_time(world: World) -> None:
    lease = begin("A")
    assert lease is not None
    assert begin("A") is None
    again = finish(lease)
    assert again is not None, "the other one's news is seen to first"
    assert finish(again) is None
    keep_the_laws(world, "A")


def test_an_order_that_cannot_be_served_does_not_keep_it_from_the_others(world: World) -> None:
    broken, good = waits(world, "W-1"), waits(world, "W-2")
    key = {"pk": {"S": broken}, "sk": {"S": "state#summary"}}
    kept = client("dynamodb").get_item(TableName="oms-orders", Key=key)["Item"]
    client("dynamodb").delete_item(TableName="oms-orders", Key=key)
    receive(world, 2)
    world.pump()
    assert has(world, good) == [1]
    client("dynamodb").put_item(TableName="oms-orders", Item=kept)
    world.advance(minutes=10)
    assert world.invoke("reconcile", {})["parked"] == 1, "it was reported, and is tried again"
    assert has(world, broken) == [1]
    keep_the_laws(world, "A")


def test_reconcile_sees_to_a_queue_whose_news_was_lost(world: World) -> None:
    orders = [waits(world, "W-1"), waits(world, "W-2")]
    receive(world, 5)
    world.wire.stream.clear()
    world.advance(minutes=10)
    assert world.invoke("reconcile", {})["granted"] == 2
    assert has(world, *orders) == [1, 1]


def test_a_group_that_ships_complete_collects_what_it_is_granted(world: World) -> None:
    body = wants("W-1", 2)
    body["delivery_groups"][0]["ship_complete"] = True
    order = world.place(body)["id"]
    world.pump()
    receive(world, 1)
    world.pump()
    assert world.step("allocate", "Allocate", order) == {"next": "wait_for_stock"}
    assert (has(world, order), world.order(order)["fulfillment_orders"]) == ([1], [])
    receive(world, 1, "lyon")
    world.pump()
    assert world.step("allocate", "Allocate", order) == {"next": "allocated"}
    assert len(world.order(order)["fulfillment_orders"]) == 2


def test_a_declined_order_leaves_the_queue(world: World) -> None:
    declined = world.place(wants("W-1", token="tok_decline"), status=402)["id"]
    order = waits(world, "W-2")
    assert line(world, declined)["quantities"]["backordered"] == 0
    receive(world, 1)
    world.pump()
    assert has(world, order) == [1]
    keep_the_laws(world, "A")


def test_a_wait_ends_by_the_channels_policy(world: World) -> None:
    world.done("PUT", "/v1/channels/web", {"backorder_days": 30})
    order = waits(world, "W-1", 2)
    receive(world, 1)
    world.pump()
    world.advance(days=29)
    world.invoke("reconcile", {})
    assert line(world, order)["quantities"]["backordered"] == 1
    world.advance(days=1, minutes=10)
    world.invoke("reconcile", {})
    assert ("backorder.ended", {"line_id": "1", "units": 1, "reason": "no stock within 30 days"}) in world.facts(order)
    assert world.step("allocate", "Allocate", order) == {"next": "unfillable"}, "it does not wait again"
    keep_the_laws(world, "A")


# Promises


def future(world: World, at: str, quantity: int, place: str = "berlin", **more: Any) -> None:
    world.done("PUT", f"/v1/inventory/A/{place}", {"on_hand": 0, "futures": [{"expected_at": at, "quantity": quantity, **more}]})
    world.pump()


def promised(world: World, order_id: str) -> tuple[str | None, str | None, str]:
    found = line(world, order_id)["promise"]
    return found["earliest"], found["latest"], found["source"]


def test_a_preorder_is_promised_from_what_is_expected(world: World) -> None:
    future(world, "2027-01-10T00:00:00Z", 3, reference="PO-1")
    world.done("PUT", "/v1/locations/berlin", {"name": "Berlin", "type": "warehouse", "processing_hours": 48})
    world.done("PUT", "/v1/methods/standard", {"transit_days_min": 2, "transit_days_max": 4})
    assert world.call("POST", "/v1/orders", order_body("W-9", quantities={"A": 1})).status == 409, "a line that may not wait needs stock"
    first, second, third = (waits(world, f"W-{number}", 2) for number in range(3))
    assert promised(world, first) == ("2027-01-14T00:00:00.000Z", "2027-01-16T00:00:00.000Z", "supply:PO-1")
    assert promised(world, second) == (None, None, "none"), "one of its two units is beyond what is expected"
    assert promised(world, third) == (None, None, "none")
    assert "promise.changed" not in [type_ for type_, _ in world.facts(first)]


def test_a_promise_that_moves_is_an_event(world: World) -> None:
    future(world, "2027-01-10T00:00:00Z", 2)
    first, second = waits(world, "W-1"), waits(world, "W-2", 2)
    future(world, "2027-02-10T00:00:00Z", 3)
    assert promised(world, second) == ("2027-02-12T00:00:00.000Z", "2027-02-16T00:00:00.000Z", "supply:2027-02-10")
    moved = {
        "line_id": "1",
        "earliest": "2027-02-12T00:00:00.000Z",
        "latest": "2027-02-16T00:00:00.000Z",
        "was": {"earliest": "2027-01-12T00:00:00.000Z", "latest": "2027-01-16T00:00:00.000Z"},
    }
    assert world.facts(first)[-1] == ("promise.changed", moved)
    assert "promise.changed" in [event["type"] for event in world.published()]
    version = world.order(first)["version"]
    future(world, "2027-02-10T00:00:00Z", 4)
    assert world.order(first)["version"] == version, "what stays the same is not said again"


def test_who_goes_before_others_moves_their_promise(world: World) -> None:
    future(world, "2027-01-10T00:00:00Z", 1)
    usual = waits(world, "W-1")
    better = waits(world, "W-2", priority=0)
    assert (promised(world, usual)[2], promised(world, better)[2]) == ("none", "supply:2027-01-10")


def test_who_leaves_the_queue_moves_the_promise_of_those_behind(world: World) -> None:
    future(world, "2027-01-10T00:00:00Z", 1)
    first, second = waits(world, "W-1"), waits(world, "W-2")
    assert promised(world, second)[2] == "none"
    update(first, lambda order: end_wait(order, "1", "changed my mind"), Cause("test", "test"))
    world.pump()
    assert promised(world, second)[2] == "supply:2027-01-10"


def test_what_has_a_place_is_promised_from_stock(world: World) -> None:
    world.done("PUT", "/v1/methods/standard", {"transit_days_min": 1, "transit_days_max": 2})
    receive(world, 1)
    placed = world.place(order_body("W-1", quantities={"A": 1}, placed_at="2026-11-23T00:00:00Z"))
    assert promised(world, placed["id"]) == ("2026-11-25T00:00:00.000Z", "2026-11-26T00:00:00.000Z", "stock")
    world.step("allocate", "Allocate", placed["id"])
    shown = world.order(placed["id"])
    ship_by = shown["fulfillment_orders"][0]["ship_by"]
    assert shown["lines"][0]["promise"]["earliest"] > ship_by
    assert shown["lines"][0]["promise"]["source"] == "stock"


def test_a_granted_line_is_promised_from_stock(world: World) -> None:
    order = waits(world, "W-1")
    assert promised(world, order) == (None, None, "none")
    receive(world, 1)
    world.pump()
    assert promised(world, order)[2] == "stock"
    assert [type_ for type_, _ in world.facts(order)][-2:] == ["backorder.granted", "promise.changed"]


# The list


def test_the_queue_is_listed_in_its_order(world: World) -> None:
    future(world, "2027-01-10T00:00:00Z", 1, reference="PO-1")
    orders = [waits(world, f"W-{number}", number) for number in (1, 2, 3)]
    first = world.done("GET", "/v1/backorders", query={"sku": "A", "limit": "2"})
    rest = world.done("GET", "/v1/backorders", query={"sku": "A", "limit": "2", "cursor": first["next_cursor"]})
    rows = first["data"] + rest["data"]
    assert [(row["position"], row["order_id"], row["order_number"], row["units"]) for row in rows] == [
        (number, order, f"W-{number}", number) for number, order in enumerate(orders, 1)
    ]
    assert (rows[0]["promise"]["source"], rows[0]["class"], rows[0]["line_id"], rest["next_cursor"]) == ("supply:PO-1", 5, "1", None)
    assert set(rows[0]) == {"sku", "order_id", "order_number", "line_id", "units", "position", "class", "placed_at", "promise"}
    assert world.call("GET", "/v1/backorders").pointers == {"/sku"}
    assert world.done("GET", "/v1/backorders", query={"sku": "Z"})["data"] == []


# Many at once


def test_free_stock_and_shortage_balance_when_five_wait_at_once(world: World) -> None:
    """E16: five orders of 60 at once, two SKUs in alternating order."""
    receive(world, 100)
    world.stock("B", "berlin", 150)
    world.stock("B", "lyon", 0)

    def buy(number: int) -> str:
        body = order_body(f"W-{number}", quantities={"A": 60, "B": 60} if number % 2 else {"B": 60, "A": 60})
        for row in body["lines"]:
            row["backorder"] = "allow"
        for _ in range(20):
            answer = world.call("POST", "/v1/orders", body)
            if answer.status != 503:
                return str(answer.body["id"])
        raise AssertionError("refused as busy twenty times")

    with ThreadPoolExecutor(5) as pool:
        orders = list(pool.map(buy, range(5)))
    lines = [each for order in orders for each in world.order(order)["lines"]]
    for sku, on_hand in (("A", 100), ("B", 150)):
        mine = [each["quantities"] for each in lines if each["sku"] == sku]
        assert (sum(each["reserved"] for each in mine), sum(each["backordered"] for each in mine)) == (on_hand, 300 - on_hand)
        assert world.figures(sku) == (on_hand, on_hand)
    keep_the_laws(world, "A", "B")


@pytest.mark.slow
def test_many_wait_while_others_buy_and_give_up(world: World) -> None:
    """Two SKUs, 48 places in the queue of each; arrivals in parts, sales that may not wait, and lines that leave, all at once."""
    for place in ("berlin", "lyon"):
        world.stock("B", place, 0)
    for number in range(4):
        lines = [a_line(f"{index:02d}", "AB"[index % 2], 1, backorder="allow") for index in range(24)]
        world.place(an_order(*lines, number=f"W-{number}"), status=202, headers=ASYNC)
    world.pump()
    queue = {sku: list(in_line(sku)) for sku in "AB"}
    quitters = {sku: [entry.at for entry in entries[5:48:15]] for sku, entries in queue.items()}

    def arrive(number: int) -> None:
        receive(world, 5, ("berlin", "lyon")[number % 2], "AB"[number % 4 // 2], f"arrival-{number}")
        images, world.wire.stream[:] = list(world.wire.stream), []
        world.relay(images)

    def buy(number: int) -> None:
        body = order_body(f"S-{number}", quantities={"AB"[number % 2]: 1})
        assert world.call("POST", "/v1/orders", body).status in (409, 503), "a sale took what the queue waits for"

    def leave(entry: InLine) -> None:
        update(entry.order_id, lambda order: end_wait(order, entry.line_id, "changed my mind"), Cause("test", "test"))

    work: list[tuple[Any, Any]] = [(arrive, number) for number in range(8)] + [(buy, number) for number in range(6)]
    work += [(leave, entry) for sku, entries in queue.items() for entry in entries if entry.at in quitters[sku]]
    random.Random(7).shuffle(work)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(what, about) for what, about in work]:
            done.result()
    world.pump()
    states = {order_id: load(order_id).summary.lines for order_id in {entry.order_id for entry in queue["A"]}}
    for sku, entries in queue.items():
        got = {entry.at: sum(states[entry.order_id][entry.line_id].pins.values()) for entry in entries}
        assert sum(got.values()) == 20
        stayed = [got[entry.at] for entry in entries if entry.at not in quitters[sku]]
        assert stayed == sorted(stayed, reverse=True), "first come, first served"
        assert [entry.at for entry in in_line(sku)] == [at for at, units in got.items() if not units and at not in quitters[sku]]
    keep_the_laws(world, "A", "B")
