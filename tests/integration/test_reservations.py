"""Checkout reservations over HTTP: every call once, every unit back, and what holds for the tables after any of it."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from oms.flows.expiry import expire_due, give_back
from oms.storage.inventory import reserved_at, stock_of
from tests.support.world import JSON, Call, Killed, World, order_body

KEY = {"Idempotency-Key": "k-1"}


def body(quantities: dict[str, int], **more: Any) -> JSON:
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
    return {"lines": lines, "expires_in": 600, **more}


def reserve(world: World, quantities: dict[str, int], **more: Any) -> Any:
    return world.done("POST", "/v1/reservations", body(quantities, **more))


def read(world: World, reservation: JSON) -> Any:
    return world.done("GET", f"/v1/reservations/{reservation['id']}")


def places(reservation: JSON) -> dict[str, dict[str, int]]:
    return {line["sku"]: {at["location_id"]: at["quantity"] for at in line["locations"]} for line in reservation["lines"]}


def sweep(world: World) -> int:
    swept: int = world.invoke("stockkeeper", {})["reservations"]
    return swept


def events(world: World, reservation: JSON) -> list[str]:
    """What the bus got about it; a repeated delivery counts once."""
    world.pump()
    found = {event["id"]: event["type"] for event in world.published() if event.get("record_id") == reservation["id"]}
    return list(found.values())


def lawful(world: World) -> bool:
    """What all owners hold is what the rows have reserved; what is due is listed, and nothing else is."""
    held: Counter[tuple[str, str]] = Counter()
    for place in ("berlin", "lyon"):
        for _, units in reserved_at(place):
            held.update({(sku, place): quantity for sku, quantity in units.items()})
    rows = {(row.sku, row.location_id): row.reserved for found in stock_of(["A", "B"]).values() for row in found if row.reserved}
    items = world.items()
    states = [item for item in items["oms-orders"] if item["sk"]["S"] == "state#reservation"]
    listed = {item["pk"]["S"] for item in states if "list" in item}
    holding = {item["sk"]["S"] for item in items["oms-inventory"] if item["sk"]["S"].startswith("res_")}
    due = {item["sk"]["S"].rpartition("#")[2] for item in items["oms-inventory"] if item["sk"]["S"].startswith("due#")}
    return dict(held) == rows and listed == holding == due


def test_stock_is_held_at_concrete_places_and_cannot_be_sold(world: World) -> None:
    answer = world.call("POST", "/v1/reservations", body({"A": 12, "B": 2}))
    assert (answer.status, answer.headers["location"]) == (201, f"/v1/reservations/{answer.body['id']}")
    assert answer.body["status"] == "open"
    assert places(answer.body) == {"A": {"berlin": 10, "lyon": 2}, "B": {"berlin": 2}}
    assert [(line["quantity"], line["reserved"]) for line in answer.body["lines"]] == [(12, 12), (2, 2)]
    assert read(world, answer.body) == answer.body
    assert world.call("POST", "/v1/orders", order_body(quantities={"A": 9})).status == 409
    world.place(order_body(quantities={"A": 8}))
    assert lawful(world)


def test_all_or_nothing_names_the_lines_and_a_part_is_taken_where_allowed(world: World) -> None:
    before = world.items()
    refused = world.call("POST", "/v1/reservations", body({"B": 1, "A": 21}))
    assert (refused.status, refused.body["type"], refused.pointers) == (409, "urn:oms:problem:out-of-stock", {"/lines/1"})
    assert world.items() == before
    part = reserve(world, {"B": 1, "A": 21}, allow_partial=True)
    assert [(line["quantity"], line["reserved"]) for line in part["lines"]] == [(1, 1), (21, 20)]
    assert lawful(world)


def test_stock_that_is_reserved_serves_nothing_else(world: World) -> None:
    """Worked example E18 (ERPNext): a line of 50 reserved in two parts, cancelled one by one; 100 on hand cannot all be issued."""
    world.stock("A", "lyon", 0)
    world.stock("A", "berlin", 100)
    first, second = reserve(world, {"A": 30}), reserve(world, {"A": 20})
    assert world.figures("A") == (100, 50)
    assert world.call("POST", "/v1/orders", order_body(quantities={"A": 100})).status == 409
    world.done("DELETE", f"/v1/reservations/{first['id']}")
    assert world.figures("A") == (100, 20)
    world.done("DELETE", f"/v1/reservations/{second['id']}")
    assert world.figures("A") == (100, 0)
    assert lawful(world)


@pytest.mark.parametrize(
    ("wrong", "pointers"),
    [
        ({"lines": []}, {"/lines"}),
        ({"lines": [{"sku": "A", "quantity": 0}]}, {"/lines/0/quantity"}),
        ({"lines": [{"sku": "A", "quantity": 1}, {"sku": "A", "quantity": 2}]}, {"/lines"}),
        ({"expires_in": 0}, {"/expires_in"}),
        ({"expires_in": 10**6}, {"/expires_in"}),
        ({"group_id": "atlantis"}, {"/group_id"}),
        ({"colour": 1}, {"/colour"}),
    ],
)
def test_what_makes_no_sense_is_422_and_writes_nothing(world: World, wrong: JSON, pointers: set[str]) -> None:
    before = world.items()
    answer = world.call("POST", "/v1/reservations", {**body({"A": 1}), **wrong})
    assert (answer.status, {fault.get("pointer", "") for fault in answer.body["errors"]}) == (422, pointers)
    assert world.items() == before


def test_a_sku_without_stock_and_a_reservation_that_never_was(world: World) -> None:
    assert world.call("POST", "/v1/reservations", body({"Z": 1})).status == 409
    for method, path, sent in (("GET", "", None), ("DELETE", "", None), ("PATCH", "", {"expires_in": 9}), ("POST", "/fulfill", {})):
        assert world.call(method, f"/v1/reservations/res_x{path}", sent).status == 404


def test_a_call_with_a_key_happens_once(world: World) -> None:
    first = world.call("POST", "/v1/reservations", body({"A": 5}), headers=KEY)
    again = world.call("POST", "/v1/reservations", body({"A": 5}), headers=KEY)
    assert (again.status, again.body["id"], again.headers["idempotent-replayed"]) == (201, first.body["id"], "true")
    assert world.call("POST", "/v1/reservations", body({"A": 6}), headers=KEY).status == 422
    path = f"/v1/reservations/{first.body['id']}"
    for _ in range(2):
        world.done("PATCH", path, {"lines": [{"sku": "A", "quantity": 8}]}, headers=KEY)
        move = {"sku": "A", "quantity": 2, "from": "berlin", "to": "lyon"}
        moved = world.done("POST", f"{path}/transfer", {"lines": [move]}, headers=KEY)
        assert places(moved) == {"A": {"berlin": 6, "lyon": 2}}
    for _ in range(2):
        world.done("POST", f"{path}/fulfill", {"lines": [{"sku": "A", "quantity": 1}]}, headers=KEY)
    assert world.figures("A", "lyon") == (9, 1)
    for _ in range(2):
        assert world.done("DELETE", path, headers=KEY)["status"] == "released"
    assert (world.figures("A"), world.figures("A", "lyon")) == ((10, 0), (9, 0))
    assert lawful(world)


def test_a_repetition_that_stock_would_refuse_now_is_still_answered(world: World) -> None:
    first = world.call("POST", "/v1/reservations", body({"A": 20}), headers=KEY)
    assert world.call("POST", "/v1/reservations", body({"A": 20}), headers=KEY).body["id"] == first.body["id"]


def test_if_match_keeps_two_tabs_apart(world: World) -> None:
    held = reserve(world, {"A": 1})
    path = f"/v1/reservations/{held['id']}"
    world.done("PATCH", path, {"lines": [{"sku": "A", "quantity": 2}]}, headers={"If-Match": '"1"'})
    assert world.call("PATCH", path, {"lines": [{"sku": "A", "quantity": 3}]}, headers={"If-Match": '"1"'}).status == 412
    assert world.figures("A") == (10, 2)


def test_a_change_that_is_refused_changes_nothing(world: World) -> None:
    held = reserve(world, {"A": 5, "B": 2})
    before = world.items()
    wrong = {"lines": [{"sku": "B", "quantity": 0}, {"sku": "A", "quantity": 21}], "expires_in": 60}
    assert world.call("PATCH", f"/v1/reservations/{held['id']}", wrong).status == 409
    assert world.items() == before


def test_a_change_to_what_it_is_already_writes_nothing(world: World) -> None:
    held = reserve(world, {"A": 5})
    before = world.items()
    world.done("PATCH", f"/v1/reservations/{held['id']}", {"lines": [{"sku": "A", "quantity": 5}]})
    assert world.items() == before


def test_what_leaves_the_shelf_is_a_movement_with_its_document(world: World) -> None:
    held = reserve(world, {"A": 3})
    world.done("POST", f"/v1/reservations/{held['id']}/fulfill", {"reference": "D-1"})
    assert world.figures("A") == (7, 0)
    newest = world.done("GET", "/v1/inventory/A/berlin/movements")["data"][0]
    assert (newest["kind"], newest["delta"], newest["cause"]) == ("shipped", -3, "D-1")
    assert read(world, held)["status"] == "fulfilled"
    assert world.call("DELETE", f"/v1/reservations/{held['id']}").status == 409
    assert lawful(world)


def test_every_change_is_one_event(world: World) -> None:
    held = reserve(world, {"A": 3, "B": 1})
    path = f"/v1/reservations/{held['id']}"
    world.done("PATCH", path, {"lines": [{"sku": "B", "quantity": 0}], "expires_in": 900})
    world.done("POST", f"{path}/transfer", {"lines": [{"sku": "A", "quantity": 1, "from": "berlin", "to": "lyon"}]})
    world.done("POST", f"{path}/fulfill", {"lines": [{"sku": "A", "quantity": 1, "location_id": "lyon"}]})
    world.done("DELETE", path)
    world.done("DELETE", path)
    names = ["created", "changed", "extended", "transferred", "fulfilled", "released"]
    assert events(world, held) == [f"reservation.{name}" for name in names]


class TestExpiry:
    def test_the_clock_gives_back_what_nobody_came_for_once_with_an_event(self, world: World) -> None:
        due, kept = reserve(world, {"A": 5}, expires_in=60), reserve(world, {"A": 2})
        assert sweep(world) == 0
        world.advance(seconds=60)
        assert read(world, due)["status"] == "expired"
        assert world.figures("A") == (10, 7)
        assert (sweep(world), sweep(world)) == (1, 0)
        assert world.figures("A") == (10, 2)
        assert events(world, due) == ["reservation.created", "reservation.expired"]
        assert read(world, kept)["status"] == "open"
        assert lawful(world)

    def test_more_time_moves_the_day_of_reckoning(self, world: World) -> None:
        held = reserve(world, {"A": 5}, expires_in=60)
        world.advance(seconds=50)
        world.done("PATCH", f"/v1/reservations/{held['id']}", {"expires_in": 60})
        world.advance(seconds=50)
        assert sweep(world) == 0
        assert lawful(world)
        world.advance(seconds=10)
        assert sweep(world) == 1
        assert lawful(world)

    def test_one_that_is_over_can_be_used_no_more_though_nobody_has_swept_it(self, world: World) -> None:
        held = reserve(world, {"A": 5}, expires_in=60)
        world.advance(seconds=61)
        answer = world.call("PATCH", f"/v1/reservations/{held['id']}", {"expires_in": 60})
        assert (answer.status, answer.body["type"]) == (409, "urn:oms:problem:reservation-expired")
        assert world.call("POST", f"/v1/reservations/{held['id']}/fulfill", {}).status == 409
        world.done("DELETE", f"/v1/reservations/{held['id']}")
        assert world.figures("A") == (10, 0)

    def test_a_sale_that_would_be_short_sweeps_first(self, world: World) -> None:
        reserve(world, {"A": 15}, expires_in=60)
        assert world.call("POST", "/v1/orders", order_body(quantities={"A": 20})).status == 409
        world.advance(seconds=61)
        world.place(order_body(quantities={"A": 20}))
        assert lawful(world)

    def test_so_does_another_reservation_and_an_order_that_would_wait(self, world: World) -> None:
        reserve(world, {"A": 15}, expires_in=60)
        world.advance(seconds=61)
        assert reserve(world, {"A": 20}, expires_in=60, allow_partial=True)["lines"][0]["reserved"] == 20
        world.advance(seconds=61)
        waiting = order_body(quantities={"A": 20})
        waiting["lines"][0]["backorder"] = "allow"
        assert world.place(waiting)["lines"][0]["quantities"]["backordered"] == 0
        assert lawful(world)

    def test_what_is_not_needed_is_left_to_the_clock(self, world: World) -> None:
        held = reserve(world, {"A": 5}, expires_in=60)
        world.advance(seconds=61)
        world.place(order_body(quantities={"A": 2}))
        assert world.figures("A") == (10, 7)
        assert expire_due(["A", "B"]) == 1
        assert not give_back(held["id"], "again")

    def test_what_comes_back_belongs_to_those_who_wait(self, world: World) -> None:
        reserve(world, {"A": 20}, expires_in=60)
        waiting = order_body(quantities={"A": 3})
        waiting["lines"][0]["backorder"] = "allow"
        world.place(waiting)
        world.advance(seconds=61)
        sweep(world)
        row = world.done("GET", "/v1/inventory/A/berlin")
        assert (row["reserved"], row["queued"], row["available_to_fulfill"]) == (0, 3, 7)
        notes = [item for item in world.items()["oms-orders"] if item["pk"]["S"] == "sku_A"]
        assert any("stock.arrived" in str(item) for item in notes)

    def test_one_that_fails_does_not_keep_the_others_from_it(self, world: World) -> None:
        several = [reserve(world, {"A": 1}, expires_in=60) for _ in range(3)]
        world.advance(seconds=61)

        def fail(call: Call) -> None:
            if call.operation == "TransactWriteItems" and several[1]["id"] in str(call.given):
                raise RuntimeError("broken")

        with world.wire.watched(before=fail), pytest.raises(RuntimeError, match="broken"):
            sweep(world)
        assert world.figures("A") == (10, 1)
        assert sweep(world) == 1


class TestAnOrderThatBringsOne:
    def test_takes_the_reserved_units_over(self, world: World) -> None:
        held = reserve(world, {"A": 15, "B": 1})
        order = world.place(order_body(quantities={"A": 15, "B": 1}, reservation_id=held["id"]))
        assert order["reservation_id"] == held["id"]
        assert (world.figures("A"), world.figures("A", "lyon")) == ((10, 10), (10, 5))
        taken = read(world, held)
        assert (taken["status"], taken["order_id"]) == ("taken", order["id"])
        assert events(world, held) == ["reservation.created", "reservation.taken"]
        assert lawful(world)

    def test_even_if_nothing_else_is_left(self, world: World) -> None:
        held = reserve(world, {"A": 20})
        assert world.call("POST", "/v1/orders", order_body("W-2", quantities={"A": 1})).status == 409
        world.place(order_body(quantities={"A": 20}, reservation_id=held["id"]))
        assert lawful(world)

    def test_gives_back_what_it_does_not_need_and_buys_what_is_lacking(self, world: World) -> None:
        held = reserve(world, {"A": 5, "B": 4})
        world.place(order_body(quantities={"A": 7, "B": 1}, reservation_id=held["id"]))
        assert (world.figures("A"), world.figures("B")) == ((10, 7), (10, 1))
        assert lawful(world)

    def test_a_submit_repeated_takes_once(self, world: World) -> None:
        held = reserve(world, {"A": 5})
        sent = order_body(quantities={"A": 5}, reservation_id=held["id"])
        first = world.place(sent, headers=KEY)
        assert world.place(sent, headers=KEY)["id"] == first["id"] == world.place(sent)["id"]
        assert world.figures("A") == (10, 5)
        assert lawful(world)

    def test_another_order_cannot_have_it_too(self, world: World) -> None:
        held = reserve(world, {"A": 12})
        world.place(order_body(quantities={"A": 12}, reservation_id=held["id"]))
        assert world.call("POST", "/v1/orders", order_body("W-2", quantities={"A": 9}, reservation_id=held["id"])).status == 409
        world.place(order_body("W-3", quantities={"A": 8}, reservation_id=held["id"]))
        assert lawful(world)

    def test_one_that_expired_or_was_released_counts_as_none(self, world: World) -> None:
        held = reserve(world, {"A": 15}, expires_in=60)
        world.advance(seconds=61)
        world.place(order_body(quantities={"A": 15}, reservation_id=held["id"]))  # swept on the way: its units are free stock
        assert read(world, held)["status"] == "expired"
        other = reserve(world, {"A": 5})
        world.done("DELETE", f"/v1/reservations/{other['id']}")
        assert world.call("POST", "/v1/orders", order_body("W-2", quantities={"A": 6}, reservation_id=other["id"])).status == 409
        assert lawful(world)

    def test_one_that_never_was_is_a_fault_of_the_body(self, world: World) -> None:
        before = world.items()
        answer = world.call("POST", "/v1/orders", order_body(reservation_id="res_x"))
        assert (answer.status, answer.pointers) == (422, {"/reservation_id"})
        assert world.items() == before

    def test_units_at_a_place_that_is_switched_off_are_replaced(self, world: World) -> None:
        held = reserve(world, {"A": 5})
        world.done("PUT", "/v1/locations/berlin", {"name": "Berlin", "type": "warehouse", "enabled": False})
        world.place(order_body(quantities={"A": 5}, reservation_id=held["id"]))
        assert (world.figures("A"), world.figures("A", "lyon")) == ((10, 0), (10, 5))
        assert lawful(world)

    def test_a_decline_gives_the_units_back_to_all(self, world: World) -> None:
        held = reserve(world, {"A": 5})
        declined = world.place(order_body(quantities={"A": 5}, reservation_id=held["id"], token="tok_decline"), status=402)
        assert (world.figures("A"), read(world, held)["status"]) == ((10, 0), "taken")
        assert lawful(world)
        amount = declined["placed_totals"]["grand_total"]
        world.done("POST", f"/v1/orders/{declined['id']}/payments", {"method": "card", "token": "tok_approve", "amount": amount})
        assert world.figures("A") == (10, 5)
        assert lawful(world)

    def test_another_card_finds_what_is_due_too(self, world: World) -> None:
        declined = world.place(order_body(quantities={"A": 20}, token="tok_decline"), status=402)
        reserve(world, {"A": 15}, expires_in=60)
        amount = declined["placed_totals"]["grand_total"]
        card = {"method": "card", "token": "tok_approve", "amount": amount}
        assert world.call("POST", f"/v1/orders/{declined['id']}/payments", card).status == 409
        world.advance(seconds=61)
        world.done("POST", f"/v1/orders/{declined['id']}/payments", card)
        assert lawful(world)

    def test_it_is_taken_also_by_an_order_that_is_captured_later(self, world: World) -> None:
        held = reserve(world, {"A": 20})
        sent = order_body(quantities={"A": 20}, reservation_id=held["id"])
        order = world.place(sent, status=202, headers={"Prefer": "respond-async"})
        assert read(world, held)["order_id"] == order["id"]
        assert lawful(world)


def life(world: World) -> None:
    """A cart from beginning to end, each call repeated until it is answered; then the cart of somebody who never came."""
    held = again(world, "POST", "/v1/reservations", body({"A": 12, "B": 3}), "1")
    path = f"/v1/reservations/{held['id']}"
    again(world, "PATCH", path, {"lines": [{"sku": "A", "quantity": 8}, {"sku": "B", "quantity": 5}], "expires_in": 900}, "2")
    again(world, "POST", f"{path}/transfer", {"lines": [{"sku": "B", "quantity": 2, "from": "berlin", "to": "lyon"}]}, "3")
    again(world, "POST", f"{path}/fulfill", {"lines": [{"sku": "B", "quantity": 1}], "reference": "D-1"}, "4")
    again(world, "POST", "/v1/orders", order_body(quantities={"A": 9, "B": 2}, reservation_id=held["id"]), "5")
    again(world, "POST", "/v1/reservations", body({"A": 4}), "6")
    gone = again(world, "POST", "/v1/reservations", body({"B": 1}), "7")
    again(world, "DELETE", f"/v1/reservations/{gone['id']}", None, "8")
    world.advance(seconds=601)
    while True:
        try:
            sweep(world)
            return
        except Killed:
            assert lawful(world)


def again(world: World, method: str, path: str, sent: JSON | None, key: str) -> Any:
    while True:
        try:
            answer = world.call(method, path, sent, headers={"Idempotency-Key": key})
        except Killed:
            assert lawful(world)
            world.advance(seconds=26)  # the lease of the capture that died is over
            continue
        assert answer.status in (200, 201), answer
        return answer.body


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_around_any_write_the_tables_agree_and_the_end_is_the_same(world: World, after: bool) -> None:
    killed: set[str] = set()

    def kill(call: Call) -> None:
        if not call.writes:
            return
        where = f"{world.wire.work.name} {call.operation} {len(call.given.get('TransactItems', []))}"
        if where not in killed:
            killed.add(where)
            raise Killed

    with world.wire.watched(after=kill) if after else world.wire.watched(before=kill):
        life(world)
    assert len(killed) >= 9
    assert lawful(world)
    assert (world.figures("A"), world.figures("A", "lyon")) == ((10, 9), (10, 0))
    assert (world.figures("B"), world.figures("B", "lyon")) == ((10, 2), (9, 0))


def test_carts_and_buyers_at_once_never_oversell(world: World) -> None:
    """16 carts and 8 buyers over 20 units: some carts become orders, some are given up, some run out; then every unit is accounted for."""
    draw = random.Random(3)
    plans = [(n, draw.choice(["order", "delete", "leave"]), draw.randint(1, 3)) for n in range(16)]

    def cart(plan: tuple[int, str, int]) -> int:
        number, end, units = plan
        answer = world.call("POST", "/v1/reservations", body({"A": units}, expires_in=60))
        if answer.status != 201:
            return 0
        if end == "delete":
            world.done("DELETE", f"/v1/reservations/{answer.body['id']}")
        if end == "order":
            world.place(order_body(f"C-{number}", quantities={"A": units}, reservation_id=answer.body["id"]))
            return units
        return 0

    def buyer(number: int) -> int:
        return 1 if world.call("POST", "/v1/orders", order_body(f"B-{number}", quantities={"A": 1})).status == 201 else 0

    with ThreadPoolExecutor(4) as pool:
        carts, buyers = pool.map(cart, plans), pool.map(buyer, range(8))
        sold = sum(carts) + sum(buyers)
    assert lawful(world)
    world.advance(seconds=61)
    sweep(world)
    assert lawful(world)
    assert world.figures("A")[1] + world.figures("A", "lyon")[1] == sold <= 20


def test_two_orders_with_one_cart_share_nothing(world: World) -> None:
    held = reserve(world, {"A": 11})
    sent = [order_body(f"W-{n}", quantities={"A": 11}, reservation_id=held["id"]) for n in range(2)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: world.call("POST", "/v1/orders", each).status, sent))
    assert sorted(answers) == [201, 409]
    assert lawful(world)


def test_a_cart_of_a_hot_item_comes_from_any_of_its_rows_and_goes_back(world: World) -> None:
    world.stock("A", "lyon", 0)
    world.done("PUT", "/v1/inventory/A/berlin/shards", {"shards": 4})
    world.pump()
    carts = [reserve(world, {"A": units}) for units in (3, 4, 3)]
    assert world.call("POST", "/v1/reservations", body({"A": 1})).status == 409
    world.done("PATCH", f"/v1/reservations/{carts[0]['id']}", {"lines": [{"sku": "A", "quantity": 1}]})
    world.place(order_body(quantities={"A": 6}, reservation_id=carts[1]["id"]))
    assert lawful(world)
    world.done("POST", f"/v1/reservations/{carts[2]['id']}/fulfill", {})
    world.done("DELETE", f"/v1/reservations/{carts[0]['id']}")
    assert world.figures("A") == (7, 6)
    world.place(order_body("W-2", quantities={"A": 1}))
    assert world.figures("A") == (7, 7)
    assert lawful(world)
