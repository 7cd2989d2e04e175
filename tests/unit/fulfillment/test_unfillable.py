"""Units that no location can serve, and the log of attempts at serving them."""

from __future__ import annotations

from typing import Any

import pytest

from oms.fulfillment.attempts import KEPT, conclude_attempts, note_attempt
from oms.fulfillment.requests import RejectRequest
from oms.fulfillment.reroute import reroute
from oms.fulfillment.unfillable import give_up, why_unfillable
from oms.fulfillment.work import reject
from oms.orders.quantities import broken_laws
from oms.orders.records import LineState
from oms.payments.releases import to_release
from oms.routing.rules import RuleGroup
from oms.settings import ChannelSettings
from tests.support.orders import a_group, a_line, an_order
from tests.unit.memory import World

CANCEL = ChannelSettings(on_unfillable="cancel_and_refund")


def state_of(**counters: Any) -> LineState:
    return LineState.model_validate({"ordered": 6, **counters})


@pytest.mark.parametrize(
    ("before", "asked", "cancelled", "after"),
    [
        ({}, 6, 6, {"cancelled": 6}),
        ({}, 2, 2, {"cancelled": 2}),
        ({"allocated": 4}, 6, 2, {"allocated": 4, "cancelled": 2}),
        ({"pins": {"berlin": 5}}, 6, 1, {"pins": {"berlin": 5}, "cancelled": 1}),
        ({"backordered": 4, "allocated": 2}, 3, 3, {"backordered": 1, "allocated": 2, "cancelled": 3}),
        ({"backordered": 2}, 5, 5, {"backordered": 1, "cancelled": 5}),
        ({"cancelled": 6}, 6, 0, {"cancelled": 6}),
    ],
)
def test_only_what_has_no_place_is_given_up(before: Any, asked: int, cancelled: int, after: Any) -> None:
    order = World().place(an_order(a_line(quantity=6)))
    order.summary.lines["1"] = state_of(**before)
    assert give_up(order, "1", asked, "nobody has it") == cancelled
    state = order.summary.lines["1"]
    assert state == state_of(**after)
    assert not broken_laws(state)
    assert sum(change.queue for change in order.stock) == state.backordered - before.get("backordered", 0)


def test_the_highest_numbers_are_cancelled_first() -> None:
    order = World().place(an_order(a_line(quantity=6)))
    order.summary.lines["1"] = state_of(allocated=3)
    give_up(order, "1", 1, "x")
    give_up(order, "1", 2, "x")
    assert [fact.data["units"] for fact in order.facts] == [[[6, 6]], [[4, 5]]]


def test_a_group_that_ships_complete_goes_without_what_was_given_up() -> None:
    world = World({"A": {"berlin": 9}, "B": {"berlin": 9}})
    world.settings.channels = {"web": CANCEL}
    groups = [a_group("g1", ship_complete=True)]
    order = world.place(an_order(a_line("1", "A"), a_line("2", "B"), delivery_groups=groups))
    order.summary.lines["2"].excluded = ["berlin"]
    assert world.allocate(order) == "allocated"
    assert {line_id: (state.allocated, state.cancelled) for line_id, state in order.summary.lines.items()} == {"1": (2, 0), "2": (0, 2)}
    assert (world.row("A").reserved, world.row("B").reserved) == (2, 0)


def test_nothing_is_given_up_where_a_person_decides() -> None:
    world = World()
    order, fo = world.allocated(an_order())
    reject(order, fo, RejectRequest(reason="flood"))
    world.commit(order)
    assert world.allocate(order) == "unfillable"
    assert order.summary.lines["1"].cancelled == 0
    assert why_unfillable(order) == "no location can serve it: 2 of A (line 1, refused by berlin)"


def test_authorization_is_released_only_when_nothing_needs_it() -> None:
    world = World()
    order, fo = world.allocated(an_order(a_line(quantity=3)))
    assert to_release(order) == []
    world.ship(order, fo, {"1": 1}, short={"1": 2})
    give_up(order, "1", 2, "x")
    assert to_release(order) == [], "what was shipped is to be captured yet"
    for shipment in order.shipments.values():
        world.invoice(order, shipment)
    assert [part.amount for part in to_release(order)] == [2000]


def test_what_nobody_knows_yet_is_filled_in_by_the_next_visit() -> None:
    order = World().place(an_order())
    note_attempt(order, "fo_1: flood")
    assert conclude_attempts(order, "allocated", ["lyon", "berlin", "lyon"], "t1")
    (attempt,) = order.summary.attempts
    assert (attempt.cause, attempt.result, attempt.places) == ("fo_1: flood", "allocated", ["berlin", "lyon"])


def test_one_visit_that_finds_nothing_is_one_attempt_however_often_it_is_tried() -> None:
    order = World().place(an_order())
    note_attempt(order, "fo_1: flood")
    assert [conclude_attempts(order, "unfillable", [], visit) for visit in ("t1", "t1", "t2", "t2")] == [True, False, True, False]
    assert [attempt.result for attempt in order.summary.attempts] == ["unfillable", "unfillable"]


def test_a_plain_life_writes_no_attempt_and_the_log_has_an_end() -> None:
    order = World().place(an_order())
    assert not conclude_attempts(order, "allocated", ["berlin"], "t1")
    assert order.summary.attempts == []
    for number in range(KEPT + 5):
        note_attempt(order, f"{number}: {'x' * 500}")
    assert len(order.summary.attempts) == KEPT
    assert order.summary.attempts[-1].cause.startswith(f"{KEPT + 4}: ")
    assert max(len(attempt.cause) for attempt in order.summary.attempts) == 200


def test_what_a_person_moves_counts_as_no_refusal() -> None:
    world = World({"A": {"berlin": 9, "lyon": 9}})
    order, fo = world.allocated(an_order())
    reroute(order, fo, world.rows, world.settings, reason="fire")
    world.commit(order)
    assert (order.summary.lines["1"].attempts, order.summary.lines["1"].excluded) == (0, ["berlin"])
    assert [(attempt.result, attempt.places) for attempt in order.summary.attempts] == [("allocated", ["lyon"])]


def test_a_reroute_keeps_to_the_rules_in_force() -> None:
    world = World({"A": {"berlin": 9, "lyon": 9, "riga": 9}})
    order, fo = world.allocated(an_order())
    world.settings.rule_groups = {"r": RuleGroup(priority=1, exclude_locations=["lyon"])}
    (made,) = reroute(order, fo, world.rows, world.settings)
    assert made.location_id == "riga"
