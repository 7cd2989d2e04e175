"""Capture: priced, reserved at concrete places, authorized; or declined with everything given back."""

from __future__ import annotations

import pytest

from oms.clock import later
from oms.errors import Conflict, InProgress, Invalid
from oms.orders import capture, statuses
from oms.orders.order import Order, StockChange
from oms.payments import ledger
from oms.payments.tender_request import read_tender
from tests.support.orders import a_card, a_group, a_line, an_order, paid
from tests.unit.memory import GATEWAYS, NOW, World


def again(world: World, order: Order, token: str, amount: int) -> None:
    """Another card on a declined order."""
    capture.retry_declined(order, read_tender(a_card(amount, token)), world.rows, world.settings, GATEWAYS, "me")
    world.commit(order)
    capture.conclude_capture(order, capture.authorize(order, GATEWAYS))
    world.commit(order)


def test_an_order_is_taken_before_any_gateway_is_asked() -> None:
    order = World().take(an_order())
    assert order.summary.status == "received"
    assert order.stock == [StockChange("A", "berlin", reserve=2)]
    assert [claim.key for claim in order.claims] == ["number#web#W-1001"]
    assert order.summary.lease is not None
    assert order.summary.lease.until == later(NOW, seconds=25)
    assert ledger.fold(next(iter(order.payments.values()))).pending_authorization == 2000
    assert order.facts == []


def test_a_captured_order_is_open_reserved_and_authorized() -> None:
    world = World()
    order = world.take(an_order())
    world.commit(order)
    capture.conclude_capture(order, capture.authorize(order, GATEWAYS))
    assert world.commit(order) == ["payment.authorized", "order.captured"]
    assert (order.summary.status, order.summary.answer, order.summary.lease) == ("open", 201, None)
    assert statuses.payment_status(order) == "authorized"
    assert order.summary.lines["1"].pins == {"berlin": 2}


def test_the_gateway_never_gets_the_token_twice() -> None:
    order = World().place(an_order())
    assert [payment.token for payment in order.payments.values()] == [None]


def test_a_left_order_is_received_and_captured_later() -> None:
    world = World()
    order = world.take(an_order(), later_on=True)
    assert (order.summary.lease, order.summary.answer) == (None, 202)
    assert world.commit(order) == ["order.received"]
    assert capture.take_lease(order, "an execution")
    capture.conclude_capture(order, capture.authorize(order, GATEWAYS))
    assert (order.summary.status, order.summary.answer) == ("open", 202)


def test_a_free_order_needs_no_payment() -> None:
    order = World().place(an_order(a_line(unit_price=0)))
    assert (order.summary.status, order.payments, statuses.payment_status(order)) == ("open", {}, "none")


def test_a_decline_gives_everything_back() -> None:
    world = World()
    order = world.take(an_order(token="tok_decline"))
    world.commit(order)
    capture.conclude_capture(order, capture.authorize(order, GATEWAYS))
    assert [(claim.key, claim.release) for claim in order.claims] == [("number#web#W-1001", True)]
    assert world.commit(order) == ["payment.declined", "order.declined"]
    assert (order.summary.status, order.summary.answer, statuses.payment_status(order)) == ("declined", 402, "failed")
    assert (world.row("A").reserved, order.summary.lines["1"].pins) == (0, {})


def test_the_second_card_declined_gives_the_first_authorization_back() -> None:
    order = World().place(paid(an_order(), "tok_approve", "tok_decline"))
    sums = statuses.buckets(order)
    assert (order.summary.status, sums.authorized, sums.voided, sums.failed) == ("declined", 1000, 1000, 1000)
    assert statuses.open_authorization(order) == 0


def test_a_card_that_was_never_asked_does_not_stay_open() -> None:
    order = World().place(paid(an_order(), "tok_decline", "tok_approve"))
    sums = statuses.buckets(order)
    assert (sums.authorized, sums.pending_authorization, statuses.payment_status(order)) == (0, 0, "failed")


def test_another_card_on_a_declined_order() -> None:
    world = World()
    order = world.place(an_order(token="tok_decline"))
    again(world, order, "tok_approve", 2000)
    assert (order.summary.status, statuses.payment_status(order)) == ("open", "authorized")
    assert order.summary.lines["1"].pins == {"berlin": 2}
    assert world.row("A").reserved == 2


def test_another_card_authorizes_the_total_once_whatever_cards_were_not_asked_before() -> None:
    world = World()
    order = world.place(paid(an_order(), "tok_decline", "tok_approve"))
    again(world, order, "tok_approve", 2000)
    assert statuses.open_authorization(order) == 2000


def test_another_card_may_be_declined_as_well() -> None:
    world = World()
    order = world.place(an_order(token="tok_decline"))
    again(world, order, "tok_decline", 2000)
    assert (order.summary.status, order.summary.answer, world.row("A").reserved) == ("declined", 402, 0)
    assert len(order.payments) == 2


def test_another_card_covers_the_whole_order_and_only_a_declined_one() -> None:
    world = World()
    order = world.place(an_order(token="tok_decline"))
    with pytest.raises(Invalid, match="the tender is 1999 and the order's grand total 2000"):
        again(world, order, "tok_approve", 1999)
    with pytest.raises(Conflict, match="is open, not declined"):
        again(world, world.place(an_order()), "tok_approve", 2000)


