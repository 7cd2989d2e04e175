"""Returns: what may come back, what is paid for it, where it goes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from oms.errors import Conflict, Invalid, NotFound
from oms.orders import statuses
from oms.orders.order import Order
from oms.returns import returns
from oms.returns.records import Return
from oms.settings import Settings
from tests.support.orders import a_line, an_order
from tests.unit.memory import World, announce, receive


def returned(world: World, order: Order, line_id: str, quantity: int, condition: str = "resellable") -> Return:
    """Requested, approved, received, settled."""
    ret = announce(order, world, {line_id: quantity})
    returns.approve(order, ret)
    receive(order, world, ret, line_id, quantity, condition)
    world.settle(order, ret)
    return ret


def approved(quantity: int = 2, **more: bool) -> tuple[World, Order, Return]:
    world = World()
    order = world.delivered(an_order(a_line(quantity=quantity), charge=600))
    ret = announce(order, world, {"1": quantity}, **more)
    returns.approve(order, ret)
    return world, order, ret


def test_units_in_open_returns_count_against_a_new_one_c15() -> None:
    world = World()
    order = world.delivered(an_order(a_line(quantity=1)))
    announce(order, world, {"1": 1})
    with pytest.raises(Conflict, match="1 asked, 0 can be returned"):
        announce(order, world, {"1": 1})


@pytest.mark.parametrize("end", [returns.cancel, returns.expire, lambda order, ret: returns.reject(order, ret, "worn")])
def test_a_return_that_comes_to_nothing_frees_its_units_c15(end: Callable[[Order, Return], None]) -> None:
    world = World()
    order = world.delivered(an_order(a_line(quantity=1)))
    end(order, announce(order, world, {"1": 1}))
    assert order.summary.lines["1"].return_initiated == 0
    assert announce(order, world, {"1": 1}).lines[0].units == [[1, 1]]


def test_no_more_can_come_back_than_was_sent_c15() -> None:
    world = World()
    order = world.delivered(an_order(a_line(quantity=1)))
    with pytest.raises(Conflict, match="99 asked, 1 can be returned"):
        announce(order, world, {"1": 99})


def test_goods_on_the_way_can_be_returned_only_where_nobody_confirms_delivery() -> None:
    for confirmation, possible in (("carrier", False), ("none", True)):
        world = World(confirmation=confirmation)
        order, fo = world.allocated(an_order())
        world.ship(order, fo, {"1": 2})
        if possible:
            announce(order, world, {"1": 2})
        else:
            with pytest.raises(Conflict, match="2 asked, 0 can be returned"):
                announce(order, world, {"1": 2})


def test_every_fault_of_a_request_is_named() -> None:
    world = World()
    order = world.delivered(an_order())
    rows = [{"line_id": "1", "quantity": 1}, {"line_id": "1", "quantity": 1}, {"line_id": "9", "quantity": 1}]
    with pytest.raises(Invalid) as caught:
        returns.request_return(order, returns.ReturnRequest.model_validate({"lines": rows}), world.settings)
    assert [fault.pointer for fault in caught.value.errors] == ["/lines/1/line_id", "/lines/2/line_id"]


@pytest.mark.parametrize(
    ("condition", "disposition", "change"),
    [
        pytest.param("resellable", None, 1, id="C17-resellable"),
        pytest.param("damaged", None, 0, id="C17-damaged"),
        pytest.param("resellable", "quarantine", 0, id="decided-otherwise"),
        pytest.param("damaged", "restock", 1, id="repaired"),
    ],
)
def test_what_goes_back_on_the_shelf(condition: str, disposition: str | None, change: int) -> None:
    world, order, ret = approved(1)
    before = world.row("A").on_hand
    receive(order, world, ret, "1", 1, condition, disposition=disposition)
    assert ret.lines[0].received == 1
    assert world.row("A").on_hand == before
    world.settle(order, ret)
    assert (world.row("A").on_hand - before, order.summary.lines["1"].returned) == (change, 1)


def test_a_wrong_item_is_noted_and_pays_nothing() -> None:
    world, order, ret = approved()
    receive(order, world, ret, "1", 1, "wrong_item", note="a brick")
    assert (ret.status, ret.lines[0].received, returns.unsettled(ret)) == ("approved", 0, {})
    assert world.settle(order, ret) is None
    assert [receipt.note for receipt in ret.receipts] == ["a brick"]


ALLOWED = {
    "approve": {"requested"},
    "reject": {"requested"},
    "cancel": {"requested", "approved", "in_transit"},
    "receive": {"approved", "in_transit", "partially_received"},
    "close": {"approved", "in_transit", "partially_received"},
}
STATUSES = ["requested", "approved", "rejected", "in_transit", "partially_received", "received", "settled", "cancelled", "expired"]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("action", ALLOWED)
def test_an_action_is_possible_in_its_statuses_only_c18(action: str, status: str) -> None:
    world, order, ret = approved()
    acts: dict[str, Callable[[], None]] = {
        "approve": lambda: returns.approve(order, ret),
        "reject": lambda: returns.reject(order, ret, None),
        "cancel": lambda: returns.cancel(order, ret),
        "receive": lambda: receive(order, world, ret, "1", 2),
        "close": lambda: returns.close(order, ret),
    }
    ret.status = status
    if status in ALLOWED[action]:
        acts[action]()
        assert ret.status != status
    else:
        with pytest.raises(Conflict, match=f"is {status}; {action} is possible when it is "):
            acts[action]()
        assert ret.status == status


def test_an_approved_return_pays_nothing_before_the_goods_are_here_c18() -> None:
    world, order, ret = approved()
    assert world.settle(order, ret) is None
    assert statuses.buckets(order).refunded == 0


def test_a_box_holds_lines_of_the_order_and_is_at_a_location() -> None:
    world, order, ret = approved()
    with pytest.raises(Invalid, match="the order has no line '9'"):
        receive(order, world, ret, "9", 1)
    request = returns.ReceiveRequest.model_validate({"lines": [{"line_id": "1", "quantity": 1}], "location_id": "atlantis"})
    with pytest.raises(Invalid, match="no location 'atlantis'"):
        returns.receive(order, ret, request, Settings())
    assert ret.lines[0].received == 0


def test_goods_may_come_in_several_boxes() -> None:
    world, order, ret = approved(3)
    receive(order, world, ret, "1", 1)
    assert ret.status == "partially_received"
    first = world.settle(order, ret)
    receive(order, world, ret, "1", 2)
    assert ret.status == "received"
    second = world.settle(order, ret)
    assert first is not None
    assert second is not None
    assert first.id != second.id
    assert [row["units"] for memo in (first, second) for row in memo.lines] == [[[1, 1]], [[2, 3]]]
    assert (ret.status, order.summary.lines["1"].returned) == ("settled", 3)


def test_what_does_not_come_any_more_is_free_again() -> None:
    world, order, ret = approved(3)
    receive(order, world, ret, "1", 1)
    returns.close(order, ret)
    assert (ret.status, order.summary.lines["1"].return_initiated) == ("received", 1)
    world.settle(order, ret)
    assert ret.status == "settled"
    assert announce(order, world, {"1": 2}).lines[0].units == [[2, 3]]


@pytest.mark.parametrize(
    ("received", "settled", "status"), [(False, False, "cancelled"), (True, False, "received"), (True, True, "settled")]
)
def test_closing_ends_where_the_goods_stand(received: bool, settled: bool, status: str) -> None:
    world, order, ret = approved()
    if received:
        receive(order, world, ret, "1", 1)
    if settled:
        world.settle(order, ret)
    returns.close(order, ret)
    assert ret.status == status


def test_the_second_half_of_an_order_discount_comes_back_with_the_second_line_c04() -> None:
    world = World()
    order = world.delivered(an_order(a_line("1", "A", 1, 600), a_line("2", "B", 1, 400), off=-100))
    assert statuses.buckets(order).captured == 900
    for line_id in ("1", "2"):
        returned(world, order, line_id, 1)
    assert [memo.total_amount for memo in order.credit_memos.values()] == [540, 360]
    assert (statuses.buckets(order).refunded, statuses.payment_status(order)) == (900, "refunded")


def test_figures_after_returning_both_units_in_turn_c19() -> None:
    world = World()
    order = world.delivered(an_order(a_line("1", "A", 2, 5000, "10", own=-2000), tax_mode="net"))
    assert statuses.buckets(order).captured == 8800
    returned(world, order, "1", 1)
    assert (statuses.buckets(order).refunded, statuses.line_share(order, "1").total) == (4400, 4400)
    returned(world, order, "1", 1, "damaged")
    assert (statuses.buckets(order).refundable, statuses.totals(order).grand_total) == (0, 0)


@pytest.mark.parametrize(("reduce_shipping", "refund"), [(False, 2000), (True, 2600)])
def test_the_delivery_charge_goes_back_only_when_asked(reduce_shipping: bool, refund: int) -> None:
    world, order, ret = approved(2, reduce_shipping=reduce_shipping)
    receive(order, world, ret, "1", 2)
    memo = world.settle(order, ret)
    assert memo is not None
    assert (memo.total_amount, statuses.totals(order).grand_total) == (refund, 2600 - refund)
    assert (statuses.money_owed(order), order.summary.status) == ("none", "completed")


def test_a_settlement_covers_what_had_arrived_when_it_began() -> None:
    world, order, ret = approved(3)
    receive(order, world, ret, "1", 1)
    memo = returns.credit(order, ret)
    receive(order, world, ret, "1", 2)
    assert memo is not None
    assert returns.credit(order, ret) == memo
    world.move(order, "refund", memo.id, memo.total_amount)
    returns.settle(order, ret, memo)
    world.commit(order)
    assert (order.summary.lines["1"].returned, ret.lines[0].settled, world.row("A").on_hand) == (1, 1, 98)
    assert (ret.status, returns.unsettled(ret)) == ("received", {"1": [[2, 3]]})
    world.settle(order, ret)
    assert (ret.status, statuses.buckets(order).refunded, world.row("A").on_hand) == ("settled", 3000, 100)


def test_an_unknown_return_is_not_found() -> None:
    with pytest.raises(NotFound, match="no return 'ret_x'"):
        returns.find(World().place(an_order()), "ret_x")
