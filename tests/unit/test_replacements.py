"""Replacements in the domain: which units, from where, and what nothing else of the order may notice."""

from __future__ import annotations

from typing import Any

import pytest

from oms.carriers.tracking import Tracking, apply
from oms.clock import later
from oms.errors import Conflict
from oms.fulfillment import arrivals, work
from oms.fulfillment.allocate import needs_stock
from oms.fulfillment.late import reclaim
from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.replacements import place_replacements, replace_units, replaced
from oms.fulfillment.requests import PackageLine, RejectRequest, ShipRequest, ShortLine
from oms.fulfillment.reroute import reroute
from oms.fulfillment.unfillable import give_up, why_unfillable
from oms.machines.executions import needed
from oms.machines.outcomes import outcome
from oms.orders.order import Order
from oms.orders.quantities import available_to_return, broken_laws
from oms.orders.records import Hold
from oms.orders.statuses import order_status, replaces
from oms.payments.cover import uncovered
from oms.payments.gift_cards import delivered_cards
from oms.payments.releases import to_release
from oms.payments.renewal import renew_until
from oms.service.records import Wait
from tests.support.orders import a_line, an_order
from tests.unit.memory import NOW, World


def sent(world: World, quantity: int = 3, *, invoiced: bool = True) -> tuple[Order, FulfillmentOrder]:
    """An order of A whose one parcel has left."""
    order, fo = world.allocated(an_order(a_line(quantity=quantity)))
    world.ship(order, fo, {"1": quantity})
    for parcel in order.shipments.values() if invoiced else ():
        world.invoice(order, parcel)
    return order, fo


def again(world: World, order: Order, units: list[list[int]], cause: str = "chg_1") -> FulfillmentOrder:
    """These units of line 1 are on work that sends them once more."""
    replace_units(order, "1", units, cause)
    assert place_replacements(order, world.rows, world.settings) == []
    world.commit(order)
    return list(order.fulfillment_orders.values())[-1]


def test_a_replacement_carries_the_numbers_it_was_made_for() -> None:
    world = World({"A": {"berlin": 10, "lyon": 10}})
    order, _ = sent(world)
    fo = again(world, order, [[2, 3]])
    world.ship(order, fo, {"1": 1}, {"1": 1})
    first, second = list(order.shipments.values())[1:]
    assert (first.lines, second.lines) == ({"1": [[2, 2]]}, {"1": [[3, 3]]})
    assert (fo.lines["1"].units, replaced(order, "1"), fo.status) == ([], [[2, 3]], "shipped")
    state = order.summary.lines["1"]
    assert (state.allocated, state.shipped, state.delivered, state.reshipped, broken_laws(state)) == (3, 3, 0, 2, [])


def test_replacing_nothing_is_nothing() -> None:
    world = World()
    order, _ = sent(world)
    replace_units(order, "1", [], "chg_1")
    assert (order.summary.lines["1"].to_replace, order.facts, place_replacements(order, world.rows, world.settings)) == ({}, [], [])


def test_what_one_place_has_not_comes_from_several_and_the_rest_is_named() -> None:
    world = World({"A": {"berlin": 3, "lyon": 0}})
    order, _ = sent(world)
    world.arrive("A", "berlin", 1)
    world.arrive("A", "lyon", 1)
    replace_units(order, "1", [[1, 3]], "chg_1")
    (fault,) = place_replacements(order, world.rows, world.settings, pointer=lambda line_id: f"/{line_id}")
    assert (fault.pointer, "1 of 3 A are not in stock" in fault.detail) == ("/1", True)
    assert order.summary.lines["1"].to_replace == {"chg_1": [[3, 3]]}
    assert [fo.lines["1"].units for fo in order.fulfillment_orders.values() if fo.replaces] == [[[1, 1]], [[2, 2]]]
    assert "1 of A (line 1) that are to be sent again for chg_1" in why_unfillable(order)


def test_only_what_is_asked_for_is_placed_and_the_other_cause_waits() -> None:
    world = World()
    order, _ = sent(world)
    replace_units(order, "1", [[1, 1]], "chg_1")
    replace_units(order, "1", [[2, 2]], "ret_1")
    place_replacements(order, world.rows, world.settings, cause_id="ret_1")
    assert order.summary.lines["1"].to_replace == {"chg_1": [[1, 1]]}
    assert [fo.replaces for fo in order.fulfillment_orders.values()] == [None, "ret_1"]


def test_an_order_held_for_allocation_sends_nothing_again() -> None:
    world = World()
    order, _ = sent(world)
    order.summary.holds.append(Hold(id="h", kind="fraud", reason="x", blocks=["allocate"], placed_at=NOW))
    replace_units(order, "1", [[1, 1]], "chg_1")
    assert len(place_replacements(order, world.rows, world.settings)) == 1
    assert order.summary.lines["1"].to_replace == {"chg_1": [[1, 1]]}


