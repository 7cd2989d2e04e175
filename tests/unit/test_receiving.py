"""Boxes that hold something else than was announced: nothing is lost, and nobody is paid for what nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from oms.errors import Conflict
from oms.orders import statuses
from oms.orders.order import Order
from oms.orders.quantities import broken_laws
from oms.returns import returns
from oms.returns.records import Return
from oms.returns.rules import VersionedRule
from oms.service.records import ProcessException
from tests.support.orders import a_line, an_order
from tests.unit.memory import World, announce


def coming(quantity: int = 1, **line: Any) -> tuple[World, Order, Return]:
    """Three A and one B were delivered; so many A are announced."""
    world = World({"A": {"berlin": 9, "lyon": 0}, "B": {"berlin": 9}, "X": {"berlin": 0, "lyon": 0}})
    order = world.delivered(an_order(a_line("1", "A", 3, 1000, **line), a_line("2", "B", 1, 500)))
    ret = announce(order, world, {"1": quantity})
    returns.approve(order, ret)
    return world, order, ret


def box(world: World, order: Order, ret: Return, *rows: Any, location_id: str | None = None, most: int | None = None) -> None:
    """`most`: as much as who takes it in may give away for what was not announced."""
    request = returns.ReceiveRequest.model_validate({"lines": list(rows), "location_id": location_id})
    returns.receive(order, ret, request, world.settings, None if most is None else lambda amount: amount <= most)
    world.commit(order)
    world.settle(order, ret)
    assert all(broken_laws(state) == [] for state in order.summary.lines.values())


def problems(order: Order) -> list[ProcessException]:
    return list(order.exceptions.values())


def test_more_of_an_announced_line_is_taken_as_far_as_it_may_come_back() -> None:
    world, order, ret = coming(1)
    box(world, order, ret, {"line_id": "1", "quantity": 3})
    assert (ret.status, order.summary.lines["1"].returned, statuses.buckets(order).refunded) == ("settled", 3, 3000)
    assert [(line.quantity, line.extra) for line in ret.lines] == [(1, False), (2, True)]
    assert (world.row("A").on_hand, problems(order)) == (9, [])


def test_lower_units_that_come_later_do_not_disturb_what_was_settled_before() -> None:
    world, order, ret = coming(1)
    other = announce(order, world, {"1": 1})
    returns.approve(order, other)
    box(world, order, other, {"line_id": "1", "quantity": 1})
    returns.cancel(order, ret)
    third = announce(order, world, {"1": 1})
    returns.approve(order, third)
    box(world, order, third, {"line_id": "1", "quantity": 2})
    units = [row["units"] for memo in order.credit_memos.values() for row in memo.lines]
    assert (units, statuses.buckets(order).refunded) == ([[[2, 2]], [[1, 1], [3, 3]]], 3000)


@pytest.mark.parametrize("row", [{"line_id": "2"}, {"sku": "B"}])
def test_a_line_that_was_not_announced_is_taken_too(row: Any) -> None:
    world, order, ret = coming(1)
    box(world, order, ret, {"line_id": "1", "quantity": 1}, {**row, "quantity": 1})
    assert (order.summary.lines["2"].returned, statuses.buckets(order).refunded, ret.status) == (1, 1500, "settled")


def test_more_than_was_ever_sent_pays_nothing_and_somebody_is_told() -> None:
    world, order, ret = coming(3)
    box(world, order, ret, {"line_id": "1", "quantity": 5, "note": "two too many"})
    assert (ret.status, order.summary.lines["1"].returned, statuses.buckets(order).refunded) == ("settled", 3, 3000)
    assert [(r.quantity, r.disposition, r.surplus, r.sku) for r in ret.receipts] == [
        (3, "restock", False, None),
        (2, "quarantine", True, "A"),
    ]
    assert world.row("A").on_hand == 9, "three were sent, three are back on the shelf, two are set apart"
    (problem,) = problems(order)
    assert (problem.kind, problem.subject, problem.status, problem.actions) == (
        "unexpected_goods",
        ret.id,
        "open",
        ["resolve:accept", "abandon"],
    )
    assert problem.details == [{"line_id": "1", "sku": "A", "quantity": 2, "condition": "resellable", "location_id": "berlin"}]
    assert "exception" in statuses.attention(order)


def test_an_item_that_was_never_in_the_order_is_kept_on_record() -> None:
    world, order, ret = coming(1)
    box(world, order, ret, {"sku": "X", "quantity": 1, "condition": "wrong_item"}, location_id="lyon")
    assert (ret.status, ret.lines[0].received, statuses.buckets(order).refunded) == ("approved", 0, 0)
    assert [(r.line_id, r.sku, r.location_id, r.disposition) for r in ret.receipts] == [("", "X", "lyon", "quarantine")]
    assert (world.row("X", "lyon").on_hand, len(problems(order))) == (0, 1)


def test_it_goes_on_the_shelf_when_somebody_says_so() -> None:
    world, order, ret = coming(1)
    box(world, order, ret, {"sku": "X", "quantity": 2, "disposition": "restock"})
    assert (world.row("X").on_hand, statuses.buckets(order).refunded) == (2, 0)


def test_what_the_rules_are_against_is_not_taken_unasked() -> None:
    world = World()
    world.settings.return_rules["r"] = VersionedRule.model_validate({"version": 1, "applies_to": {"skus": ["B"]}, "final_sale": True})
    order = world.delivered(an_order(a_line("1", "A", 1, 1000), a_line("2", "B", 1, 500)))
    ret = announce(order, world, {"1": 1})
    returns.approve(order, ret)
    box(world, order, ret, {"line_id": "1", "quantity": 1}, {"line_id": "2", "quantity": 1})
    assert (order.summary.lines["2"].return_initiated, statuses.buckets(order).refunded, len(problems(order))) == (0, 1000, 1)


@pytest.mark.parametrize(("disposition", "shelf"), [("restock", 7), ("quarantine", 6), ("discard", 6)])
def test_each_line_goes_where_it_was_decided_at_the_place_it_is(disposition: str, shelf: int) -> None:
    world, order, ret = coming(1)
    box(world, order, ret, {"line_id": "1", "quantity": 1, "disposition": disposition})
    assert (world.row("A").on_hand, ret.receipts[0].disposition) == (shelf, disposition)
    other = announce(order, world, {"1": 1})
    returns.approve(order, other)
    box(world, order, other, {"line_id": "1", "quantity": 1}, location_id="lyon")
    assert world.row("A", "lyon").on_hand == 1


class TestBeyondTheLimitOfWhoTakesItIn:
    def test_what_was_announced_is_taken_and_the_rest_is_set_apart_whatever_its_row_says(self) -> None:
        world, order, ret = coming(1)
        box(world, order, ret, {"line_id": "1", "quantity": 3, "disposition": "restock"}, most=1999)
        assert (ret.status, statuses.buckets(order).refunded, order.summary.lines["1"].return_initiated) == ("settled", 1000, 1)
        assert [(r.quantity, r.disposition, r.surplus) for r in ret.receipts] == [(1, "restock", False), (2, "quarantine", True)]
        (problem,) = problems(order)
        assert "2 of it may come back, but is worth more than who took it in may give away" in problem.cause
        assert "return of this order" in problem.hint
        assert world.row("A").on_hand == 7

    def test_it_may_still_come_back(self) -> None:
        world, order, ret = coming(1)
        box(world, order, ret, {"line_id": "1", "quantity": 3}, most=1999)
        asked = returns.ReturnRequest.model_validate({"lines": [{"line_id": "1", "quantity": 2}], "mode": "immediate"})
        again = returns.request_return(order, asked, world.settings)
        world.commit(order)
        world.settle(order, again)
        assert (statuses.buckets(order).refunded, world.row("A").on_hand) == (3000, 9)

    def test_as_much_as_the_limit_is_taken(self) -> None:
        world, order, ret = coming(1)
        box(world, order, ret, {"line_id": "1", "quantity": 3}, most=2000)
        assert (statuses.buckets(order).refunded, problems(order)) == (3000, [])

    def test_all_that_came_unannounced_counts_together_in_one_box_or_in_several(self) -> None:
        world, order, ret = coming(2)
        box(world, order, ret, {"line_id": "1", "quantity": 1}, {"line_id": "2", "quantity": 1}, most=1499)
        assert (statuses.buckets(order).refunded, problems(order)) == (1500, [])
        box(world, order, ret, {"line_id": "1", "quantity": 2}, most=1499)
        assert (statuses.buckets(order).refunded, len(problems(order))) == (2500, 1)

    def test_what_nobody_could_return_is_counted_apart_from_it(self) -> None:
        world, order, ret = coming(1)
        box(world, order, ret, {"sku": "A", "quantity": 5}, most=0)
        assert [(r.quantity, r.surplus) for r in ret.receipts] == [(1, False), (2, True), (2, True)]
        (problem,) = problems(order)
        assert "; 2 of it may come back" in problem.cause

    def test_what_is_replaced_pays_nothing_back_and_is_taken(self) -> None:
        world = World({"A": {"berlin": 9}})
        order = world.delivered(an_order(a_line("1", "A", 3, 1000)))
        asked = {"lines": [{"line_id": "1", "quantity": 1, "resolution": "replace"}]}
        ret = returns.request_return(order, returns.ReturnRequest.model_validate(asked), world.settings)
        returns.approve(order, ret)
        box(world, order, ret, {"line_id": "1", "quantity": 3}, most=0)
        assert ([line.extra for line in ret.lines], problems(order)) == ([False, True], [])

    def test_with_its_part_of_the_delivery_charge_where_that_goes_back_too(self) -> None:
        world = World()
        order = world.delivered(an_order(a_line("1", "A", 3, 1000), charge=600))
        asked = {"lines": [{"line_id": "1", "quantity": 1}], "reduce_shipping": True}
        ret = returns.request_return(order, returns.ReturnRequest.model_validate(asked), world.settings)
        returns.approve(order, ret)
        box(world, order, ret, {"line_id": "1", "quantity": 2}, most=1199)
        assert (statuses.buckets(order).refunded, len(problems(order))) == (1200, 1)


class TestBundles:
    def sold(self) -> tuple[World, Order]:
        world = World()
        set_, part = a_line("1", "A", 2, 3000, bundle_policy="whole"), a_line("2", "B", 4, 0, bundle_of="1")
        return world, world.delivered(an_order(set_, part))

    def test_a_whole_bundle_comes_back_with_its_parts(self) -> None:
        world, order = self.sold()
        ret = announce(order, world, {"1": 1})
        assert {line.line_id: line.quantity for line in ret.lines} == {"1": 1, "2": 2}
        returns.approve(order, ret)
        box(world, order, ret, {"line_id": "1", "quantity": 1}, {"line_id": "2", "quantity": 2})
        assert (ret.status, statuses.buckets(order).refunded) == ("settled", 3000)

    def test_a_part_does_not_come_back_by_itself(self) -> None:
        world, order = self.sold()
        with pytest.raises(Conflict, match="sold as a part of line '1' only"):
            announce(order, world, {"2": 1})


def test_a_box_without_an_announcement_is_taken_at_once() -> None:
    world = World({"A": {"berlin": 9, "lyon": 0}})
    order = world.delivered(an_order(a_line(quantity=3)))
    rows = [{"line_id": "1", "quantity": 2, "condition": "damaged"}]
    request = returns.ReturnRequest.model_validate({"lines": rows, "mode": "immediate", "location_id": "lyon"})
    ret = returns.request_return(order, request, world.settings, by="ann")
    assert ret.status == "received"
    assert world.commit(order) == ["return.requested", "return.approved", "return.received"]
    world.settle(order, ret)
    assert (ret.status, statuses.buckets(order).refunded, world.row("A", "lyon").on_hand) == ("settled", 2000, 0)
    assert [(r.condition, r.disposition, r.location_id) for r in ret.receipts] == [("damaged", "quarantine", "lyon")]
