"""Refund, store credit and replacement, mixed in one return."""

from __future__ import annotations

from typing import Any

import pytest

from oms.errors import Conflict, Invalid
from oms.fulfillment.arrivals import arrive
from oms.orders import statuses
from oms.orders.order import Order
from oms.orders.quantities import available_to_return, broken_laws
from oms.returns import returns
from oms.returns.records import Return
from oms.returns.replacing import NoReplacement, refund_instead
from oms.returns.states import returnable
from oms.service import claims
from tests.support.orders import a_line, an_order
from tests.unit.memory import NOW, World, receive


def back(resolutions: dict[str, str], *, on_hand: int = 9, quantity: int = 2) -> tuple[World, Order, Return]:
    """Lines 1 (A) and 2 (B) of two units each are delivered; one unit of each named line is here again."""
    world = World({"A": {"berlin": on_hand}, "B": {"berlin": 9}})
    order = world.delivered(an_order(a_line("1", "A", quantity, 1000), a_line("2", "B", 2, 500)))
    rows = [{"line_id": line_id, "quantity": 1, "resolution": resolution} for line_id, resolution in resolutions.items()]
    ret = returns.request_return(order, returns.ReturnRequest.model_validate({"lines": rows}), world.settings)
    returns.approve(order, ret)
    for line_id in resolutions:
        receive(order, world, ret, line_id, 1)
    return world, order, ret


def laws(order: Order) -> list[Any]:
    return [broken_laws(state) for state in order.summary.lines.values() if broken_laws(state)]


def test_each_kind_of_payout_has_a_memo_of_its_own_refunds_first() -> None:
    world, order, ret = back({"1": "store_credit", "2": "refund"})
    world.settle(order, ret)
    memos = [(memo.id.rpartition("_")[2], memo.into, memo.total_amount) for memo in order.credit_memos.values()]
    assert memos == [("0", None, 500), ("1", "store_credit", 1000)]
    assert (ret.status, order.summary.lines["1"].returned, order.summary.lines["2"].returned) == ("settled", 1, 1)
    assert laws(order) == []


def test_a_replaced_unit_does_not_count_as_returned_and_is_sent_again_for_nothing() -> None:
    world, order, ret = back({"1": "replace"})
    world.settle(order, ret)
    state = order.summary.lines["1"]
    assert (ret.status, state.return_initiated, state.returned, state.reshipped) == ("settled", 0, 0, 1)
    assert (order.credit_memos, statuses.totals(order).grand_total) == ({}, 3000)
    (work,) = [fo for fo in order.fulfillment_orders.values() if fo.replaces]
    assert (work.replaces, work.lines["1"].units) == (ret.id, [[1, 1]])
    assert (world.row("A").on_hand, world.row("A").reserved) == (8, 1), "the old one is on the shelf, the new one reserved"
    assert order.summary.status == "open", "until the replacement has come"
    assert laws(order) == []


def test_a_unit_that_is_replaced_can_come_back_again_when_its_replacement_has_come() -> None:
    world, order, ret = back({"1": "replace"})
    world.settle(order, ret)
    free = [line for line, _ in order.lines() if line.id == "1"]
    assert returnable(order, free[0], world.settings) == [[2, 2]], "nobody has unit 1"
    (work,) = [fo for fo in order.fulfillment_orders.values() if fo.replaces]
    world.ship(order, work, {"1": 1})
    arrive(order, order.shipments_of(work.id), NOW)
    world.commit(order)
    assert returnable(order, free[0], world.settings) == [[1, 2]]
    assert order.summary.status == "completed"
    again = returns.request_return(
        order, returns.ReturnRequest.model_validate({"lines": [{"line_id": "1", "quantity": 1}]}), world.settings
    )
    returns.approve(order, again)
    receive(order, world, again, "1", 1)
    world.settle(order, again)
    assert (statuses.buckets(order).refunded, order.summary.lines["1"].returned) == (1000, 1)
    assert available_to_return(order.summary.lines["1"], True) == 1
    assert laws(order) == []


