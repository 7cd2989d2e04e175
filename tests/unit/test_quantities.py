"""Quantities of a line: what follows from its counters, its status, and the laws."""

from __future__ import annotations

import pytest

from oms.orders.quantities import (
    available_to_cancel,
    available_to_reship,
    available_to_return,
    broken_laws,
    kept,
    line_status,
    open_units,
    reserved,
)
from oms.orders.records import LineState


def test_what_follows_from_the_counters() -> None:
    state = LineState(ordered=10, cancelled=1, backordered=2, allocated=5, shipped=3, cancel_requested=1, pins={"berlin": 1, "munich": 1})
    assert reserved(state) == 2
    assert open_units(state) == 2
    assert kept(state) == 9
    assert available_to_cancel(state) == 10 - 1 - 3 - 1


@pytest.mark.parametrize(("confirmed", "units"), [(True, 1), (False, 2)])
def test_units_return_once_delivered_or_once_shipped_where_nobody_confirms(confirmed: bool, units: int) -> None:
    state = LineState(ordered=5, allocated=5, shipped=4, delivered=2, lost=1, return_initiated=1)
    assert available_to_return(state, confirmed) == units


def test_what_comes_back_or_was_sent_again_is_not_sent_again() -> None:
    state = LineState(ordered=5, allocated=5, shipped=4, reshipped=1, return_initiated=1)
    assert available_to_reship(state) == 2
    assert available_to_reship(state.model_copy(update={"reshipped": 4})) == 0


@pytest.mark.parametrize(
    ("counters", "status"),
    [
        ({}, "ordered"),
        ({"pins": {"berlin": 4}}, "ordered"),
        ({"backordered": 1}, "backordered"),
        ({"allocated": 1, "backordered": 3}, "partially_allocated"),
        ({"allocated": 4}, "allocated"),
        ({"allocated": 3, "cancelled": 1}, "allocated"),
        ({"allocated": 4, "shipped": 1}, "partially_shipped"),
        ({"allocated": 4, "shipped": 4}, "shipped"),
        ({"allocated": 4, "shipped": 4, "delivered": 1}, "partially_delivered"),
        ({"allocated": 4, "shipped": 2, "delivered": 1}, "partially_delivered"),
        ({"allocated": 4, "shipped": 4, "delivered": 3, "lost": 1}, "delivered"),
        ({"allocated": 4, "shipped": 4, "delivered": 3, "lost": 1, "lost_delivered": 1}, "partially_delivered"),
        ({"allocated": 4, "shipped": 4, "delivered": 4, "reshipped": 4}, "delivered"),
        ({"allocated": 4, "shipped": 4, "delivered": 4, "return_initiated": 2, "returned": 1}, "partially_returned"),
        ({"allocated": 4, "shipped": 4, "delivered": 4, "return_initiated": 3}, "delivered"),
        ({"allocated": 4, "shipped": 4, "delivered": 4, "return_initiated": 4, "returned": 3}, "return_initiated"),
        ({"allocated": 4, "shipped": 1, "delivered": 1, "return_initiated": 1}, "return_initiated"),
        ({"allocated": 4, "shipped": 4, "delivered": 4, "return_initiated": 4, "returned": 4}, "returned"),
        ({"allocated": 3, "cancelled": 1, "shipped": 3, "delivered": 3, "return_initiated": 3, "returned": 3}, "returned"),
        ({"cancelled": 4}, "cancelled"),
    ],
)
def test_line_status_first_match_wins(counters: dict[str, int], status: str) -> None:
    assert line_status(LineState.model_validate({"ordered": 4, **counters})) == status


@pytest.mark.parametrize(
    ("counters", "law"),
    [
        ({"cancelled": -1}, "no counter is negative"),
        ({"pins": {"berlin": 0}}, "no pin is negative"),
        ({"allocated": 2, "shipped": 2, "return_initiated": 1, "returned": 2}, "returned <= return_initiated <= shipped <= allocated"),
        ({"allocated": 2, "shipped": 1, "return_initiated": 2}, "returned <= return_initiated <= shipped <= allocated"),
        ({"allocated": 1, "shipped": 2}, "returned <= return_initiated <= shipped <= allocated"),
        ({"allocated": 2, "cancelled": 2, "backordered": 1}, "allocated + cancelled + backordered <= ordered"),
        ({"allocated": 2, "pins": {"berlin": 3}}, "reserved <= open units"),
        ({"allocated": 2, "shipped": 1, "cancel_requested": 2}, "cancel_requested <= allocated - shipped"),
        ({"allocated": 2, "shipped": 1, "delivered": 1, "lost": 1}, "delivered + lost, each unit once, <= shipped"),
        ({"allocated": 2, "shipped": 2, "lost": 1, "lost_delivered": 2}, "lost_delivered, lost_replaced <= lost"),
        ({"allocated": 2, "shipped": 2, "lost": 1, "lost_replaced": 2}, "lost_delivered, lost_replaced <= lost"),
        ({"allocated": 2, "shipped": 2, "lost": 2, "lost_delivered": 1}, "lost_delivered <= delivered"),
    ],
)
def test_each_law_is_noticed_when_broken(counters: dict[str, int], law: str) -> None:
    assert law in broken_laws(LineState.model_validate({"ordered": 4, **counters}))


def test_a_good_line_breaks_no_law() -> None:
    assert broken_laws(LineState(ordered=4, allocated=2, shipped=1, backordered=1, pins={"berlin": 1}, excluded=["munich"])) == []
