"""The hand-shake with a location: every action in every status, and what the actions do."""

from __future__ import annotations

from typing import Any

import pytest

from oms.errors import Conflict, Invalid, NotFound
from oms.fulfillment import work
from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.requests import CollectRequest, PackageLine, RejectRequest, ShipRequest
from oms.orders.order import Order
from oms.orders.records import Hold
from tests.support.orders import a_line, an_order, packages, units
from tests.unit.memory import NOW, World, claim

OPEN = {"released", "accepted", "picking", "packed", "ready_for_pickup", "partially_shipped"}
STATUSES = [*sorted(OPEN), "on_hold", "shipped", "delivered", "rejected", "cancelled", "expired"]
# Written down apart from the code, so that a change of the table is a decision.
ALLOWED = {
    "accept": {"released"},
    "pick": {"released", "accepted"},
    "pack": {"released", "accepted", "picking"},
    "ready": {"released", "accepted", "picking", "packed"},
    "hold": OPEN,
    "release": {"on_hold"},
    "reject": OPEN,
    "reroute": {*OPEN, "on_hold"},
    "ship": OPEN,
    "collect": OPEN,
    "deliver": {"shipped", "partially_shipped"},
    "expire": {*OPEN, "on_hold"},
}
LEADS_TO = {"accept": "accepted", "pick": "picking", "pack": "packed", "ready": "ready_for_pickup", "hold": "on_hold"}


def shipped(order: Order, fo: FulfillmentOrder, body: dict[str, Any], *tracked: str) -> None:
    claims = {number: found for key in tracked for number, found in claim(key).items()}
    work.ship(order, fo, ShipRequest.model_validate(body), claims)


def test_the_table_is_complete() -> None:
    assert set(work.ACTIONS) == set(ALLOWED)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("action", ALLOWED)
def test_an_action_is_possible_in_its_statuses_only(action: str, status: str) -> None:
    fo = FulfillmentOrder(id="fo_x_1", location_id="berlin", delivery_group="g1", status=status, lines={})
    if status in ALLOWED[action]:
        work.check(fo, action)
    else:
        with pytest.raises(Conflict, match=f"fo_x_1 is {status}; {action} is possible when it is "):
            work.check(fo, action)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("action", LEADS_TO)
def test_an_action_that_only_moves_the_status(action: str, status: str) -> None:
    order, fo = World().allocated(an_order())
    fo.status = status
    if status == LEADS_TO[action]:
        work.advance(order, fo, action)
        assert (fo.status, order.facts) == (status, [])
    elif status in ALLOWED[action]:
        work.advance(order, fo, action)
        assert (fo.status, len(order.facts)) == (LEADS_TO[action], 1)
    else:
        with pytest.raises(Conflict):
            work.advance(order, fo, action)
        assert fo.status == status


@pytest.mark.parametrize("status", sorted(OPEN))
def test_what_was_held_goes_on_where_it_stood(status: str) -> None:
    order, fo = World().allocated(an_order())
    fo.status = status
    work.advance(order, fo, "hold")
    work.advance(order, fo, "release")
    assert (fo.status, fo.held_from) == (status, None)


def test_an_action_that_does_not_exist_is_not_found() -> None:
    order, fo = World().allocated(an_order())
    with pytest.raises(NotFound, match="no action 'fly'; it has accept, collect, deliver"):
        work.advance(order, fo, "fly")


def test_shipping_takes_the_lowest_free_units_and_consumes_the_reservation_e27() -> None:
    world = World({"A": {"berlin": 4}})
    orders = [world.allocated(an_order(a_line(quantity=1), number=f"W-{i}")) for i in range(4)]
    assert (world.row("A").on_hand, world.row("A").reserved, world.row("A").available) == (4, 4, 0)
    world.ship(*orders[0], {"1": 1})
    assert (world.row("A").on_hand, world.row("A").reserved, world.row("A").available) == (3, 3, 0)