@pytest.mark.parametrize(
    ("payments", "words"),
    [
        ([], "the payments add up to 0 and the grand total is 2000"),
        ([a_card(1999)], "the payments add up to 1999 and the grand total is 2000"),
        ([a_card(2000) | {"gateway": "acme"}], "there is no payment gateway 'acme'"),
    ],
)
def test_payments_cover_the_grand_total_at_known_gateways(payments: list[dict[str, object]], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        World().take(an_order(payments=payments))


def test_the_lease_keeps_the_two_doors_apart() -> None:
    order = World().take(an_order())
    with pytest.raises(InProgress):
        capture.take_lease(order, "somebody else")
    assert capture.take_lease(order, "me")
    order.now = later(NOW, seconds=26)
    assert capture.take_lease(order, "somebody else")


def test_a_captured_order_has_no_lease_to_take() -> None:
    assert capture.take_lease(World().place(an_order()), "an execution") is False


def test_capturing_again_changes_nothing() -> None:
    order = World().place(an_order())
    assert capture.authorize(order, GATEWAYS) == []
    capture.conclude_capture(order, [])
    assert (order.facts, order.summary.status) == ([], "open")


@pytest.mark.parametrize(
    ("wanted", "backorder", "pins", "backordered"),
    [
        pytest.param(2, "refuse", {"berlin": 2}, 0, id="E11-all"),
        pytest.param(3, "allow", {"berlin": 2}, 1, id="E11-backorder"),
        pytest.param(1, "allow", {"berlin": 1}, 0, id="E11-some"),
    ],
)
def test_what_is_there_is_reserved(wanted: int, backorder: str, pins: dict[str, int], backordered: int) -> None:
    world = World({"A": {"berlin": 2}})
    order = world.place(an_order(a_line(quantity=wanted, backorder=backorder)))
    state = order.summary.lines["1"]
    assert (state.pins, state.backordered, world.row("A").reserved) == (pins, backordered, sum(pins.values()))


def test_on_hand_and_backordered_are_told_apart_e22() -> None:
    order = World({"A": {"berlin": 4}}).place(an_order(a_line(quantity=9, backorder="allow")))
    assert (order.summary.lines["1"].pins, order.summary.lines["1"].backordered) == ({"berlin": 4}, 5)


@pytest.mark.parametrize(
    ("add", "sold"),
    [pytest.param(19, True, id="E07-below"), pytest.param(20, True, id="E07-exactly"), pytest.param(21, False, id="E07-above")],
)
def test_a_sale_takes_no_more_than_is_free(add: int, sold: bool) -> None:
    world = World({"A": {"berlin": 100}})
    world.place(an_order(a_line(quantity=80)))
    if sold:
        world.place(an_order(a_line(quantity=add)))
    else:
        with pytest.raises(Conflict, match="/lines/0/quantity: 1 of 21 A are not in stock"):
            world.take(an_order(a_line(quantity=add)))
    assert world.row("A").reserved == 80 + (add if sold else 0)


def test_two_lines_on_one_stock_respect_it_together_e07b() -> None:
    world = World({"A": {"berlin": 100}})
    world.place(an_order(a_line("1", quantity=40), a_line("2", quantity=40)))
    with pytest.raises(Conflict, match="9 of 20 A"):
        world.take(an_order(a_line("1", quantity=9), a_line("2", quantity=20)))
    assert world.row("A").reserved == 80


def test_two_groups_on_one_stock_respect_it_together() -> None:
    lines = [a_line("1", quantity=2), a_line("2", quantity=2, delivery_group="g2")]
    body = an_order(*lines, delivery_groups=[a_group(), a_group("g2")])
    World({"A": {"berlin": 4}}).place(body)
    with pytest.raises(Conflict, match="/lines/1/quantity: 1 of 2 A"):
        World({"A": {"berlin": 3}}).take(body)


def test_every_short_line_is_named() -> None:
    with pytest.raises(Conflict) as caught:
        World({"A": {"berlin": 1}}).take(an_order(a_line(), a_line("2", "B", 1), a_line("3", "A", 1)))
    assert [fault.pointer for fault in caught.value.errors] == ["/lines/0/quantity", "/lines/1/quantity", "/lines/2/quantity"]


def test_a_hold_ordered_at_capture_is_there_from_the_start_and_money_is_still_taken() -> None:
    order = World().place(an_order(holds=[{"kind": "fraud", "reason": "check", "blocks": ["allocate"]}]))
    assert (order.summary.status, statuses.payment_status(order)) == ("on_hold", "authorized")


def test_a_declined_order_puts_the_stock_back_e19() -> None:
    world = World({"green": {"berlin": 5}, "red": {"berlin": 5}})
    world.place(an_order(a_line("1", "green", 3), a_line("2", "red", 2), token="tok_decline"))
    assert [(world.row(sku).on_hand, world.row(sku).reserved) for sku in ("green", "red")] == [(5, 0), (5, 0)]


def test_a_reservation_holds_stock_that_is_still_on_hand_e19() -> None:
    world = World({"green": {"berlin": 5}})
    world.place(an_order(a_line("1", "green", 3)))
    assert (world.row("green").on_hand, world.row("green").reserved) == (5, 3)