def test_what_has_not_come_is_not_replaced_c18() -> None:
    world = World()
    order = world.delivered(an_order(a_line(quantity=1)))
    rows = [{"line_id": "1", "quantity": 1, "resolution": "replace"}]
    ret = returns.request_return(order, returns.ReturnRequest.model_validate({"lines": rows}), world.settings)
    returns.approve(order, ret)
    world.settle(order, ret)
    assert (ret.status, order.summary.lines["1"].reshipped, len(order.fulfillment_orders)) == ("approved", 0, 1)


def test_a_unit_that_a_claim_has_paid_back_is_not_the_one_that_comes_back() -> None:
    world = World()
    order = world.delivered(an_order(a_line(quantity=2)))
    (parcel,) = order.shipments
    body = {"shipment_id": parcel, "kind": "damaged", "remedy": "refund", "lines": [{"line_id": "1", "quantity": 1}]}
    claims.claim(order, claims.ShipmentClaim.model_validate(body), lambda *_: [], world.settings, "client:ann")
    rows = [{"line_id": "1", "quantity": 1}]
    ret = returns.request_return(order, returns.ReturnRequest.model_validate({"lines": rows}), world.settings)
    assert ret.lines[0].units == [[2, 2]]
    with pytest.raises(Conflict, match="1 asked, 0 can be returned"):
        returns.request_return(order, returns.ReturnRequest.model_validate({"lines": rows}), world.settings)


def test_without_stock_nothing_is_replaced_until_there_is_some() -> None:
    world, order, ret = back({"1": "replace"}, on_hand=2)
    with pytest.raises(NoReplacement, match="A"):
        world.settle(order, ret)


def test_it_is_refunded_instead_when_somebody_says_so() -> None:
    world, order, ret = back({"1": "replace", "2": "store_credit"})
    refund_instead(order, ret)
    world.settle(order, ret)
    assert [(memo.into, memo.total_amount) for memo in order.credit_memos.values()] == [(None, 1000), ("store_credit", 500)]
    assert (order.summary.lines["1"].reshipped, ret.status) == (0, "settled")


def test_of_a_line_that_is_half_replaced_only_the_rest_is_refunded() -> None:
    world = World()
    order = world.delivered(an_order(a_line(quantity=3)))
    rows = [{"line_id": "1", "quantity": 3, "resolution": "replace"}]
    ret = returns.request_return(order, returns.ReturnRequest.model_validate({"lines": rows}), world.settings)
    returns.approve(order, ret)
    receive(order, world, ret, "1", 1)
    world.settle(order, ret)
    refund_instead(order, ret)
    receive(order, world, ret, "1", 2)
    world.settle(order, ret)
    state = order.summary.lines["1"]
    assert (state.reshipped, state.returned, state.return_initiated, ret.status) == (1, 2, 2, "settled")
    assert [row["units"] for memo in order.credit_memos.values() for row in memo.lines] == [[[2, 3]]]
    assert laws(order) == []


def mixed(*rows: tuple[str, int], on_hand: int = 9, mode: str = "rma", **said: Any) -> tuple[World, Order, Return]:
    """Three units of one line are delivered; so many of them come back for each resolution, in one return."""
    world = World({"A": {"berlin": on_hand}})
    order = world.delivered(an_order(a_line("1", "A", 3, 1000)))
    lines = [{"line_id": "1", "quantity": quantity, "resolution": resolution, **said} for resolution, quantity in rows]
    ret = returns.request_return(order, returns.ReturnRequest.model_validate({"lines": lines, "mode": mode}), world.settings)
    if mode == "rma":
        returns.approve(order, ret)
    world.commit(order)
    return world, order, ret