def test_units_are_numbered_as_they_leave() -> None:
    world = World()
    order, fo = world.allocated(an_order(a_line(quantity=5)))
    world.ship(order, fo, {"1": 2})
    assert fo.status == "partially_shipped"
    world.ship(order, fo, {"1": 1}, {"1": 2})
    assert [parcel.lines for parcel in order.shipments.values()] == [{"1": [[1, 2]]}, {"1": [[3, 3]]}, {"1": [[4, 5]]}]
    assert (fo.status, fo.lines["1"].open, order.summary.lines["1"].shipped) == ("shipped", 0, 5)


@pytest.mark.parametrize("reference", [{"reference": "P1"}, {"tracking_number": "T1"}])
def test_a_package_counts_once(reference: dict[str, str]) -> None:
    order, fo = World().allocated(an_order(a_line(quantity=5)))
    body = {"packages": [{**reference, "lines": [{"line_id": "1", "quantity": 2}]}]}
    shipped(order, fo, body, "T1")
    order.facts = []
    shipped(order, fo, body)
    assert (len(order.shipments), order.summary.lines["1"].shipped, order.facts) == (1, 2, [])


def test_a_repeated_package_counts_once_beside_a_new_one() -> None:
    order, fo = World().allocated(an_order(a_line(quantity=5)))
    shipped(order, fo, packages({"1": 2}), "T1")
    shipped(order, fo, packages({"1": 2}, {"1": 3}), "T2")
    assert (len(order.shipments), order.summary.lines["1"].shipped, fo.status) == (2, 5, "shipped")


def test_a_repetition_counts_once_even_when_all_has_been_shipped() -> None:
    order, fo = World().allocated(an_order())
    shipped(order, fo, packages({"1": 2}), "T1")
    shipped(order, fo, packages({"1": 2}))
    assert (len(order.shipments), fo.status) == (1, "shipped")


def test_a_tracking_number_is_claimed_for_its_parcel() -> None:
    order, fo = World().allocated(an_order())
    shipped(order, fo, packages({"1": 2}), "T1")
    (parcel,) = order.shipments.values()
    assert [(made.key, made.data) for made in order.claims] == [("tracking#T1", {"order_id": order.id, "shipment_id": parcel.id})]


def test_a_tracking_number_is_one_parcels() -> None:
    order, fo = World().allocated(an_order(a_line(quantity=4)))
    shipped(order, fo, {"packages": [{"tracking_number": "T1", "reference": "P1", "lines": units({"1": 1})}]}, "T1")
    with pytest.raises(Conflict, match="tracking number T1 belongs to shipment shp_"):
        shipped(order, fo, {"packages": [{"tracking_number": "T1", "reference": "P2", "lines": units({"1": 1})}]})


@pytest.mark.parametrize("field", ["reference", "tracking_number"])
def test_a_name_is_one_packages_of_a_request(field: str) -> None:
    order, fo = World().allocated(an_order(a_line(quantity=4)))
    with pytest.raises(Invalid, match=f"/packages/1/{field}: another package of this request has it too"):
        shipped(order, fo, {"packages": [{field: "X", "lines": units({"1": 1})}] * 2}, "X")


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ({}, Invalid, "/packages: name at least one package"),
        (packages({"9": 1}), Invalid, "/packages/0/lines/0/line_id: fo_.* has no line '9'"),
        (packages({"1": 1}, {"1": 2}), Conflict, "line 1: 3 asked, 2 open"),
        ({"short": [{"line_id": "9", "quantity": 1, "reason": "gone"}]}, Invalid, "/short/0/line_id: fo_.* has no line '9'"),
        ({"short": [{"line_id": "1", "quantity": 3, "reason": "gone"}]}, Conflict, "line 1: 3 asked, 2 open"),
    ],
)
def test_more_than_is_there_cannot_be_shipped(body: dict[str, Any], error: type[Exception], words: str) -> None:
    order, fo = World().allocated(an_order())
    with pytest.raises(error, match=words):
        shipped(order, fo, body, "T1", "T2")
    assert (order.shipments, order.stock, order.summary.lines["1"].shipped) == ({}, [], 0)


