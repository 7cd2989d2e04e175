"""Holds: several at once, who may release them, when they let go by themselves, and the time to think better of an order."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from oms.clock import later
from oms.errors import Conflict, Forbidden, NotFound
from oms.machines.outcomes import outcome
from oms.orders import capture, holds
from oms.orders.hold_request import HoldRequest
from oms.orders.order import Order
from oms.orders.records import Hold
from oms.payments.tender_request import Tender
from oms.service.records import Wait
from oms.settings import ChannelSettings
from tests.support.orders import a_card, an_order
from tests.unit.memory import GATEWAYS, NOW, World

SOON, LATER = later(NOW, minutes=30), later(NOW, hours=2)


def held(order: Order, kind: str = "fraud", **more: Any) -> Hold:
    return holds.place_hold(order, HoldRequest(kind=kind, reason="check", **more))


def release(order: Order, hold: Hold, by: str = "ann", rights: Collection[str] = ()) -> Hold:
    return holds.release_hold(order, hold.id, by, lambda right: right in rights)


def patient(seconds: int = 1800) -> World:
    """A world whose channel gives customers time to think better of it."""
    world = World()
    world.settings.channels["web"] = ChannelSettings(remorse_delay_seconds=seconds)
    return world


def test_several_holds_each_with_its_reason_and_each_released_by_itself() -> None:
    order = World().place(an_order())
    fraud, stock = held(order), held(order, "stock", blocks=["ship", "capture"])
    assert fraud.id != stock.id
    release(order, fraud)
    assert (fraud.released_at, fraud.released_by) == (order.now, "ann")
    assert (order.open_holds("allocate"), order.open_holds("ship"), order.open_holds("capture")) == (False, True, True)
    with pytest.raises(Conflict, match="was released at"):
        release(order, fraud)
    with pytest.raises(NotFound, match="has no hold 'hold_x'"):
        holds.release_hold(order, "hold_x", "ann", lambda right: True)


@pytest.mark.parametrize(("expires_at", "open_"), [("2026-11-23T09:30:00+01:00", True), ("2026-11-23T08:30:00+01:00", False)])
def test_a_hold_expires_at_its_moment_in_whatever_zone_it_was_written(expires_at: str, open_: bool) -> None:
    order = World().place(an_order())
    held(order, expires_at=expires_at)
    assert order.open_holds("allocate") is open_


def test_a_hold_is_released_by_who_has_the_scope_or_role_that_it_names() -> None:
    order = World().place(an_order())
    hold = held(order, release_by="fraud_team")
    before = [fact.type for fact in order.facts]
    for rights in ((), ("support",), ("finance.write", "fraud")):
        with pytest.raises(Forbidden, match=r"is released by fraud_team; ask somebody who has that scope or role"):
            release(order, hold, rights=rights)
    assert (hold.released_at, [fact.type for fact in order.facts]) == (None, before)
    assert release(order, hold, rights=("support", "fraud_team")).released_by == "ann"


def test_what_expires_lets_go_and_the_others_stay() -> None:
    order = World().place(an_order())
    first, second, endless = held(order, expires_at=SOON), held(order, expires_at=LATER), held(order)
    assert order.alarm == SOON
    order.now, order.facts = SOON, []
    holds.expire_holds(order)
    assert [(hold.released_at, hold.released_by) for hold in (first, second, endless)] == [(SOON, "clock"), (None, None), (None, None)]
    assert [(fact.type, fact.data["hold_id"]) for fact in order.facts] == [("hold.expired", first.id)]
    assert order.alarm == LATER
    holds.expire_holds(order)
    assert len(order.facts) == 1


def test_a_hold_that_somebody_released_does_not_expire() -> None:
    order = World().place(an_order())
    release(order, held(order, expires_at=SOON))
    order.now = LATER
    assert (holds.expired(order), order.alarm) == ([], None)


@pytest.mark.parametrize("status", ["declined", "completed", "cancelled"])
def test_the_clock_does_not_look_at_an_order_that_is_at_its_end(status: str) -> None:
    order = World().place(an_order())
    held(order, expires_at=SOON)
    order.summary.status = status
    assert order.alarm is None


def test_an_order_of_a_patient_channel_waits_before_it_is_allocated() -> None:
    world = patient()
    order = world.place(an_order())
    (hold,) = order.summary.holds
    assert (hold.kind, hold.blocks, hold.expires_at, hold.release_by) == ("remorse", ["allocate"], SOON, None)
    assert order.summary.status == "on_hold"
    assert world.allocate(order) == "wait_for_release"
    order.now = later(SOON, seconds=-1)
    assert world.allocate(order) == "wait_for_release"
    order.now = SOON
    assert world.allocate(order) == "allocated"


def test_without_a_delay_there_is_no_hold() -> None:
    assert World().place(an_order()).summary.holds == []


def test_a_declined_order_that_is_submitted_again_waits_from_then_on() -> None:
    world = patient()
    order = world.place(an_order(token="tok_decline"))
    assert order.summary.status == "declined"
    order.now = later(NOW, minutes=20)
    tender = Tender.model_validate(a_card(2000))
    capture.retry_declined(order, tender, world.rows, world.settings, GATEWAYS, "me")
    assert [hold.expires_at for hold in order.summary.holds] == [later(NOW, minutes=50)]


@pytest.mark.parametrize(
    ("cancelled", "allocated", "expected"),
    [(0, 0, None), (1, 0, None), (2, 0, "cancelled"), (1, 1, "allocated"), (0, 1, None)],
)
def test_a_cancellation_ends_the_wait_for_a_release_at_once(cancelled: int, allocated: int, expected: str | None) -> None:
    order = patient().place(an_order())
    state = order.summary.lines["1"]
    state.cancelled, state.allocated = cancelled, allocated
    how = outcome(order, Wait(id=order.id, state="Wait for release", token="t", entered=NOW))
    assert (how.output if how else None) == ({"next": expected} if expected else None)
