"""Large orders: taken with their lines in chunks, reserved and given back part by part, shown page by page."""

from __future__ import annotations

from itertools import chain, repeat
from typing import Any

import pytest

from oms.clock import stamp
from oms.flows import large, large_work
from oms.flows.capture import capture_step
from oms.fulfillment import work
from oms.orders import view
from oms.orders.placing import MOST_LINES
from oms.storage import unplaced
from oms.storage.orders import load
from oms.storage.unplaced import left_behind
from tests.support.large import a_large_order, check_books, pages, put_on_shelves, reserved_in_rows, skus_of, until_over
from tests.support.orders import a_card, a_line, an_order, paid
from tests.support.world import JSON, Call, Killed, World

LINES = 120


def taken(world: World, body: JSON | None = None, **more: Any) -> str:
    """A large order that is received; its id."""
    answer = world.call("POST", "/v1/orders", body or a_large_order(LINES), **more)
    assert answer.status == 202, answer
    return str(answer.body["id"])


def captured(world: World, order_id: str) -> str:
    return until_over(world, "capture", "Capture", order_id)


def allocated(world: World, order_id: str) -> str:
    return until_over(world, "allocate", "Allocate", order_id)


def kinds(world: World, prefix: str) -> list[str]:
    return [item["sk"]["S"] for item in world.items()["oms-orders"] if item["sk"]["S"].startswith(prefix)]


class TestWhatIsLarge:
    @pytest.mark.parametrize(("lines", "skus", "status"), [(40, 40, 201), (41, 41, 202), (200, 4, 201), (201, 4, 202)])
    def test_more_than_40_skus_or_200_lines(self, world: World, lines: int, skus: int, status: int) -> None:
        put_on_shelves(skus_of(skus), "berlin", units=1000)
        answer = world.call("POST", "/v1/orders", a_large_order(lines, skus=skus))
        assert (answer.status, answer.body["status"]) == (status, "open" if status == 201 else "received")

    def test_pins_at_more_places_than_one_transaction_has_room_for(self, world: World) -> None:
        world.done("PUT", "/v1/locations/porto", {"name": "Porto", "type": "warehouse"})
        put_on_shelves(skus_of(40), "berlin", "lyon", "porto", units=1)
        order_id = taken(world, a_large_order(40, quantity=3))
        assert captured(world, order_id) == "allocate"
        assert sum(reserved_in_rows(world).values()) == 120
        check_books(world, order_id)
        assert allocated(world, order_id) == "allocated"

    def test_a_small_order_has_its_lines_where_it_always_had_them(self, world: World) -> None:
        order = load(world.place(an_order(a_line("1", "A", 2)))["id"])
        assert not order.placed.chunks
        assert not order.chunks
        assert kinds(world, "doc#") == ["doc#order"]
        assert kinds(world, "state#") == [f"state#payment#{next(iter(order.payments))}", "state#summary"]
        assert kinds(world, "unplaced") == []
        writes = [call.operation for call in world.wire.made if call.writes and call.service == "dynamodb"][-2:]
        assert writes == ["TransactWriteItems", "TransactWriteItems"]

    def test_more_lines_than_possible_are_refused_with_what_is_possible(self, world: World) -> None:
        body = a_large_order(1)
        answer = world.call("POST", "/v1/orders", {**body, "lines": body["lines"] * (MOST_LINES + 1)})
        assert answer.status == 422
        assert answer.pointers == {"/lines"}
        assert "10,000 lines, and its body at most 6 MB" in answer.body["errors"][0]["detail"]
        assert world.items()["oms-orders"] == []