def test_a_held_order_does_not_leave() -> None:
    order, fo = World().allocated(an_order())
    order.summary.holds = [Hold(id="h", kind="k", reason="r", blocks=["ship"], placed_at=NOW)]
    with pytest.raises(Conflict, match="release its holds that block shipping first"):
        shipped(order, fo, packages({"1": 2}), "T1")


def test_what_is_short_goes_back_to_be_routed_again() -> None:
    world = World({"A": {"berlin": 3, "munich": 3}})
    order, fo = world.allocated(an_order(a_line(quantity=3)))
    world.ship(order, fo, {"1": 1}, short={"1": 2})
    state = order.summary.lines["1"]
    assert (fo.status, fo.lines["1"].rejected) == ("shipped", 2)
    assert (state.allocated, state.shipped, state.excluded, order.summary.run) == (1, 1, ["berlin"], 2)
    assert (world.row("A", "berlin").on_hand, world.row("A", "berlin").reserved) == (2, 0)


def test_a_line_named_twice_counts_both_times() -> None:
    world = World({"A": {"berlin": 3}})
    order, fo = world.allocated(an_order(a_line(quantity=3)))
    rows = [PackageLine(line_id="1", quantity=1), PackageLine(line_id="1", quantity=2)]
    work.reject(order, fo, RejectRequest(lines=rows, reason="broken"))
    world.commit(order)
    assert (fo.lines["1"].rejected, order.summary.lines["1"].allocated, world.row("A").reserved) == (3, 0, 0)


def test_a_part_may_be_rejected() -> None:
    order, fo = World().allocated(an_order())
    work.reject(order, fo, RejectRequest(lines=[PackageLine(line_id="1", quantity=1)], reason="broken"))
    assert (fo.status, fo.lines["1"].open, order.summary.run) == ("released", 1, 2)
    assert [fact.type for fact in order.facts] == ["fulfillment_order.rejected", "order.reopened"]


def test_all_open_lines_are_rejected_when_none_are_named() -> None:
    world = World()
    order, fo = world.allocated(an_order(a_line(), a_line("2", "B", 1)))
    world.ship(order, fo, {"1": 1})
    work.reject(order, fo, RejectRequest(reason="flooded"))
    assert (fo.status, [line.rejected for line in fo.lines.values()]) == ("shipped", [1, 1])


@pytest.mark.parametrize(("ship_one", "status"), [(False, "expired"), (True, "shipped")])
def test_what_nobody_shipped_in_time_goes_back(ship_one: bool, status: str) -> None:
    world = World()
    order, fo = world.allocated(an_order())
    if ship_one:
        world.ship(order, fo, {"1": 1})
    work.expire(order, fo)
    world.commit(order)
    assert (fo.status, fo.lines["1"].open, world.row("A").reserved, order.summary.run) == (status, 0, 0, 2)
    work.expire(order, fo)
    assert order.facts == []


def test_collected_goods_are_shipped_and_delivered_at_once() -> None:
    order, fo = World().allocated(an_order())
    work.collect(order, fo, CollectRequest(collected_by="Ann"))
    assert (fo.status, order.summary.lines["1"].shipped, order.summary.lines["1"].delivered) == ("delivered", 2, 2)


def test_somebody_may_confirm_that_all_parcels_arrived() -> None:
    world = World()
    order, fo = world.allocated(an_order(a_line(quantity=3)))
    world.ship(order, fo, {"1": 1}, {"1": 1})
    work.deliver(order, fo)
    assert (fo.status, order.summary.lines["1"].delivered) == ("partially_shipped", 2)
    world.ship(order, fo, {"1": 1})
    work.deliver(order, fo)
    assert (fo.status, order.summary.lines["1"].delivered) == ("delivered", 3)
