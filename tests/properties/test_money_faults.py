"""Each failure of a gateway at each of its calls in one order's life, one by one: the laws hold, and it comes to its end as if nothing had
happened. (tests/properties/test_money_life.py mixes them at random.)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from oms.fulfillment import arrivals, work
from oms.fulfillment.requests import PackageLine, RejectRequest
from oms.orders.order import Order
from oms.orders.statuses import buckets
from oms.payments.clock import watch_authorizations
from oms.payments.gateway import Kind
from oms.returns import returns
from oms.service import cancellations
from oms.storage.settings import settings
from tests.properties.test_money_life import Life
from tests.support.bank import TROUBLES
from tests.support.orders import a_card, a_line, an_order

CALLS: tuple[Kind, ...] = ("authorization", "authorization", "void", "capture", "capture", "capture", "refund", "refund")
"""What the bank is asked for in a life without trouble: two cards, a unit given up, two parcels, both units of a line back."""
CARDS = (1500, 5500)


@pytest.fixture
def life() -> Iterator[Life]:
    found = Life()
    yield found
    if found._context:
        found._context.__exit__(None, None, None)


def live(life: Life, troubles: list[str]) -> Order:
    """From capture to the return, whatever the bank does, and then to the end."""
    body = an_order(a_line("1", "A", 2, 3000), a_line("2", "B", 1, 1000), payments=[a_card(amount) for amount in CARDS])
    life.place(body=body, stock=0, voids_parts=True, later_on=True, cancels=True, asks=False, troubles=troubles, far=False)
    shop = life.shop
    finish_what_is_open(life)
    for _ in range(3):
        for fo in [fo for fo in life._open_work() if fo.lines.get("2") and fo.lines["2"].open]:
            rows = [PackageLine(line_id="2", quantity=1)]
            life._act(
                lambda order, fo=fo, rows=rows: work.reject(
                    order, order.fulfillment_order(fo.id), RejectRequest(lines=rows, reason="not found")
                )
            )
        finish_what_is_open(life)
    for _ in range(2):
        for fo in life._open_work()[:1]:
            life._send(fo.id, {"1": 1})
        finish_what_is_open(life)
    shop.change(lambda order: arrivals.arrive(order, [each for each in order.shipments.values() if not each.delivered_at], order.now))
    if life._open_work() or shop.order().summary.status == "declined":
        return shop.order()
    shop.change(come_back)
    finish_what_is_open(life)
    return shop.order()


def come_back(order: Order) -> None:
    """Both units of line 1."""
    lines = {"lines": [{"line_id": "1", "quantity": 2}]}
    ret = returns.request_return(order, returns.ReturnRequest.model_validate(lines), settings())
    returns.approve(order, ret)
    returns.receive(order, ret, returns.ReceiveRequest.model_validate(lines), settings())


def finish_what_is_open(life: Life) -> None:
    """The machines run; what stops them is decided by somebody who looks at the bank's book, and its news come in twice."""
    for _ in range(4):
        life.shop.run()
        life.shop.hear_all()
        life.shop.hear_all()
        for problem in life._open_problems():
            if problem.cause.startswith("Retryable"):
                life.shop.pass_time(hours=25)
            choices = life._choices(problem)
            # What the gateway will never know of has to be said in the end; a retry alone would ask for ever.
            life._decide(problem.id, choices[-1 if problem.cause.startswith("Unsure") else 0])
        life.laws_hold()


def test_a_life_without_trouble_asks_for_each_thing_once(life: Life) -> None:
    order = live(life, [])
    asked = [entry.what.kind for entry in life.shop.bank.history]
    assert tuple(asked) == CALLS
    life.end_well()
    sums = buckets(life.shop.order())
    assert (sums.authorized, sums.captured, sums.refunded, sums.voided) == (7000, 6000, 6000, 1000)
    assert order.summary.lines["2"].cancelled == 1


COMPENSATION: tuple[Kind, ...] = ("authorization", "authorization", "void", "refund")
"""Of an order whose second card is declined: the first gives its authorization back, and money captured elsewhere goes back."""


def declined(life: Life, troubles: list[str]) -> None:
    body = an_order(a_line("1", "A", 2, 3000))
    elsewhere = {"method": "card", "gateway": "sandbox", "amount": 1000, "capture": {"reference": "cap-2", "amount": 1000}}
    body["payments"] = [a_card(1500), a_card(3500, "tok_decline"), elsewhere]
    life.place(body=body, stock=0, voids_parts=True, later_on=True, cancels=True, asks=False, troubles=troubles, far=False)
    finish_what_is_open(life)


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["", *TROUBLES])
@pytest.mark.parametrize("call", range(len(COMPENSATION)))
def test_each_trouble_at_each_call_of_an_order_that_is_declined(life: Life, call: int, trouble: str) -> None:
    declined(life, [""] * call + [trouble])
    assert life.shop.bank.befell == ([(COMPENSATION[call], trouble)] if trouble else [])
    kept = COMPENSATION[call] if trouble == "decline" else ""
    if kept == "void":
        life.shop.pass_time(hours=170)  # nobody gives it back: it lapses
    life.end_well()
    order = life.shop.order()
    assert order.summary.status == "declined"
    moved = Counter(entry.what.kind for entry in life.shop.bank.history if entry.outcome.state == "succeeded")
    assert kept == "void" or moved["authorization"] == moved["void"]
    assert moved["refund"] == (kept != "refund")
    by_hand = [each.action for each in order.exceptions.values() if "could not be paid back" in each.cause]
    assert by_hand == (["recorded"] if kept == "refund" else [])
    assert buckets(order).refunded == 1000


