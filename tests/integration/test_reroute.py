"""Work leaves a location: by hand, by draining it, by a reason that says what its shelf is worth; and parcels that left all the same."""

from __future__ import annotations

from typing import Any

import pytest

from oms.clock import stamp
from oms.storage.inventory import reserved_at, stock_at
from tests.support.world import Answer, Killed, World, order_body

ONE_A = {"A": 1}


def fo_of(order: Any, index: int = 0) -> str:
    return str(order["fulfillment_orders"][index]["id"])


def where(order: Any) -> list[tuple[str, str]]:
    return [(fo["location_id"], fo["status"]) for fo in order["fulfillment_orders"]]


def act(world: World, fulfillment_order_id: str, action: str, body: Any = None, **more: Any) -> Answer:
    return world.call("POST", f"/v1/fulfillment-orders/{fulfillment_order_id}/{action}", body, **more)


def new_place(world: World, place: str, **stock: int) -> None:
    world.done("PUT", f"/v1/locations/{place}", {"name": place, "type": "warehouse"})
    for sku, units in stock.items():
        world.stock(sku, place, units)


def reason(world: World, kind: str, effect: str) -> None:
    world.done("PUT", f"/v1/reasons/{kind}", {"effect": effect})


def law_1(world: World, *skus: str) -> None:
    """Per SKU and location: what owners have reserved is what the rows say, and the rows add up."""
    for place in ("berlin", "lyon", "riga"):
        held: dict[str, int] = {}
        for _, units in reserved_at(place):
            for sku, count in units.items():
                held[sku] = held.get(sku, 0) + count
        for sku in skus:
            row = stock_at(sku, place)
            if row:
                assert (row.reserved, row.spare) == (held.get(sku, 0), row.on_hand - row.reserved - row.safety_stock)
                assert row.available == row.spare - row.queued
                assert row.on_hand >= 0


class TestReroute:
    def test_open_work_goes_elsewhere_in_one_commit(self, world: World) -> None:
        order = world.allocated(order_body())
        assert act(world, fo_of(order), "reroute").body["status"] == "rejected"
        after = world.order(order["id"])
        assert where(after) == [("berlin", "rejected"), ("lyon", "released")]
        assert [(row["cause"], row["result"], row["places"]) for row in after["attempts"]] == [
            (f"{fo_of(order)} at berlin: re-routed", "allocated", ["lyon"])
        ]
        assert (world.figures("A"), world.figures("A", "lyon")) == ((10, 0), (10, 2))
        assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
        assert where(world.order(order["id"])) == where(after), "there is nothing left to do"
        world.pump()
        assert fo_of(after, 1) in world.started()
        law_1(world, "A", "B")

    def test_to_a_named_location(self, world: World) -> None:
        new_place(world, "riga", A=5, B=5)
        order = world.allocated(order_body())
        assert act(world, fo_of(order), "reroute", {"location_id": "riga", "reason": "closer"}).status == 200
        assert where(world.order(order["id"])) == [("berlin", "rejected"), ("riga", "released")]
        back = act(world, fo_of(world.order(order["id"]), 1), "reroute", {"location_id": "berlin"})
        assert (back.status, where(world.order(order["id"]))[-1]) == (200, ("berlin", "released")), "a person may choose it again"

    @pytest.mark.parametrize(
        ("body", "status", "says"),
        [
            ({"location_id": "riga"}, 409, "1 of B (line 2)"),
            ({"location_id": "rome"}, 404, "rome"),
            ({"location_id": "berlin"}, 409, "already"),
            ({"location_id": "riga", "colour": "red"}, 422, "unknown field"),
        ],
    )
    def test_to_a_place_that_cannot_serve_it_is_refused_and_changes_nothing(self, world: World, body: Any, status: int, says: str) -> None:
        new_place(world, "riga", A=5, B=0)
        order = world.allocated(order_body())
        before = world.items()
        answer = act(world, fo_of(order), "reroute", body)
        assert (answer.status, says in str(answer.body)) == (status, True), answer
        assert world.items() == before

    def test_without_another_place_it_stays_where_it_is(self, world: World) -> None:
        world.stock("A", "lyon", 1)
        order = world.allocated(order_body())
        before = world.items()
        answer = act(world, fo_of(order), "reroute")
        assert (answer.status, answer.body["type"]) == (409, "urn:oms:problem:out-of-stock")
        assert world.items() == before

    def test_what_was_shipped_stays_shipped(self, world: World) -> None:
        order = world.allocated(order_body())
        world.ship(fo_of(order), {"1": 1}, "T1")
        assert act(world, fo_of(order), "reroute").body["status"] == "shipped"
        after = world.order(order["id"])
        assert where(after) == [("berlin", "shipped"), ("lyon", "released")]
        assert {row["line_id"]: row["quantity"] for row in after["fulfillment_orders"][1]["lines"]} == {"1": 1, "2": 1}
        assert act(world, fo_of(order), "reroute").status == 409

    def test_the_same_key_moves_it_once(self, world: World) -> None:
        order = world.allocated(order_body())
        first = act(world, fo_of(order), "reroute", headers={"Idempotency-Key": "k"})
        again = act(world, fo_of(order), "reroute", headers={"Idempotency-Key": "k"})
        assert (first.status, again.status, again.headers["idempotent-replayed"]) == (200, 200, "true")
        assert len(world.order(order["id"])["fulfillment_orders"]) == 2


