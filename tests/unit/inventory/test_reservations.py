"""Checkout reservations as rules: what is held where, and what each change does to stock."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.clock import later
from oms.errors import Conflict, Invalid, Stale
from oms.inventory import reservations, reserving
from oms.inventory.reservation_requests import FulfillRequest, ReservationChange, ReservationRequest, TransferRequest
from oms.inventory.reservations import AT_ONCE, HeldLine, Reservation, ReservationRecord
from oms.inventory.stock import Stock
from oms.orders import capture
from oms.orders.order import Order
from oms.orders.placing import read_order
from oms.settings import Location, Settings
from tests.support.orders import a_group, a_line, an_order
from tests.unit.memory import GATEWAYS, NOW, World

SHOPS = Settings(locations={name: Location(id=name, priority=n, groups=["eu"]) for n, name in enumerate(("berlin", "lyon", "graz"))})


def rows(**at: int) -> dict[str, list[Stock]]:
    """Stock of A."""
    return {"A": [Stock(sku="A", location_id=place, on_hand=n, free=n, available=n, parts={0: n}) for place, n in at.items()]}


def reserved(quantity: int, stock: dict[str, list[Stock]], **more: Any) -> Reservation:
    request = ReservationRequest.model_validate({"lines": [{"sku": "A", "quantity": quantity}], "expires_in": 600, **more})
    return committed(reserving.reserve(request, stock, SHOPS, NOW), stock)


def committed(made: Reservation, stock: dict[str, list[Stock]]) -> Reservation:
    """What the one transaction does, with its conditions."""
    for change in made.stock:
        row = next(row for row in stock[change.sku] if row.location_id == change.location_id)
        assert change.reserve <= 0 or row.available >= change.reserve
        row.reserved, row.on_hand, row.available = (
            row.reserved + change.reserve,
            row.on_hand + change.on_hand,
            row.available + change.on_hand - change.reserve,
        )
    for row in stock["A"]:
        assert row.reserved == made.record.held().get(row.location_id, {}).get("A", 0)
    made.stock, made.facts, made.before = [], [], made.record.model_copy(deep=True)
    made.record.v += 1
    return made


def change(made: Reservation, stock: dict[str, list[Stock]], **body: Any) -> Reservation:
    reserving.change(made, ReservationChange.model_validate(body), stock, SHOPS)
    return committed(made, stock)


def pins(made: Reservation) -> dict[str, int]:
    line = made.line("A")
    return line.pins if line else {}


def test_the_fewest_places_then_the_best_priority() -> None:
    assert pins(reserved(5, rows(berlin=3, lyon=5, graz=5))) == {"lyon": 5}
    assert pins(reserved(7, rows(graz=5, berlin=3, lyon=4))) == {"berlin": 3, "lyon": 4}


def test_two_of_two_are_reserved_and_three_are_refused_whole() -> None:
    """Worked example E11 (Medusa): stock 2, reserve 2 is 2 reserved; reserve 3 is an error and nothing reserved."""
    stock = rows(berlin=2)
    with pytest.raises(Conflict) as refused:
        reserved(3, stock)
    assert (refused.value.kind, [fault.pointer for fault in refused.value.errors]) == ("out-of-stock", ["/lines/0"])
    assert stock["A"][0].reserved == 0
    reserved(2, stock)
    assert stock["A"][0].reserved == 2


def test_a_part_is_reserved_where_that_is_allowed_but_never_nothing() -> None:
    assert pins(reserved(3, rows(berlin=2), allow_partial=True)) == {"berlin": 2}
    with pytest.raises(Conflict):
        reserved(3, rows(berlin=0), allow_partial=True)


@pytest.mark.parametrize("to", [7, 2])
def test_three_become_more_or_fewer(to: int) -> None:
    """E11 (Medusa): stock 10, reserve 3, change to 7 and to 2."""
    stock = rows(berlin=10)
    change(reserved(3, stock), stock, lines=[{"sku": "A", "quantity": to}])
    assert (stock["A"][0].reserved, stock["A"][0].available) == (to, 10 - to)


@pytest.mark.parametrize(("to", "after"), [(99, 99), (100, 100), (101, 80)])
def test_raising_what_is_reserved_stops_at_what_is_there(to: int, after: int) -> None:
    """E07 (Saleor): of 100, 80 are allocated; 19 and 20 more are possible, 21 more are refused and 80 stay."""
    stock = rows(berlin=100)
    made = reserved(80, stock)
    if to > 100:
        with pytest.raises(Conflict, match="stock is short"):
            change(made, stock, lines=[{"sku": "A", "quantity": to}])
    else:
        change(made, stock, lines=[{"sku": "A", "quantity": to}])
    assert stock["A"][0].reserved == after


def test_more_units_come_from_a_place_that_holds_some_already() -> None:
    stock = rows(berlin=0, lyon=9)
    made = reserved(2, stock)
    stock["A"][0].available = 9  # berlin would be the better place now
    change(made, stock, lines=[{"sku": "A", "quantity": 6}])
    assert pins(made) == {"lyon": 6}


def test_fewer_units_leave_as_few_places_as_possible() -> None:
    stock = rows(berlin=2, lyon=4)
    made = reserved(6, stock)
    change(made, stock, lines=[{"sku": "A", "quantity": 4}])
    assert pins(made) == {"lyon": 4}


def test_nothing_left_ends_it() -> None:
    stock = rows(berlin=2)
    made = change(reserved(2, stock), stock, lines=[{"sku": "A", "quantity": 0}])
    assert (made.record.status, made.record.lines, stock["A"][0].available) == ("released", [], 2)


def test_more_time_counts_from_now() -> None:
    stock = rows(berlin=2)
    made = reserved(2, stock)
    made.now = later(NOW, seconds=500)
    change(made, stock, expires_in=600)
    assert made.record.expires_at == later(NOW, seconds=1100)


@pytest.mark.parametrize("body", [{}, {"lines": [{"sku": "A", "quantity": 1}] * 2}, {"expires_in": 0}, {"expires_in": 86401}])
def test_a_change_that_makes_no_sense_is_no_request(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        ReservationChange.model_validate(body)


def test_a_transfer_holds_the_units_elsewhere() -> None:
    stock = rows(berlin=5, lyon=3)
    made = reserved(5, stock)
    move = {"sku": "A", "quantity": 3, "from": "berlin", "to": "lyon"}
    reserving.transfer(made, TransferRequest.model_validate({"lines": [move]}), stock, SHOPS)
    assert pins(committed(made, stock)) == {"berlin": 2, "lyon": 3}


@pytest.mark.parametrize(
    ("move", "error", "pointer"),
    [
        ({"quantity": 4, "from": "berlin", "to": "lyon"}, Conflict, "/lines/0"),
        ({"quantity": 1, "from": "graz", "to": "lyon"}, Conflict, "/lines/0"),
        ({"quantity": 1, "from": "berlin", "to": "atlantis"}, Invalid, "/lines/0/to"),
    ],
)
def test_a_transfer_that_is_not_possible_says_why(move: dict[str, Any], error: type[Conflict], pointer: str) -> None:
    stock = rows(berlin=5, lyon=3)
    made = reserved(5, stock)
    with pytest.raises(error) as refused:
        reserving.transfer(made, TransferRequest.model_validate({"lines": [{"sku": "A", **move}]}), stock, SHOPS)
    assert [fault.pointer for fault in refused.value.errors] == [pointer]


def test_what_left_the_shelf_is_gone_from_both_figures() -> None:
    stock = rows(berlin=5)
    made = reserved(4, stock)
    reserving.fulfill(made, FulfillRequest.model_validate({"lines": [{"sku": "A", "quantity": 1}], "reference": "D-1"}), stock)
    assert {change.cause for change in made.stock} == {"D-1"}
    committed(made, stock)
    assert (made.record.status, stock["A"][0].on_hand, stock["A"][0].reserved) == ("open", 4, 3)
    reserving.fulfill(made, FulfillRequest(), stock)
    committed(made, stock)
    assert (made.record.status, stock["A"][0].on_hand, stock["A"][0].available) == ("fulfilled", 1, 1)


def test_no_more_leaves_than_is_reserved_or_there() -> None:
    stock = rows(berlin=5)
    made = reserved(4, stock)
    with pytest.raises(Conflict, match="4 of A are reserved"):
        reserving.fulfill(made, FulfillRequest.model_validate({"lines": [{"sku": "A", "quantity": 5}]}), stock)
    stock["A"][0].on_hand = 3  # a count found less
    with pytest.raises(Conflict, match="berlin has 3 of A"):
        reserving.fulfill(made, FulfillRequest(), stock)


def test_what_has_left_cannot_be_taken_out_of_the_reservation_again() -> None:
    stock = rows(berlin=5)
    made = reserved(4, stock)
    reserving.fulfill(made, FulfillRequest.model_validate({"lines": [{"sku": "A", "quantity": 3}]}), stock)
    committed(made, stock)
    with pytest.raises(Conflict, match="3 of A have left"):
        change(made, stock, lines=[{"sku": "A", "quantity": 2}])


def test_it_expires_when_its_time_is_over_and_only_then() -> None:
    stock = rows(berlin=5)
    made = reserved(4, stock)
    made.now = later(NOW, seconds=599)
    reservations.expire(made)
    assert made.facts == []
    made.now = later(NOW, seconds=600)
    with pytest.raises(Conflict, match="expired at"):
        change(made, stock, expires_in=600)
    reservations.expire(made)
    assert [fact.type for fact in made.facts] == ["reservation.expired"]
    committed(made, stock)
    assert (made.record.status, stock["A"][0].available) == ("expired", 5)
    reservations.expire(made)
    assert (made.stock, made.facts) == ([], [])


def test_a_released_one_is_released_once_and_a_taken_one_not_at_all() -> None:
    stock = rows(berlin=5)
    made = reserved(4, stock)
    reservations.release(made)
    committed(made, stock)
    reservations.release(made)
    assert (made.stock, made.facts, stock["A"][0].available) == ([], [], 5)
    made.record.status, made.record.order_id = "taken", "ord_x"
    with pytest.raises(Conflict, match="by order ord_x; cancel that"):
        reservations.release(made)


def test_one_with_many_pins_is_emptied_in_steps() -> None:
    lines = [HeldLine(sku=f"S{n}", quantity=2, pins={"berlin": 1, "lyon": 1}) for n in range(15)]
    made = Reservation(ReservationRecord(id="res_x", created_at=NOW, expires_at=later(NOW, days=1), lines=lines), now=NOW)
    reservations.release(made)
    assert (len(made.stock), made.record.status, made.record.expires_at) == (AT_ONCE, "released", NOW)
    assert made.record.due() == {(f"S{n}", NOW) for n in range(10, 15)}
    reservations.empty(made)
    assert (len(made.stock), made.record.held()) == (30, {})


def test_if_match_names_the_version() -> None:
    made = reserved(1, rows(berlin=1))
    made.expect('"1"')
    with pytest.raises(Stale):
        made.expect('"2"')


class TestAnOrderThatBringsOne:
    def taken(self, world: World, held: dict[str, int], body: dict[str, Any]) -> tuple[Order, Reservation]:
        record = ReservationRecord(
            id="res_x",
            created_at=NOW,
            expires_at=later(NOW, seconds=60),
            lines=[HeldLine(sku="A", quantity=sum(held.values()), pins=dict(held))],
        )
        for place, units in held.items():
            row = world.row("A", place)
            row.reserved, row.available = row.reserved + units, row.available - units
        brought = Reservation(record, now=NOW)
        order = capture.take(
            read_order(body), world.rows, world.settings, GATEWAYS, owner="me", now=NOW, later_on=False, reservation=brought
        )
        return order, brought

    def test_takes_its_units_over_and_stock_does_not_change(self) -> None:
        world = World({"A": {"berlin": 2, "lyon": 0}})
        order, brought = self.taken(world, {"berlin": 2}, an_order(a_line("1", "A", 2)))
        assert (order.summary.lines["1"].pins, order.stock) == ({"berlin": 2}, [])
        assert (brought.record.status, brought.record.order_id, brought.record.held()) == ("taken", order.id, {})

    def test_gives_back_what_it_does_not_need_and_buys_what_is_lacking(self) -> None:
        world = World({"A": {"berlin": 9, "lyon": 0}})
        fewer, _ = self.taken(world, {"berlin": 5}, an_order(a_line("1", "A", 2)))
        world.commit(fewer)
        assert (world.row("A").reserved, world.row("A").available) == (2, 7)
        more, _ = self.taken(world, {"berlin": 3}, an_order(a_line("1", "A", 6)))
        assert [(change.location_id, change.reserve) for change in more.stock] == [("berlin", 3)]

    def test_a_pickup_finds_the_units_of_its_shop(self) -> None:
        world = World({"A": {"berlin": 1, "lyon": 1}})
        groups = [a_group("g1"), {**a_group("g2"), "type": "pickup", "location_id": "berlin"}]
        order, _ = self.taken(
            world,
            {"berlin": 1, "lyon": 1},
            an_order(a_line("1", "A", 1), {**a_line("2", "A", 1), "delivery_group": "g2"}, delivery_groups=groups),
        )
        assert {line: state.pins for line, state in order.summary.lines.items()} == {"1": {"lyon": 1}, "2": {"berlin": 1}}

    def test_fresh_stock_replaces_units_at_a_place_it_may_not_use(self) -> None:
        world = World({"A": {"berlin": 2, "lyon": 2}})
        world.settings.locations["berlin"].enabled = False
        order, _ = self.taken(world, {"berlin": 2}, an_order(a_line("1", "A", 2)))
        world.commit(order)
        assert order.summary.lines["1"].pins == {"lyon": 2}
        assert (world.row("A").reserved, world.row("A", "lyon").reserved) == (0, 2)

    def test_one_that_is_over_counts_as_none(self) -> None:
        world = World({"A": {"berlin": 4}})
        brought = Reservation(
            ReservationRecord(id="res_x", created_at=NOW, expires_at=NOW, lines=[HeldLine(sku="A", quantity=2, pins={"berlin": 2})]),
            now=NOW,
        )
        world.row("A").reserved, world.row("A").available = 2, 2
        order = capture.take(
            read_order(an_order()), world.rows, world.settings, GATEWAYS, owner="me", now=NOW, later_on=False, reservation=brought
        )
        assert (brought.record.status, [change.reserve for change in order.stock]) == ("open", [2])


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("change"), st.integers(0, 12)),
            st.tuples(st.just("transfer"), st.integers(1, 6)),
            st.tuples(st.just("fulfill"), st.integers(1, 6)),
            st.tuples(st.just("wait"), st.integers(1, 400)),
            st.tuples(st.just("release"), st.just(0)),
        ),
        max_size=12,
    ),
    st.integers(1, 8),
    st.booleans(),
)
def test_whatever_is_done_stock_and_reservation_agree(steps: list[tuple[str, int]], quantity: int, partial: bool) -> None:
    """`committed` checks, after every step, that what the reservation holds is what the rows have reserved, and that no sale oversold."""
    stock = rows(berlin=4, lyon=4, graz=2)
    made = reserved(quantity, stock, allow_partial=partial)
    for what, number in steps:
        before = made.record.model_copy(deep=True)
        try:
            if what == "change":
                asked = ReservationChange.model_validate({"lines": [{"sku": "A", "quantity": number}], "allow_partial": partial})
                reserving.change(made, asked, stock, SHOPS)
            elif what == "transfer":
                move = {"sku": "A", "quantity": number, "from": "berlin", "to": "lyon"}
                reserving.transfer(made, TransferRequest.model_validate({"lines": [move]}), stock, SHOPS)
            elif what == "fulfill":
                reserving.fulfill(made, FulfillRequest.model_validate({"lines": [{"sku": "A", "quantity": number}]}), stock)
            elif what == "wait":
                made.now = later(made.now, seconds=number)
                reservations.expire(made)
            else:
                reservations.release(made)
        except Conflict:
            made.record, made.stock, made.facts = before, [], []
            continue
        committed(made, stock)
    line = made.line("A")
    gone = line.fulfilled if line else 0
    assert sum(row.on_hand for row in stock["A"]) == 10 - gone
    assert (made.record.status == "open") == bool(made.record.held())