@pytest.mark.slow
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("call", range(len(CALLS)))
def test_each_trouble_at_each_call(life: Life, call: int, trouble: str) -> None:
    live(life, [""] * call + [trouble])
    assert life.shop.bank.befell == [(CALLS[call], trouble)]
    life.end_well()
    order = life.shop.order()
    moved = Counter(entry.what.kind for entry in life.shop.bank.history if entry.outcome.state == "succeeded")
    if CALLS[call] == "authorization" and order.summary.status == "declined":
        assert moved["capture"] == moved["refund"] == 0
        assert moved["authorization"] == moved["void"]
        return
    sums = buckets(order)
    assert (sums.captured, sums.refunded) == (6000, 6000)


@pytest.mark.parametrize("write", range(1, 7))
def test_what_was_forgotten_while_another_card_was_asked_is_looked_up(life: Life, write: int) -> None:
    """The step that pays two cards back dies before one of its writes. Run again, it waits for the first card's answer until both keys are
    forgotten: each instruction goes by the time at which it is given, not by when its step began."""
    body = an_order(a_line("1", "A", 2, 3000), payments=[a_card(3000), a_card(3000)])
    life.place(body=body, stock=0, voids_parts=True, later_on=False, cancels=True, asks=False, troubles=[], far=True)
    shop = life.shop
    shop.change(come_back)
    shop.kill_at = (write, "before")
    while shop.kill_at and (ready := shop.ready()):
        shop.step(ready[0])
    shop.kill_at, shop.bank.troubles = None, ["lost for a day"]
    finish_what_is_open(life)
    life.end_well()
    assert Counter(entry.what.kind for entry in shop.bank.history) == {"authorization": 2, "capture": 2, "refund": 2}
    assert buckets(shop.order()).refunded == 6000


@pytest.mark.parametrize("cancelled", [False, True])
def test_an_authorization_that_nobody_needs_any_more_is_still_a_persons_to_decide(life: Life, cancelled: bool) -> None:
    """A card's authorization ran out; whether it was authorized once more, nobody knows, and that has to be said whatever comes of the
    work: otherwise the order would wait for the answer for ever, and nobody would be told."""
    body = an_order(a_line("1", "A", 2, 3000), payments=[a_card(6000)])
    life.place(body=body, stock=0, voids_parts=True, later_on=False, cancels=True, asks=False, troubles=[], far=False)
    shop = life.shop
    shop.pass_time(hours=170)
    shop.change(watch_authorizations)
    shop.bank.troubles = ["down for a day"]
    shop.run()
    if cancelled:
        request = cancellations.CancelRequest.model_validate({"all": True})
        life._act(lambda order: cancellations.cancel(order, request, settings(), "agent"))
        shop.run()
    (problem,) = life._open_problems()
    assert problem.cause.startswith("Unsure: authorization")
    life._decide(problem.id, "resolve:not_done")
    life.end_well()
    assert shop.order().summary.status == ("cancelled" if cancelled else "completed")


@pytest.mark.parametrize("action", ["not_done", "recorded"])
def test_whether_the_rest_of_an_authorization_was_given_back_can_be_said(life: Life, action: str) -> None:
    """The void is no part of the parcel that was captured before it, and is decided with it."""
    body = an_order(a_line("1", "A", 2, 3000), a_line("2", "B", 1, 1000), payments=[a_card(7000)])
    life.place(body=body, stock=0, voids_parts=False, later_on=False, cancels=True, asks=False, troubles=[], far=False)
    row = PackageLine(line_id="2", quantity=1)
    for _ in range(2):  # at both places
        fo = next(fo for fo in life._open_work() if "2" in fo.lines)
        request = RejectRequest(lines=[row], reason="not found")
        life._act(lambda order, fo=fo, request=request: work.reject(order, order.fulfillment_order(fo.id), request))
        life.shop.run()
    life.shop.bank.troubles = ["", "down for a day"]
    life.all_goes_well()
    assert life.shop.bank.befell == [("void", "down for a day")]
    (problem,) = life._open_problems()
    assert problem.cause.startswith("Unsure: void")
    life._decide(problem.id, f"resolve:{action}")
    life.shop.run()
    order = life.shop.order()
    assert (order.exceptions[problem.id].action, life._open_problems(), buckets(order).voided) == (action, [], 1000)