class TestDrain:
    def test_all_open_work_leaves_a_location(self, world: World) -> None:
        orders = [world.allocated(order_body(f"W-{n}", quantities=ONE_A)) for n in range(4)]
        world.ship(fo_of(orders[0]), {"1": 1}, "T1")
        answer = world.call("POST", "/v1/locations/berlin/drain", {"reason": "fire"})
        assert (answer.status, answer.body["rerouted"], answer.body["remaining"], answer.body["finished"]) == (202, 3, [], True)
        assert [where(world.order(order["id"]))[-1][0] for order in orders] == ["berlin", "lyon", "lyon", "lyon"]
        assert world.done("GET", "/v1/fulfillment-orders", query={"location_id": "berlin"})["data"] == []
        again = world.done("POST", "/v1/locations/berlin/drain", {"reason": "fire"})
        assert (again["rerouted"], again["remaining"]) == (0, [])
        law_1(world, "A")
        world.pump()
        (first, _) = [event["data"] for event in world.published() if event["type"] == "location.drained"]
        assert first == {"location_id": "berlin", "reason": "fire", "rerouted": 3, "remaining": 0}

    def test_what_nobody_else_has_stays_and_says_why(self, world: World) -> None:
        world.stock("A", "lyon", 1)
        orders = [world.allocated(order_body(f"W-{n}", quantities=ONE_A)) for n in range(2)]
        answer = world.done("POST", "/v1/locations/berlin/drain", {"reason": "fire"})
        assert answer["rerouted"] == 1
        (left,) = answer["remaining"]
        assert left["fulfillment_order_id"] == fo_of(orders[1])
        assert "1 of A (line 1)" in left["reason"]
        assert where(world.order(orders[1]["id"])) == [("berlin", "released")]

    def test_more_than_fits_a_call_goes_on_by_itself(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("functions.fulfillment_api.handler._MOST_DRAINED", 2)
        monkeypatch.setattr("oms.flows.reroute._PAGE", 2)
        orders = [world.allocated(order_body(f"W-{n}", quantities=ONE_A))["id"] for n in range(5)]
        answer = world.done("POST", "/v1/locations/berlin/drain", {"reason": "fire"})
        assert (answer["rerouted"], answer["finished"]) == (2, False)
        world.pump()
        assert [where(world.order(order_id))[-1][0] for order_id in orders] == ["lyon"] * 5
        (end,) = [event["data"] for event in world.published() if event["type"] == "location.drained"]
        assert end["rerouted"] == 3

    def test_a_drain_that_dies_is_taken_up_by_asking_again(self, world: World) -> None:
        orders = [world.allocated(order_body(f"W-{n}", quantities=ONE_A))["id"] for n in range(3)]
        seen = []

        def die(call: Any) -> None:
            seen.extend([1] if call.operation == "TransactWriteItems" else [])
            if len(seen) == 2:
                raise Killed

        with world.wire.watched(after=die), pytest.raises(Killed):
            world.call("POST", "/v1/locations/berlin/drain", {"reason": "fire"})
        assert world.done("POST", "/v1/locations/berlin/drain", {"reason": "fire"})["rerouted"] == 1
        assert [where(world.order(order_id)) for order_id in orders] == [[("berlin", "rejected"), ("lyon", "released")]] * 3
        law_1(world, "A")

    def test_the_same_key_answers_as_the_first_time(self, world: World) -> None:
        world.allocated(order_body(quantities=ONE_A))
        path, key = "/v1/locations/berlin/drain", {"Idempotency-Key": "k"}
        first = world.call("POST", path, {"reason": "fire"}, headers=key)
        again = world.call("POST", path, {"reason": "fire"}, headers=key)
        assert (first.body, again.headers["idempotent-replayed"]) == (again.body, "true")

    def test_an_unknown_location_or_no_reason(self, world: World) -> None:
        assert world.call("POST", "/v1/locations/rome/drain", {"reason": "fire"}).status == 404
        assert world.call("POST", "/v1/locations/berlin/drain", {}).status == 422


class TestReasons:
    def test_not_found_takes_the_rest_off_the_shelf_except_what_others_have_reserved(self, world: World) -> None:
        reason(world, "empty", "zero")
        order, other = (world.allocated(order_body(number, quantities=ONE_A)) for number in ("W-1", "W-2"))
        assert act(world, fo_of(order), "reject", {"reason": "empty"}).status == 200
        shown = world.done("GET", "/v1/inventory/A/berlin")
        assert (shown["available_to_fulfill"], shown["blocked"]) == (0, True), "from that moment nothing more is sold"
        world.pump()
        world.pump()
        assert world.figures("A") == (1, 1), "what the other order has reserved"
        assert not world.done("GET", "/v1/inventory/A/berlin")["blocked"]
        (lost,) = [row for row in world.done("GET", "/v1/inventory/A/berlin/movements")["data"] if row["kind"] == "lost"]
        assert (lost["delta"], lost["cause"].split("/")[0]) == (-9, fo_of(order))
        law_1(world, "A")
        assert where(other) == [("berlin", "released")]

    def test_the_write_off_happens_once_even_if_its_news_comes_again_after_a_delivery(self, world: World) -> None:
        reason(world, "empty", "zero")
        order = world.allocated(order_body(quantities=ONE_A))
        act(world, fo_of(order), "reject", {"reason": "empty"})
        news = [image for image in world.wire.stream if image["pk"]["S"] == "sku_A"]
        world.pump()
        record = {"record_id": "r1", "sku": "A", "location_id": "berlin", "delta": 7}
        world.done("POST", "/v1/inventory/batch", {"records": [record]})
        world.relay(news)
        assert world.figures("A") == (7, 0)

    def test_a_recount_stops_sales_until_the_next_count(self, world: World) -> None:
        reason(world, "looks wrong", "recount")
        order = world.allocated(order_body(quantities=ONE_A))
        before = stamp()
        body = {"short": [{"line_id": "1", "quantity": 1, "reason": "looks wrong"}]}
        assert act(world, fo_of(order), "ship", body).status == 200
        world.pump()
        assert world.figures("A") == (10, 0), "what the books say stays"
        assert where(world.allocated(order_body("W-2", quantities=ONE_A))) == [("lyon", "released")]
        world.stock("A", "lyon", 0)
        assert world.call("POST", "/v1/orders", order_body("W-3", quantities=ONE_A)).status == 409
        old = world.call("PUT", "/v1/inventory/A/berlin", {"on_hand": 10, "effective_at": before})
        assert (old.status, old.body["blocked"]) == (200, True), "a count from before says nothing about it"
        world.stock("A", "berlin", 3)
        assert world.place(order_body("W-4", quantities=ONE_A))["lines"][0]["quantities"]["reserved"] == 1
        law_1(world, "A")

    def test_a_sale_that_read_before_the_block_is_refused(self, world: World) -> None:
        reason(world, "looks wrong", "recount")
        world.stock("A", "lyon", 0)
        order = world.allocated(order_body(quantities=ONE_A))
        once = [True]

        def block(call: Any) -> None:
            if call.operation == "TransactWriteItems" and once:
                once.clear()
                act(world, fo_of(order), "reject", {"reason": "looks wrong"})

        with world.wire.watched(before=block):
            assert world.call("POST", "/v1/orders", order_body("W-2", quantities=ONE_A)).status == 409
        assert world.figures("A") == (10, 0)

    def test_a_reason_that_is_not_set_says_nothing(self, world: World) -> None:
        order = world.allocated(order_body(quantities=ONE_A))
        act(world, fo_of(order), "reject", {"reason": "no time"})
        shown = world.done("GET", "/v1/inventory/A/berlin")
        assert (shown["available_to_fulfill"], shown["blocked"]) == (10, False)

    def test_an_order_that_waits_gets_what_a_count_opens_again(self, world: World) -> None:
        reason(world, "looks wrong", "recount")
        world.stock("A", "lyon", 0)
        world.stock("A", "berlin", 1)
        order = world.allocated(order_body(quantities=ONE_A))
        act(world, fo_of(order), "reject", {"reason": "looks wrong"})
        body = order_body("W-2", quantities=ONE_A)
        body["lines"][0]["backorder"] = "allow"
        waiting = world.place(body)
        assert waiting["lines"][0]["quantities"]["backordered"] == 1
        world.pump()
        world.stock("A", "berlin", 1)
        world.pump()
        assert world.order(waiting["id"])["lines"][0]["quantities"]["reserved"] == 1
        law_1(world, "A")


class TestLate:
    """A location ships what was taken back from it."""

    def moved(self, world: World, quantities: dict[str, int]) -> Any:
        order = world.allocated(order_body(quantities=quantities))
        world.done("POST", f"/v1/fulfillment-orders/{fo_of(order)}/reroute")
        world.pump()
        return world.order(order["id"])

    def exceptions(self, order: Any) -> list[Any]:
        return [problem for problem in order["exceptions"] if problem["kind"] == "shipped_after_reroute"]

    def test_the_other_work_is_taken_back_and_the_parcel_is_charged_once(self, world: World) -> None:
        order = self.moved(world, {"A": 2})
        world.ship(fo_of(order), {"1": 2}, "T1")
        world.pump()
        after = world.order(order["id"])
        assert where(after) == [("berlin", "shipped"), ("lyon", "rejected")]
        assert (world.figures("A"), world.figures("A", "lyon")) == ((8, 0), (10, 0))
        assert (after["lines"][0]["quantities"]["shipped"], after["lines"][0]["quantities"]["allocated"]) == (2, 2)
        (problem,) = self.exceptions(after)
        assert fo_of(order) in problem["cause"]
        assert fo_of(order, 1) in problem["cause"]
        assert f"{fo_of(order)}-2" in world.started(), "its execution had ended"
        world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo_of(order))
        assert world.gateway.moved("capture") == [3000]
        law_1(world, "A")
        closed = world.done("POST", f"/v1/exceptions/{problem['id']}/resolve", {"action": "accept"})
        assert closed["status"] == "resolved"

    def test_a_part_of_it_takes_back_only_that(self, world: World) -> None:
        order = self.moved(world, {"A": 3})
        world.ship(fo_of(order), {"1": 1}, "T1")
        after = world.order(order["id"])
        assert where(after) == [("berlin", "shipped"), ("lyon", "released")]
        world.ship(fo_of(after, 1), {"1": 2}, "T2")
        done = world.order(order["id"])
        assert [row["units"] for parcel in done["shipments"] for row in parcel["lines"]] == [[[1, 1]], [[2, 3]]]
        assert done["fulfillment_status"] == "shipped"
        law_1(world, "A")

    def test_when_both_have_shipped_only_the_stock_falls(self, world: World) -> None:
        order = self.moved(world, {"A": 2})
        world.ship(fo_of(order, 1), {"1": 2}, "T2")
        before = world.order(order["id"])
        body = {"packages": [{"tracking_number": "T1", "lines": [{"line_id": "1", "quantity": 2}]}]}
        assert act(world, fo_of(order), "ship", body).status == 200
        assert act(world, fo_of(order), "ship", body).status == 200, "telling it again changes nothing"
        after = world.order(order["id"])
        assert (after["shipments"], after["lines"]) == (before["shipments"], before["lines"])
        assert (world.figures("A"), world.figures("A", "lyon")) == ((8, 0), (8, 0))
        (problem,) = self.exceptions(after)
        assert "leave a second time" in problem["cause"]
        assert fo_of(order, 1) in problem["cause"]
        law_1(world, "A")

    def test_what_was_counted_since_does_not_leave_the_books_twice(self, world: World) -> None:
        order = self.moved(world, {"A": 2})
        world.stock("A", "berlin", 0)
        world.ship(fo_of(order), {"1": 2}, "T1")
        assert world.figures("A") == (0, 0)
        law_1(world, "A")

    def test_what_others_have_reserved_meanwhile_is_told_as_short(self, world: World) -> None:
        world.stock("A", "berlin", 2)
        order = self.moved(world, {"A": 2})
        world.place(order_body("W-2", quantities={"A": 2}))
        assert world.figures("A") == (2, 2)
        world.ship(fo_of(order), {"1": 2}, "T1")
        world.pump()
        assert world.figures("A") == (0, 2)
        kinds = {row["kind"] for row in world.done("GET", "/v1/exceptions")["data"]}
        assert kinds == {"shipped_after_reroute", "oversold"}
        law_1(world, "A")

    def test_more_than_was_taken_back_is_refused(self, world: World) -> None:
        order = self.moved(world, {"A": 2})
        before = world.items()
        body = {"packages": [{"tracking_number": "T1", "lines": [{"line_id": "1", "quantity": 3}]}]}
        assert act(world, fo_of(order), "ship", body).status == 409
        assert world.items() == before

    def test_what_the_location_itself_refused_it_cannot_ship(self, world: World) -> None:
        order = world.allocated(order_body(quantities={"A": 2}))
        act(world, fo_of(order), "reject", {"reason": "no time"})
        body = {"packages": [{"tracking_number": "T1", "lines": [{"line_id": "1", "quantity": 2}]}]}
        assert act(world, fo_of(order), "ship", body).status == 409