class TestTaking:
    def test_it_comes_back_as_it_was_sent(self, world: World) -> None:
        body = a_large_order(LINES, metadata={"a": [1, 2.5, None, "ü"]})
        body["lines"][7] |= {"metadata": {"big": 10**20, "deep": {"x": [True]}}, "product": {"weight_g": 3, "attributes": {"k": 0.1}}}
        order_id = taken(world, body)
        rows = pages(world, f"/v1/orders/{order_id}/lines")
        assert [(row["id"], row["sku"], row["quantity"]) for row in rows] == [
            (line["id"], line["sku"], line["quantity"]) for line in body["lines"]
        ]
        assert rows[7]["metadata"] == body["lines"][7]["metadata"]
        assert rows[7]["product"]["attributes"] == {"k": 0.1}
        assert sum(row["amounts"]["total_amount"] for row in rows) + 600 == world.order(order_id)["totals"]["grand_total"]

    def test_a_repetition_answers_as_the_first_time(self, world: World) -> None:
        body, key = a_large_order(LINES), {"Idempotency-Key": "k"}
        order_id = taken(world, body, headers=key)
        for headers in (key, {}):
            again = world.call("POST", "/v1/orders", body, headers=headers)
            assert (again.status, again.body["id"], again.headers["idempotent-replayed"]) == (202, order_id, "true")
        other = world.call("POST", "/v1/orders", {**body, "po_number": "other"})
        assert (other.status, other.body["type"]) == (409, "urn:oms:problem:duplicate-order-number")
        assert len(kinds(world, "doc#lines#")) == 2

    @pytest.mark.parametrize("after", [False, True])
    def test_killed_anywhere_it_is_not_half_there_and_what_is_left_is_dropped(self, world: World, after: bool) -> None:
        body, nth = a_large_order(LINES), 0
        while True:
            nth, made = nth + 1, 0

            def kill(call: Call, at: int = nth) -> None:
                nonlocal made
                made += call.writes
                if call.writes and made == at:
                    raise Killed

            with world.wire.watched(before=None if after else kill, after=kill if after else None):
                try:
                    order_id = taken(world, body)
                    break
                except Killed:
                    found = world.done("GET", "/v1/orders", query={"channel": "web", "order_number": "W-1001"})["data"]
                    assert [order["status"] for order in found] in ([], ["received"])
        assert nth == 5
        assert taken(world, body) == order_id
        world.advance(minutes=6)
        report = world.invoke("reconcile", {})
        assert report["dropped"] == 3
        assert list(left_behind(stamp())) == []
        assert len(kinds(world, "doc#lines#")) == 2
        assert len(pages(world, f"/v1/orders/{order_id}/lines")) == LINES

    def test_lines_that_were_given_up_become_no_order(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Reconcile comes between the lines and the rest: they are written again."""
        real, seen = unplaced.write_lines, list[str]()

        def slow(order: Any) -> Any:
            write = real(order)
            if not seen:
                seen.append(order.id)
                assert unplaced.give_up(order.id)
            return write

        monkeypatch.setattr(large, "write_lines", slow)
        order_id = taken(world)
        assert order_id != seen[0]
        assert len(kinds(world, "doc#lines#")) == 2


class TestCapturing:
    def test_it_is_reserved_and_authorized_and_then_captured(self, world: World) -> None:
        put_on_shelves(skus_of(LINES), "berlin")
        order_id = taken(world)
        assert captured(world, order_id) == "allocate"
        order = world.order(order_id)
        assert (order["status"], order["payment_status"]) == ("open", "authorized")
        assert {row["quantities"]["reserved"] for row in order["lines"]} == {2}
        check_books(world, order_id)

    def test_it_uses_as_few_places_as_possible_for_all_lines_together(self, world: World) -> None:
        """Berlin has everything, Lyon the most of it and is first by name of nothing: one place serves all, whatever the part."""
        put_on_shelves(skus_of(LINES), "lyon")
        put_on_shelves(skus_of(LINES - 40), "berlin")
        order_id = taken(world)
        captured(world, order_id)
        assert set(load(order_id).held()) == {"lyon"}

    @pytest.mark.parametrize("after", [False, True])
    def test_killed_around_every_write_it_goes_on_where_it_was(self, world: World, after: bool) -> None:
        put_on_shelves(skus_of(LINES), "berlin")
        order_id = taken(world)
        killed = made = 0

        def kill(call: Call) -> None:
            nonlocal made, killed
            made += call.writes
            if call.writes and made == 2:  # the first is the lease
                killed += 1
                raise Killed

        for _ in range(40):
            made = 0
            try:
                with world.wire.watched(before=None if after else kill, after=kill if after else None):
                    world.step("capture", "Capture", order_id)
                break
            except Killed:
                check_books(world, order_id)
                assert world.order(order_id)["status"] in ("received", "open")
                if not after:
                    break
        assert captured(world, order_id) == "allocate"
        assert killed >= (4 if after else 1)
        check_books(world, order_id)
        assert world.gateway.moved("authorize") == [world.order(order_id)["totals"]["grand_total"]]

    def test_when_the_time_of_a_run_is_over_another_goes_on(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        put_on_shelves(skus_of(LINES), "berlin")
        order_id = taken(world)
        monkeypatch.setattr(large, "_RESERVE", 0)
        clock = chain([1, 1], repeat(0))  # time for one part
        assert capture_step(order_id, "test", lambda: next(clock)) == {"next": "capture", "seconds": 0}
        assert sum(reserved_in_rows(world).values()) == 2 * 50
        assert captured(world, order_id) == "allocate"
        check_books(world, order_id)

    def test_stock_that_is_short_in_the_middle_is_told_and_nothing_stays_reserved(self, world: World) -> None:
        skus = skus_of(LINES)
        put_on_shelves([sku for sku in skus if sku != skus[70]], "berlin")
        order_id = taken(world)
        assert captured(world, order_id) == "declined"
        assert world.order(order_id)["status"] == "declined"
        assert reserved_in_rows(world) == {}
        check_books(world, order_id)
        assert world.gateway.calls == {}
        (declined,) = [data for type_, data in world.facts(order_id) if type_ == "order.declined"]
        assert "line 71: 2 of 2 S00070 are not in stock" in declined["reason"]
        assert taken(world) != order_id, "its number is free again"

    def test_stock_that_is_short_holds_an_order_that_asks_for_it_and_the_rest_is_reserved(self, world: World) -> None:
        skus = skus_of(LINES)
        put_on_shelves([sku for sku in skus if sku != skus[70]], "berlin")
        order_id = taken(world, {**a_large_order(LINES), "on_problem": "hold"})
        assert captured(world, order_id) == "allocate"
        order = world.order(order_id)
        (problem,) = order["exceptions"]
        assert (order["status"], problem["kind"]) == ("on_hold", "allocation")
        assert "line 71: 2 of 2 S00070 are not in stock" in problem["cause"]
        assert sum(reserved_in_rows(world).values()) == 2 * (LINES - 1)
        check_books(world, order_id)
        assert allocated(world, order_id) == "wait_for_release"
        world.done("POST", f"/v1/exceptions/{problem['id']}/resolve", {"action": "cancel_and_refund"})
        assert allocated(world, order_id) == "allocated"
        assert world.order(order_id)["totals"]["grand_total"] < order["totals"]["grand_total"]
        check_books(world, order_id)

    @pytest.mark.parametrize("killed_at", [0, 3])
    def test_stock_that_somebody_else_took_while_it_was_reserved(self, world: World, killed_at: int) -> None:
        """Another order buys the last of a SKU after the first parts are reserved; what was reserved goes back, killed or not."""
        skus = skus_of(LINES)
        put_on_shelves([sku for sku in skus if sku != skus[70]], "berlin")
        put_on_shelves([skus[70]], "berlin", units=2)
        order_id = taken(world)
        made, rival = 0, ""

        def buy(call: Call) -> None:
            nonlocal made, rival
            made += call.operation == "TransactWriteItems"
            if made == 2 and not rival:
                rival = "on its way"
                rival = world.place(an_order(a_line("1", skus[70], 1), number="W-rival"))["id"]
            if killed_at and made == 3 + killed_at:
                made += 1
                raise Killed

        with world.wire.watched(before=buy):
            try:
                captured(world, order_id)
            except Killed:
                check_books(world, order_id, rival)
        assert captured(world, order_id) == "declined"
        assert reserved_in_rows(world) == {(skus[70], "berlin"): 1}
        check_books(world, order_id, rival)

    def test_a_declined_card_gives_everything_back_and_another_card_takes_it_again(self, world: World) -> None:
        put_on_shelves(skus_of(LINES), "berlin")
        body = a_large_order(LINES, token="tok_decline")
        order_id = taken(world, body)
        assert captured(world, order_id) == "declined"
        assert reserved_in_rows(world) == {}
        total = world.order(order_id)["totals"]["grand_total"]
        answer = world.call("POST", f"/v1/orders/{order_id}/payments", a_card(total))
        assert (answer.status, answer.body["status"]) == (202, "received")
        assert captured(world, order_id) == "allocate"
        assert world.order(order_id)["payment_status"] == "authorized"
        check_books(world, order_id)

    def test_lines_that_may_wait_do(self, world: World) -> None:
        skus = skus_of(LINES)
        put_on_shelves(skus[:80], "berlin")
        lines = [a_line(str(n), sku, 2, 100, backorder="allow") for n, sku in enumerate(skus, 1)]
        order_id = taken(world, an_order(*lines))
        assert captured(world, order_id) == "allocate"
        assert allocated(world, order_id) == "wait_for_stock"
        order = load(order_id)
        assert len(order.queued()) == 40
        assert sum(len(fo.lines) for fo in order.fulfillment_orders.values()) == 80
        assert [type_ for type_, _ in world.facts(order_id) if type_ == "promise.changed"] == []
        world.stock(skus[100], "berlin", 5)
        world.pump()
        assert len(load(order_id).queued()) == 39
        assert allocated(world, order_id) == "wait_for_stock"
        check_books(world, order_id)

    def test_it_takes_over_what_a_reservation_holds(self, world: World) -> None:
        skus = skus_of(LINES)
        put_on_shelves(skus, "berlin", units=2)
        wanted = [{"sku": sku, "quantity": 2} for sku in skus[:30]]
        reservation = world.done("POST", "/v1/reservations", {"lines": wanted, "expires_in": 600})["id"]
        order_id = taken(world, a_large_order(LINES, reservation_id=reservation))
        check_books(world, order_id)
        assert captured(world, order_id) == "allocate"
        check_books(world, order_id)


class TestWorking:
    @pytest.fixture
    def order_id(self, world: World) -> str:
        put_on_shelves(skus_of(LINES), "berlin")
        put_on_shelves(skus_of(LINES)[::2], "lyon")
        order_id = taken(world)
        captured(world, order_id)
        return order_id

    def test_work_is_cut_so_that_all_of_it_can_leave_at_once(self, world: World, order_id: str) -> None:
        assert allocated(world, order_id) == "allocated"
        rows = pages(world, f"/v1/orders/{order_id}/fulfillment-orders")
        assert sorted(line["line_id"] for fo in rows for line in fo["lines"]) == sorted(str(n) for n in range(1, LINES + 1))
        assert max(len(fo["lines"]) for fo in rows) == 40
        for number, fo in enumerate(rows):
            world.ship(fo["id"], {line["line_id"]: line["quantity"] for line in fo["lines"]}, f"T{number}")
        assert world.order(order_id)["fulfillment_status"] == "shipped"
        assert reserved_in_rows(world) == {}

    def test_killed_between_parts_nothing_is_handed_out_twice(self, world: World, order_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(large_work, "_HANDED_OUT", 20)
        made = 0

        def kill(call: Call) -> None:
            nonlocal made
            made += call.writes
            if made == 2:
                raise Killed

        for _ in range(2):
            made = 0
            with world.wire.watched(after=kill), pytest.raises(Killed):
                world.step("allocate", "Allocate", order_id)
            check_books(world, order_id)
        assert allocated(world, order_id) == "allocated"
        order = load(order_id)
        assert sorted(line for fo in order.fulfillment_orders.values() for line in fo.lines) == sorted(order.summary.lines)
        check_books(world, order_id)

    def test_a_place_that_is_switched_off_is_left(self, world: World, order_id: str) -> None:
        put_on_shelves(skus_of(LINES), "porto")
        for place, enabled in (("porto", True), ("berlin", False)):
            world.done("PUT", f"/v1/locations/{place}", {"name": place, "type": "warehouse", "enabled": enabled})
        assert allocated(world, order_id) == "allocated"
        assert {fo.location_id for fo in load(order_id).fulfillment_orders.values()} <= {"porto", "lyon"}
        check_books(world, order_id)

    def test_what_no_place_can_serve_is_given_up_part_by_part_where_the_channel_says_so(self, world: World) -> None:
        put_on_shelves(skus_of(LINES)[::2], "lyon")
        put_on_shelves(skus_of(LINES)[1::2], "berlin")
        world.done("PUT", "/v1/channels/web", {"location_group": "all", "on_unfillable": "cancel_and_refund"})
        order_id = taken(world)
        captured(world, order_id)
        world.done("PUT", "/v1/locations/berlin", {"name": "Berlin", "type": "warehouse", "enabled": False})
        assert allocated(world, order_id) == "allocated"
        order = load(order_id)
        assert [line_id for line_id, state in order.summary.lines.items() if state.cancelled] == [str(n) for n in range(2, LINES + 1, 2)]
        assert set(order.held()) == {"lyon"}
        check_books(world, order_id)

    def test_a_rejected_part_is_routed_again(self, world: World, order_id: str) -> None:
        put_on_shelves(skus_of(LINES), "porto")
        world.done("PUT", "/v1/locations/porto", {"name": "Porto", "type": "warehouse"})
        allocated(world, order_id)
        first = world.order(order_id)["fulfillment_orders"][0]["id"]
        world.done("POST", f"/v1/fulfillment-orders/{first}/reject", {"reason": "flood"})
        assert allocated(world, order_id) == "allocated"
        check_books(world, order_id)

    def test_holds_are_followed_by_all_of_its_work(self, world: World, order_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(work, "_FOLLOWED_AT_ONCE", 2)
        allocated(world, order_id)
        hold = world.done("POST", f"/v1/orders/{order_id}/holds", {"kind": "fraud", "reason": "x", "blocks": ["ship"]})["holds"][0]["id"]
        assert {fo.status for fo in load(order_id).fulfillment_orders.values()} == {"on_hold"}
        world.done("DELETE", f"/v1/orders/{order_id}/holds/{hold}")
        assert {fo.status for fo in load(order_id).fulfillment_orders.values()} == {"released"}

    def test_bodies_have_so_many_lines_at_most_and_the_rest_has_routes(
        self, world: World, order_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(view, "MOST_LINES", most := 50)
        allocated(world, order_id)
        for number, fo in enumerate(pages(world, f"/v1/orders/{order_id}/fulfillment-orders")):
            world.ship(fo["id"], {line["line_id"]: line["quantity"] for line in fo["lines"]}, f"T{number}")
            world.step("capture_payment", "Capture payment", order_id, fulfillment_order_id=fo["id"])
        order = world.order(order_id)
        assert order["more"]["lines"] == LINES - most
        assert len(order["lines"]) == most
        for kind in ("fulfillment_orders", "shipments", "invoices"):
            path = f"/v1/orders/{order_id}/{kind.replace('_', '-')}"
            every = pages(world, path)
            assert sum(len(row["lines"]) for row in order[kind]) <= most
            assert len(order[kind]) + order["more"][kind] == len(every)
            assert sum(len(row["lines"]) for row in every) == LINES
            assert sum(len(row["lines"]) for row in world.done("GET", path)["data"]) <= most
        assert order["payment"]["invoiced"] == order["payment"]["captured"] == order["totals"]["grand_total"]


def test_paid_by_two_cards_the_second_declined_the_first_is_given_back(world: World) -> None:
    put_on_shelves(skus_of(LINES), "berlin")
    order_id = taken(world, paid({**a_large_order(LINES), "payments": []}, "tok_approve", "tok_decline"))
    assert captured(world, order_id) == "declined"
    assert world.gateway.moved("authorize") == world.gateway.moved("void") != []
    check_books(world, order_id)


@pytest.mark.slow
def test_hundreds_of_lines_shipped_and_paid(world: World) -> None:
    """Moto's machines take minutes over so many parcels, so each step is called by hand."""
    names = skus_of(300)
    put_on_shelves(names[:200], "berlin")
    put_on_shelves(names[190:], "lyon")
    order_id = taken(world, a_large_order(300))
    assert captured(world, order_id) == "allocate"
    assert allocated(world, order_id) == "allocated"
    check_books(world, order_id)
    for fo in load(order_id).fulfillment_orders.values():
        world.ship(fo.id, {line_id: row.quantity for line_id, row in fo.lines.items()}, f"T-{fo.id}")
        world.step("capture_payment", "Capture payment", order_id, fulfillment_order_id=fo.id)
        world.carrier(f"T-{fo.id}", "delivered")
    end = world.order(order_id)
    total = end["totals"]["grand_total"]
    assert (end["status"], end["payment"]["invoiced"], end["payment"]["captured"]) == ("completed", total, total)
    assert reserved_in_rows(world) == {}
    check_books(world, order_id)


def test_a_parcel_of_a_large_order_is_sent_again_and_placed_again(world: World) -> None:
    put_on_shelves(skus_of(LINES), "berlin", "lyon")
    order_id = taken(world)
    assert captured(world, order_id) == "allocate"
    assert allocated(world, order_id) == "allocated"
    fo = next(iter(load(order_id).fulfillment_orders.values()))
    line_id = next(iter(fo.lines))
    world.ship(fo.id, {line_id: 2}, "T1")
    body = {"lines": [{"line_id": line_id, "quantity": 1, "reason": "broken"}]}
    made = world.done("POST", f"/v1/orders/{order_id}/reshipments", body)["change"]["id"]
    again = next(each for each in load(order_id).fulfillment_orders.values() if each.replaces == made)
    world.done("POST", f"/v1/fulfillment-orders/{again.id}/reject", {"reason": "flood"})
    assert allocated(world, order_id) == "allocated"
    assert [
        each.location_id for each in load(order_id).fulfillment_orders.values() if each.replaces == made and each.status == "released"
    ] == ["lyon" if again.location_id == "berlin" else "berlin"]
    check_books(world, order_id)