def test_one_line_may_be_refunded_and_replaced_in_one_return() -> None:
    world, order, ret = mixed(("refund", 1), ("replace", 1), ("store_credit", 1))
    assert [(row.resolution, row.units) for row in ret.lines] == [("refund", [[1, 1]]), ("replace", [[2, 2]]), ("store_credit", [[3, 3]])]
    receive(order, world, ret, "1", 3)
    world.settle(order, ret)
    state = order.summary.lines["1"]
    assert (ret.status, state.returned, state.return_initiated, state.reshipped) == ("settled", 2, 2, 1)
    assert [(memo.into, memo.total_amount) for memo in order.credit_memos.values()] == [(None, 1000), ("store_credit", 1000)]
    (work,) = [fo for fo in order.fulfillment_orders.values() if fo.replaces]
    assert work.lines["1"].units == [[2, 2]]
    assert (world.row("A").on_hand, world.row("A").reserved) == (9, 1), "nine were there, three left, three are back on the shelf"
    assert [(receipt.quantity, receipt.settled) for receipt in ret.receipts] == [(1, True), (1, True), (1, True)]
    assert laws(order) == []


def test_what_is_settled_of_a_box_is_back_on_the_shelf_though_the_rest_waits_for_stock() -> None:
    world, order, ret = mixed(("refund", 1), ("replace", 2), on_hand=3)
    receive(order, world, ret, "1", 3)
    memo = returns.credit(order, ret)
    assert memo
    world.move(order, "refund", memo.id, memo.total_amount)
    returns.settle(order, ret, memo)
    world.commit(order)
    assert (world.row("A").on_hand, [(r.quantity, r.settled) for r in ret.receipts]) == (1, [(1, True), (2, False)])
    with pytest.raises(NoReplacement):
        world.settle(order, ret)


def test_boxes_go_to_the_rows_in_the_order_they_were_named() -> None:
    world, order, ret = mixed(("replace", 1), ("refund", 2))
    receive(order, world, ret, "1", 2, "damaged")
    world.settle(order, ret)
    assert [(row.resolution, row.received, row.settled) for row in ret.lines] == [("replace", 1, 1), ("refund", 2 - 1, 1)]
    receive(order, world, ret, "1", 1)
    world.settle(order, ret)
    assert (ret.status, order.summary.lines["1"].returned, world.row("A").on_hand) == ("settled", 2, 7)
    assert all(receipt.settled for receipt in ret.receipts)


def test_goods_handed_over_may_be_refunded_and_replaced() -> None:
    world, order, ret = mixed(("refund", 1), ("replace", 1), mode="immediate", condition="damaged")
    assert [(row.resolution, row.received) for row in ret.lines] == [("refund", 1), ("replace", 1)]
    world.settle(order, ret)
    assert (ret.status, world.row("A").on_hand) == ("settled", 6)


def test_a_line_is_named_once_for_each_resolution_and_never_for_more_than_there_is() -> None:
    with pytest.raises(Invalid) as twice:
        mixed(("refund", 1), ("refund", 1))
    assert [fault.pointer for fault in twice.value.errors] == ["/lines/1/line_id"]
    with pytest.raises(Conflict) as over:
        mixed(("refund", 2), ("replace", 2))
    assert [(fault.detail, fault.pointer) for fault in over.value.errors] == [("2 asked, 1 can be returned", "/lines/1/quantity")]


def test_a_whole_bundle_is_refunded_and_replaced_with_its_parts() -> None:
    world = World()
    set_, part = a_line("1", "A", 2, 3000, bundle_policy="whole"), a_line("2", "B", 4, 0, bundle_of="1")
    order = world.delivered(an_order(set_, part))
    lines = [{"line_id": "1", "quantity": 1, "resolution": resolution} for resolution in ("refund", "replace")]
    ret = returns.request_return(order, returns.ReturnRequest.model_validate({"lines": lines}), world.settings)
    assert [(row.line_id, row.quantity, row.resolution) for row in ret.lines] == [
        ("1", 1, "refund"),
        ("1", 1, "replace"),
        ("2", 2, "refund"),
        ("2", 2, "replace"),
    ]
