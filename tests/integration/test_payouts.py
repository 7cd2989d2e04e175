"""Credit memos that go into something else than the tender: store credit, once, whatever dies on the way; and books that say so."""

from __future__ import annotations

from contextlib import suppress

import pytest

from oms.clock import stamp
from oms.flows.credit import found_account
from oms.flows.settle import settle_step
from oms.orders.layers import changed, each_unit, layers_of
from oms.orders.order import Order
from oms.payments.credit import CreditAccount
from oms.payments.payouts import account_for
from oms.service.changes import begin_change, go_on, measured
from oms.storage.orders import Cause, load, update
from tests.support.orders import a_card, a_line, an_order
from tests.support.world import JSON, Call, Killed, World


def owing(world: World, amount: int, number: str = "W-1", *, payments: list[JSON] | None = None) -> tuple[str, str]:
    """A delivered order of 40.00, of which a change takes something off, to be given back as store credit."""
    body = an_order(a_line("1", "A", 2, 2000), number=number, payments=payments or [a_card(4000)])
    order_id = str(world.delivered(body)["id"])

    def take_off(order: Order) -> None:
        change = begin_change(order, "goodwill", "client:t", reason="sorry")
        change.into = "store_credit"
        with measured(order, change):
            change.layers += layers_of(changed(order, each_unit("1", [[1, 2]]), -amount, "with_tax"), apart=True)
        go_on(order, change)

    order = update(order_id, take_off, Cause("client:t", "test"))
    return order_id, next(iter(order.changes))


def account_of(order_id: str) -> CreditAccount:
    return found_account(account_for(load(order_id)))


def test_it_opens_the_customers_account_and_counts_as_refunded(world: World) -> None:
    order_id, change_id = owing(world, 700)
    settle_step(order_id, change_id, "test")
    order, account = world.order(order_id), account_of(order_id)
    assert (account.kind, account.balance, account.customer_id, account.currency) == ("store_credit", 700, "c-1", "EUR")
    assert (order["payment"]["refunded"], order["payment"]["credited"], order["money_owed"]) == (700, 700, "none")
    assert [row["into"] for memo in load(order_id).credit_memos.values() for row in memo.refunds] == [account.id]
    assert world.gateway.moved("refund") == [], "no card is paid back"
    assert order["changes"][0]["status"] == "done"


def test_what_comes_next_goes_to_the_same_account(world: World) -> None:
    for number in ("W-1", "W-2"):
        order_id, change_id = owing(world, 700, number)
        settle_step(order_id, change_id, "test")
    assert (account_of(order_id).balance, account_of(order_id).entries) == (1400, 2)


@pytest.mark.parametrize("write", range(1, 6))
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_write_and_run_again_it_is_granted_once(world: World, write: int, when: str) -> None:
    order_id, change_id = owing(world, 1700, payments=[a_card(1000), a_card(3000)])
    seen: list[Call] = []

    def die(call: Call) -> None:
        seen.extend([call] if call.writes else [])
        if call.writes and len(seen) == write:
            raise Killed

    with world.wire.watched(**{when: die}), suppress(Killed):
        settle_step(order_id, change_id, "test")
    settle_step(order_id, change_id, "test")
    assert account_of(order_id).balance == 1700
    assert world.order(order_id)["payment"]["refunded"] == 1700


def test_the_books_say_that_it_is_owed_to_the_customer(world: World) -> None:
    order_id, change_id = owing(world, 700)
    settle_step(order_id, change_id, "test")
    world.pump()
    world.keep_books()
    rows = world.done("GET", "/v1/journal", query={"date": stamp()[:10]})["data"]
    sums: dict[str, int] = {}
    for row in rows:
        for line in row["lines"]:
            sums[line["account"]] = sums.get(line["account"], 0) + line["amount"]
    assert sum(sums.values()) == 0
    assert (sums["store_credit_liability"], sums["cash:sandbox"], sums["goodwill"]) == (-700, 4000, 700)
