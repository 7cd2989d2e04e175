"""Service and everybody else at the same moment: who commits second sees what the first has done; every unit and cent is told once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from oms.storage.orders import load
from tests.machines.engine import Engine
from tests.machines.test_races import held_up, reached
from tests.properties.money_laws import documents_are_worth_their_units, money_is_accounted_for, units_are_in_one_place
from tests.support.world import JSON, Call, World, order_body


@contextmanager
def meanwhile(world: World, act: Callable[[], object], *, writes: int = 1) -> Iterator[None]:
    """Before the n-th transaction of what runs within takes effect, others do `act`."""
    made: list[Call] = []

    def interrupt(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            made.append(call)
            if len(made) == writes:
                act()

    with world.wire.watched(before=interrupt):
        yield
    assert len(made) >= writes


def released(engine: Engine, body: JSON | None = None) -> JSON:
    """An order whose work its locations have."""
    order_id = engine.world.place(body or order_body())["id"]
    engine.settle()
    order: JSON = engine.world.order(order_id)
    return order


def fo_of(order: JSON) -> str:
    return str(order["fulfillment_orders"][0]["id"])


def lawful(engine: Engine, order_id: str) -> JSON:
    """The order, once all is at rest and its laws hold."""
    engine.settle()
    stored = load(order_id)
    for line_id in stored.summary.lines:
        units_are_in_one_place(stored, line_id)
    documents_are_worth_their_units(stored)
    money_is_accounted_for(stored)
    order: JSON = engine.world.order(order_id)
    return order


def cancel_two(world: World, order: JSON, *, customer: bool) -> Any:
    body = {"lines": [{"line_id": "1", "quantity": 2, "reason": "changed_mind"}]}
    if customer:
        token = str(order["tracking_page_url"]).rpartition("/")[2]
        return world.call("POST", f"/v1/track/{token}/cancellations", body)
    return world.call("POST", f"/v1/orders/{order['id']}/cancellations", body)


@pytest.mark.parametrize("customer_first", [True, False])
def test_agent_and_customer_cancel_the_same_two_units_while_the_warehouse_ships_one(engine: Engine, customer_first: bool) -> None:
    world = engine.world
    order = released(engine)
    inner: list[Any] = []

    def others() -> None:
        inner.append(cancel_two(world, order, customer=customer_first))
        world.ship(fo_of(order), {"1": 1}, "T1")

    with meanwhile(world, others):
        second = cancel_two(world, order, customer=not customer_first)
    assert inner[0].status == 200
    assert second.status == 409, "nothing is left that could be cancelled once more"
    shown = lawful(engine, order["id"])
    (change,) = shown["changes"]
    units = shown["lines"][0]["quantities"]
    assert (change["status"], units["shipped"], units["cancel_requested"]) == ("pending", 1, 1)
    answer = {"change_id": change["id"], "lines": [{"line_id": "1", "quantity": 1}]}
    world.done("POST", f"/v1/fulfillment-orders/{fo_of(order)}/cancel-response", answer)
    shown = lawful(engine, order["id"])
    assert (shown["changes"][0]["status"], shown["lines"][0]["quantities"]["cancelled"]) == ("partial", 1)
    world.ship(fo_of(order), {"2": 1}, "T2")
    shown = lawful(engine, order["id"])
    assert shown["payment"]["captured"] == shown["totals"]["grand_total"] == 3500 - 1200
    assert (shown["money_owed"], shown["payment"]["voided"]) == ("none", 1200)


@pytest.mark.parametrize("write", [1, 2])
def test_an_edit_while_allocate_is_at_work(engine: Engine, write: int) -> None:
    """Allocate has read the order; a unit less, and another line, are decided before it writes."""
    world = engine.world
    operations = [
        {"op": "set_quantity", "line_id": "1", "quantity": 1},
        {"op": "add_line", "line": {"id": "3", "sku": "B", "quantity": 1, "unit_price": 100, "delivery_group": "g1"}},
    ][:write]

    def allocates(call: Call) -> bool:
        return bool(engine.visits("Allocate")) and call.operation == "TransactWriteItems"

    with held_up(engine, allocates) as gate:
        order_id = world.place(order_body())["id"]
        reached(engine, gate)
        assert world.call("POST", f"/v1/orders/{order_id}/edits", {"operations": operations}).status == 200
        gate.opened.set()
        shown = lawful(engine, order_id)
    allocated = {line["id"]: line["quantities"]["allocated"] for line in shown["lines"]}
    assert allocated == {"1": 1, "2": 1, **({"3": 1} if write == 2 else {})}
    for number, fo in enumerate(world.order(order_id)["fulfillment_orders"]):
        world.ship(fo["id"], {row["line_id"]: row["quantity"] for row in fo["lines"] if row["quantity"]}, f"T{number}")
    shown = lawful(engine, order_id)
    assert shown["payment"]["captured"] == shown["totals"]["grand_total"] == 3500 - 1200 + (100 if write == 2 else 0)


@pytest.mark.parametrize("moment", range(3))
def test_a_cancellation_while_the_payment_is_being_captured(engine: Engine, moment: int) -> None:
    """Capture payment reads, notes its intent, and books; what has not left is asked back before each of the three."""
    world = engine.world
    order = released(engine)
    wanted = {"TransactWriteItems", "PutItem"} if moment else {"Query"}
    seen: list[int] = []

    def nth(call: Call) -> bool:
        if not engine.visits("Capture payment") or call.operation not in wanted:
            return False
        seen.append(1)
        return len(seen) >= max(moment, 1)

    with held_up(engine, nth) as gate:
        world.ship(fo_of(order), {"1": 1}, "T1")
        reached(engine, gate)
        body = {"lines": [{"line_id": "1", "quantity": 1, "reason": "late"}, {"line_id": "2", "quantity": 1, "reason": "late"}]}
        change = world.done("POST", f"/v1/orders/{order['id']}/cancellations", body)["change"]
        world.done(
            "POST",
            f"/v1/fulfillment-orders/{fo_of(order)}/cancel-response",
            {"change_id": change["id"], "lines": [{"line_id": "1", "quantity": 1}, {"line_id": "2", "quantity": 1}]},
        )
        gate.opened.set()
        shown = lawful(engine, order["id"])
    assert shown["changes"][0]["status"] == "done", shown["exceptions"]
    assert shown["payment"]["captured"] == shown["totals"]["grand_total"]
    assert shown["payment"]["captured"] + shown["payment"]["voided"] == 3500
    assert world.carrier("T1", "delivered").body["changed"]
    assert lawful(engine, order["id"])["status"] == "completed"


def test_two_agents_with_one_quote_each_for_the_same_unit(engine: Engine) -> None:
    """One wins, the other gets 412 with what it would come to now."""
    world = engine.world
    order = released(engine)
    path = f"/v1/orders/{order['id']}/adjustments"
    body = {"lines": [{"line_id": "1", "type": "percentage", "percent": "-100", "reason": "x"}], "in_fulfillment": "include"}
    quotes = [world.done("POST", path, {**body, "preview": True}, who=who)["quote_id"] for who in ("a", "b")]
    answers: list[Any] = []
    with meanwhile(world, lambda: answers.append(world.call("POST", path, {**body, "quote_id": quotes[0]}, who="a"))):
        answers.append(world.call("POST", path, {**body, "quote_id": quotes[1]}, who="b"))
    assert [answer.status for answer in answers] == [200, 412]
    assert answers[1].body["current"]["balances"]["grand_total"] == 0
    shown = lawful(engine, order["id"])
    assert shown["totals"]["grand_total"] == 3500 - 2400


def delivered(engine: Engine) -> JSON:
    """An order that has arrived and is paid."""
    order = released(engine)
    engine.world.ship(fo_of(order), {"1": 2, "2": 1}, "T1")
    engine.settle()
    assert engine.world.carrier("T1", "delivered").body["changed"]
    engine.settle()
    shown: JSON = engine.world.order(order["id"])
    return shown


def claims(world: World, order: JSON, quantity: int = 1) -> Any:
    body = {"kind": "damaged", "remedy": "refund", "lines": [{"line_id": "1", "quantity": quantity, "reason": "broken"}]}
    return world.call("POST", f"/v1/shipments/{order['shipments'][0]['id']}/claims", body)


def returns(world: World, order: JSON, quantity: int = 1) -> Any:
    body = {"mode": "immediate", "lines": [{"line_id": "1", "quantity": quantity, "reason": "small"}]}
    return world.call("POST", f"/v1/orders/{order['id']}/returns", body)


@pytest.mark.parametrize("claim_first", [True, False])
def test_a_return_started_while_a_claim_is_open_takes_the_other_unit(engine: Engine, claim_first: bool) -> None:
    """Both were asked for at the same moment, one unit each of the same two: each is paid once, whoever commits first."""
    world = engine.world
    order = delivered(engine)
    first, second = (claims, returns) if claim_first else (returns, claims)
    inner: list[Any] = []
    with meanwhile(world, lambda: inner.append(first(world, order))):
        outer = second(world, order)
    assert {inner[0].status, outer.status} == {200, 201}
    shown = lawful(engine, order["id"])
    assert world.gateway.moved("refund") == [1200, 1200]
    assert (shown["status"], shown["payment"]["refunded"]) == ("completed", 2400)
    assert shown["lines"][0]["quantities"]["available_to_return"] == 0


@pytest.mark.parametrize("claim_first", [True, False])
def test_of_a_return_and_a_claim_of_the_same_two_units_one_is_refused(engine: Engine, claim_first: bool) -> None:
    world = engine.world
    order = delivered(engine)
    first, second = (claims, returns) if claim_first else (returns, claims)
    with meanwhile(world, lambda: first(world, order, 2)):
        assert second(world, order, 2).status == 409
    shown = lawful(engine, order["id"])
    assert (world.gateway.moved("refund"), shown["payment"]["refunded"], shown["status"]) == ([2400], 2400, "completed")


def test_a_return_started_while_the_claims_money_moves(engine: Engine) -> None:
    world = engine.world
    order = delivered(engine)

    def settles(call: Call) -> bool:
        return bool(engine.visits("Settle")) and call.operation in ("TransactWriteItems", "PutItem")

    with held_up(engine, settles) as gate:
        assert claims(world, order).status == 200
        reached(engine, gate)
        assert returns(world, order, 2).status == 409
        assert returns(world, order).status == 201
        gate.opened.set()
        shown = lawful(engine, order["id"])
    assert (world.gateway.moved("refund"), shown["status"]) == ([1200, 1200], "completed")