def test_what_was_refused_too_often_is_not_tried_again() -> None:
    world = World()
    order, _ = sent(world)
    replace_units(order, "1", [[1, 1]], "chg_1")
    order.summary.lines["1"].attempts = 10
    assert len(place_replacements(order, world.rows, world.settings)) == 1


@pytest.mark.parametrize("how", ["reject", "short", "expire", "address"])
def test_what_leaves_the_work_is_the_highest_and_waits_to_be_placed_again(how: str) -> None:
    world = World({"A": {"berlin": 10, "lyon": 10}})
    order, _ = sent(world)
    fo = again(world, order, [[1, 3]])
    order.facts = []
    if how == "reject":
        rows = [PackageLine(line_id="1", quantity=1)]
        work.reject(order, fo, RejectRequest(lines=rows, reason="flood"))
    elif how == "short":
        work.ship(order, fo, ShipRequest(short=[ShortLine(line_id="1", quantity=1, reason="gone")]), {})
    elif how == "expire":
        work.expire(order, fo)
    else:
        work.hand_back(order, fo, "another address")
        work.reopen(order)
    state = order.summary.lines["1"]
    left = [[3, 3]] if how in ("reject", "short") else [[1, 3]]
    assert (state.to_replace, state.allocated, state.pins, state.reshipped) == ({"chg_1": left}, 3, {}, 3)
    assert (fo.location_id in state.excluded) == (how != "address")
    assert "order.reopened" in [fact.type for fact in order.facts]
    assert order.id in [execution.record_id for execution in needed(order)]
    world.commit(order)
    assert (needs_stock(order), world.allocate(order)) == ({"A"}, "allocated")
    assert [each.lines["1"].units for each in order.fulfillment_orders.values() if each.replaces and each is not fo] == [left]


@pytest.mark.parametrize("state", ["Wait for release", "Wait for stock"])
def test_an_order_that_waits_goes_on_when_something_is_to_be_replaced(state: str) -> None:
    world = World({"A": {"berlin": 2}})
    order, fo = world.allocated(an_order(a_line(quantity=3, backorder="allow")))
    world.ship(order, fo, {"1": 2})
    wait = Wait(id=order.id, state=state, token="t", entered=NOW)
    if state == "Wait for stock":
        assert outcome(order, wait) is None
    replace_units(order, "1", [[1, 1]], "chg_1")
    resumed = outcome(order, wait)
    assert resumed
    assert resumed.output == {"next": "allocate"}


def test_money_does_not_know_replacements() -> None:
    """Two of three units have left, the third waits for stock; then it is handed out after a replacement, and nothing pays for it."""
    world = World({"A": {"berlin": 2, "lyon": 0}})
    order, fo = world.allocated(an_order(a_line(quantity=3, backorder="allow")))
    world.ship(order, fo, {"1": 2})
    world.invoice(order, order.uninvoiced[0])
    world.arrive("A", "lyon", 2)
    world.grant(order)
    again_ = again(world, order, [[1, 1]])
    order.now = later(NOW, hours=1)
    world.allocate(order)
    third = list(order.fulfillment_orders.values())[-1]
    assert third.ship_by > again_.ship_by
    order.now = later(NOW, days=30)
    assert uncovered(order) == {third.id: 1000}
    again_.ship_by = later(NOW, days=90)
    assert renew_until(order) == later(order.now, days=1)


def test_what_nothing_needs_is_given_back_though_a_replacement_has_left() -> None:
    world = World({"A": {"berlin": 10, "lyon": 10}})
    order, fo = world.allocated(an_order(a_line(quantity=3)))
    world.ship(order, fo, {"1": 2}, short={"1": 1})
    give_up(order, "1", 1, "nobody has it")
    world.commit(order)
    world.invoice(order, order.uninvoiced[0])
    work_ = again(world, order, [[1, 1]])
    world.ship(order, work_, {"1": 1})
    assert (order.uninvoiced, len(order.sold), len(order.shipments)) == ([], 1, 2)
    assert [part.amount for part in to_release(order)] == [1000]
    resumed = outcome(order, Wait(id=work_.id, state="Ship", token="t", entered=NOW))
    assert resumed
    assert resumed.output == {"next": "deliver"}


def test_a_late_parcel_takes_the_place_of_what_was_ordered_and_not_of_a_replacement() -> None:
    world = World({"A": {"berlin": 10, "lyon": 10}})
    order, fo = world.allocated(an_order(a_line(quantity=3)))
    world.ship(order, fo, {"1": 1})
    work_ = again(world, order, [[1, 1]])
    reroute(order, fo, world.rows, world.settings, to="lyon")
    world.commit(order)
    late = ShipRequest.model_validate({"packages": [{"reference": "late", "lines": [{"line_id": "1", "quantity": 2}]}]})
    reclaim(order, fo, late, {"1": 2}, {"A": world.row("A")})
    assert (work_.lines["1"].open, list(order.fulfillment_orders.values())[-1].lines["1"].open) == (1, 0)


