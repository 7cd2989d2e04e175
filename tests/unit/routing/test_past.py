"""Past orders as the simulator sees them."""

from __future__ import annotations

from typing import Any

import pytest

from oms.orders.records import LineState, Promise
from oms.returns import returns
from oms.routing.model import Place
from oms.routing.past import cases_of, promised, took
from tests.support.orders import a_group, a_line, an_order
from tests.unit.memory import World

MONDAY, SUNDAY = "2026-11-23T09:00:00.000Z", "2026-11-29T09:00:00.000Z"
LATER = "2026-12-05T00:00:00.000Z"


@pytest.mark.parametrize(
    ("promises", "due"),
    [
        pytest.param([None], SUNDAY, id="the-usual-promise-is-not-stored"),
        pytest.param([None, Promise(latest=LATER)], LATER, id="the-last-line-counts"),
        pytest.param([None, Promise(latest=None)], "", id="a-line-without-a-date"),
        pytest.param([], "", id="no-lines"),
    ],
)
def test_when_an_order_was_promised(promises: list[Promise | None], due: str) -> None:
    assert promised([LineState(promise=promise) for promise in promises], MONDAY) == due


def test_each_delivery_group_is_a_case() -> None:
    world = World({"A": {"berlin": 5}, "B": {"lyon": 5}})
    groups: list[Any] = [a_group("g1"), a_group("g2", desired_date=LATER, method="slow")]
    body = an_order(a_line("1", "A"), a_line("2", "B", delivery_group="g2"), delivery_groups=groups)
    order = world.place(body)
    here = [Place("here")]
    first, second = cases_of(order, lambda channel, group: here, world.settings)
    assert [(each.order_id, each.group_id, each.channel, each.sent) for each in (first, second)] == [
        (order.id, "g1", "web", True),
        (order.id, "g2", "web", True),
    ]
    assert [(demand.line_id, demand.sku, demand.quantity) for demand in (*first.demands, *second.demands)] == [("1", "A", 2), ("2", "B", 2)]
    assert (first.destination.country, first.places, second.due) == ("DE", here, LATER)


def test_what_is_cancelled_is_not_wanted_any_more() -> None:
    world = World({"A": {"berlin": 5}})
    order = world.place(an_order(a_line("1", "A", 2)))
    order.summary.lines["1"].cancelled = 1
    (case,) = cases_of(order, lambda channel, group: [], world.settings)
    assert [demand.quantity for demand in case.demands] == [1]
    order.summary.lines["1"].cancelled = 2
    assert list(cases_of(order, lambda channel, group: [], world.settings)) == []


def test_what_an_order_took_less_what_came_back_to_the_shelf() -> None:
    world = World({"A": {"berlin": 5}})
    assert took(world.place(an_order(number="W-1"))) == {"berlin": {"A": 2}}
    order = world.delivered(an_order(number="W-2"))
    assert took(order) == {"berlin": {"A": 2}}
    ret = returns.request_return(
        order, returns.ReturnRequest.model_validate({"lines": [{"line_id": "1", "quantity": 1, "reason": "wrong_size"}]}), world.settings
    )
    returns.approve(order, ret)
    received = {"lines": [{"line_id": "1", "quantity": 1, "condition": "resellable"}], "location_id": "berlin"}
    returns.receive(order, ret, returns.ReceiveRequest.model_validate(received), world.settings)
    world.settle(order, ret)
    assert took(order) == {"berlin": {"A": 1}}