def test_a_gift_card_that_was_written_off_does_not_come_alive_when_its_parcel_arrives() -> None:
    world = World()
    order, fo = world.allocated(an_order(a_line(quantity=2, product={"gift_card": True})))
    world.ship(order, fo, {"1": 2})
    (parcel,) = order.shipments.values()
    arrivals.write_off(order, parcel, "1", [[1, 1]])
    arrivals.arrive(order, [parcel], NOW)
    assert [card.unit for card in delivered_cards(order)] == [2]


def test_an_order_is_not_completed_before_its_replacement_has_arrived() -> None:
    world = World({"A": {"berlin": 10, "lyon": 0}})
    order, _ = sent(world)
    arrivals.arrive(order, order.shipments.values(), NOW)
    order.summary.status = "open"
    assert order_status(order) == "completed"
    replace_units(order, "1", [[1, 1]], "chg_1")
    assert (replaces(order), order_status(order)) == (True, "open")
    place_replacements(order, world.rows, world.settings)
    world.commit(order)
    assert order_status(order) == "open"
    world.ship(order, list(order.fulfillment_orders.values())[-1], {"1": 1})
    assert order_status(order) == "open"
    arrivals.arrive(order, [list(order.shipments.values())[-1]], NOW)
    assert (replaces(order), order_status(order), order.summary.lines["1"].delivered) == (False, "completed", 3)


def test_a_lost_unit_is_there_again_once_its_replacement_has_come_and_gone_when_that_is_missing() -> None:
    world = World()
    order, _ = sent(world)
    (parcel,) = order.shipments.values()
    state = order.summary.lines["1"]
    arrivals.write_off(order, parcel, "1", [[1, 2]])
    fo = again(world, order, [[1, 1]])
    world.ship(order, fo, {"1": 1})
    second = list(order.shipments.values())[-1]
    assert (state.lost, state.lost_replaced, available_to_return(state, True), available_to_return(state, False)) == (2, 0, 0, 1)
    arrivals.arrive(order, [second], NOW)
    assert (state.delivered, state.lost_replaced, available_to_return(state, True), available_to_return(state, False)) == (0, 1, 1, 2)
    arrivals.write_off(order, second, "1", [[1, 1]])
    assert (state.lost, state.lost_replaced, state.reshipped, available_to_return(state, True)) == (2, 0, 0, 0)
    assert broken_laws(state) == []


def test_a_parcel_ends_when_it_has_come_or_nothing_is_left_to_come() -> None:
    world = World()
    order, fo = sent(world)
    (parcel,) = order.shipments.values()
    arrivals.write_off(order, parcel, "1", [[1, 2]])
    arrivals.follow_parcels(order, fo)
    wait = Wait(id=fo.id, state="Deliver", token="t", entered=NOW)
    assert (parcel.ended, fo.status, outcome(order, wait)) == (False, "shipped", None)
    arrivals.write_off(order, parcel, "1", [[3, 3]])
    arrivals.follow_parcels(order, fo)
    resumed = outcome(order, wait)
    assert resumed
    assert (parcel.ended, fo.status, resumed.output) == (True, "delivered", {"next": "delivered"})


def test_a_parcel_that_was_written_off_on_its_way_back_asks_nobody() -> None:
    world = World()
    order, fo = sent(world)
    (parcel,) = order.shipments.values()
    news: dict[str, Any] = {"tracking_number": "T1", "status": "return_to_sender", "occurred_at": NOW}
    assert apply(order, parcel, Tracking.model_validate(news))
    resumed = outcome(order, Wait(id=fo.id, state="Deliver", token="t", entered=NOW))
    assert resumed
    assert resumed.error == "ReturnedToSender"
    arrivals.write_off(order, parcel, "1", [[1, 3]])
    resumed = outcome(order, Wait(id=fo.id, state="Deliver", token="t", entered=NOW))
    assert resumed
    assert resumed.output == {"next": "delivered"}


def test_where_nobody_confirms_a_written_off_parcel_has_no_time_to_wait_for() -> None:
    world = World(confirmation="none")
    order, fo = sent(world)
    (parcel,) = order.shipments.values()
    wait = Wait(id=fo.id, state="Ship", token="t", entered=NOW)
    resumed = outcome(order, wait)
    assert resumed
    assert resumed.output
    assert resumed.output["next"] == "wait_for_clock"
    arrivals.write_off(order, parcel, "1", [[1, 3]])
    resumed = outcome(order, wait)
    assert resumed
    assert resumed.output == {"next": "deliver"}


def test_more_than_the_work_has_is_not_shipped() -> None:
    world = World()
    order, _ = sent(world)
    fo = again(world, order, [[1, 1]])
    with pytest.raises(Conflict):
        world.ship(order, fo, {"1": 2})
