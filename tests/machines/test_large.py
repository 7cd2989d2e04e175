"""Large orders on the state machines: a whole life, and shorter ones with kills, conflicts and short stock."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from oms.flows import large
from oms.storage.orders import load
from tests.machines import engine as engine_module
from tests.machines.engine import Engine
from tests.support.large import a_large_order, check_books, pages, put_on_shelves, reserved_in_rows, skus_of
from tests.support.orders import units
from tests.support.world import Call, Killed, World

LINES = 130
LIFE = 48
"""Lines of the whole life: more SKUs than a small order has, and few parcels, over each of which moto takes seconds."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto takes long over large items."""
    monkeypatch.setattr(engine_module, "PATIENCE", 180.0)


def placed(engine: Engine, lines: int = LINES, **more: Any) -> str:
    answer = engine.world.call("POST", "/v1/orders", a_large_order(lines, **more))
    assert answer.status == 202, answer
    return str(answer.body["id"])


def shipped(world: World, order_id: str, count: int | None = None) -> list[str]:
    """Ship so many fulfillment orders whole; their tracking numbers."""
    rows = pages(world, f"/v1/orders/{order_id}/fulfillment-orders")[:count]
    for fo in rows:
        world.ship(fo["id"], {line["line_id"]: line["quantity"] for line in fo["lines"]}, f"T-{fo['id']}")
    return [f"T-{fo['id']}" for fo in rows]


def conflict(given: Any) -> ClientError:
    reasons = [{"Code": "TransactionConflict"}, *[{"Code": "None"}] * (len(given["TransactItems"]) - 1)]
    answer: Any = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}
    return ClientError(answer, "TransactWriteItems")


@pytest.mark.slow
def test_from_the_order_to_returns(engine: Engine) -> None:
    world, names = engine.world, skus_of(LIFE)
    put_on_shelves(names[:25], "berlin")
    put_on_shelves(names[20:], "lyon")
    order_id = placed(engine, LIFE)
    engine.settle()
    assert engine.statuses()[order_id] == "SUCCEEDED"
    assert engine.path(order_id) == ["Capture", "Allocate", "Allocated"]
    order = load(order_id)
    assert set(order.held()) == {"berlin", "lyon"}
    assert {name for name in engine.statuses() if name.startswith("fo_")} == set(order.fulfillment_orders)
    check_books(world, order_id)

    numbers = shipped(world, order_id)
    engine.settle()
    assert reserved_in_rows(world) == {}
    after = world.order(order_id)
    total = after["totals"]["grand_total"]
    assert (after["fulfillment_status"], after["payment_status"]) == ("shipped", "captured")
    assert (after["payment"]["invoiced"], after["payment"]["captured"]) == (total, total)
    assert sum(world.gateway.moved("capture")) == total

    for number in numbers:
        world.carrier(number, "delivered")
    engine.settle()
    assert world.order(order_id)["status"] == "completed"
    some = {"1": 2, "24": 1, "48": 2}
    wanted = [{"line_id": line_id, "quantity": quantity, "reason": "small"} for line_id, quantity in some.items()]
    ret = world.done("POST", f"/v1/orders/{order_id}/returns", {"lines": wanted})["id"]
    world.done("POST", f"/v1/returns/{ret}/approve")
    world.done("POST", f"/v1/returns/{ret}/receive", {"lines": units(some)})
    engine.settle()
    end = world.order(order_id)
    assert world.gateway.moved("refund") == [500]
    assert (end["return_status"], end["payment"]["refunded"], end["payment"]["credited"]) == ("partially_returned", 500, 500)
    assert world.figures(names[0]) == (10, 0), "back on the shelf"
    assert set(engine.statuses().values()) == {"SUCCEEDED"}
    sequences = sorted({event["id"]: event["sequence"] for event in world.published()}.values())
    assert sequences == list(range(1, load(order_id).summary.sequence + 1))
    check_books(world, order_id)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_every_run_killed_at_its_second_write_it_ends_the_same(engine: Engine, after: bool) -> None:
    """Capture dies between its parts, is retried, dies at the next part, and so on; so do Allocate and relay."""
    world, killed = engine.world, dict[str, int]()
    put_on_shelves(skus_of(LINES), "berlin")
    order_id = placed(engine)

    def kill(call: Call) -> None:
        work = world.wire.work
        if call.writes and hasattr(work, "name"):
            work.writes += 1
            if work.writes == 2 and killed.get(work.name, 0) < 2:
                killed[work.name] = killed.get(work.name, 0) + 1
                raise Killed

    with world.wire.watched(before=None if after else kill, after=kill if after else None):
        engine.settle()
    assert {name.split()[0] for name in killed} >= {"capture", "relay"}
    order = load(order_id)
    assert engine.statuses()[order_id] == "SUCCEEDED"
    assert sorted(line for fo in order.fulfillment_orders.values() for line in fo.lines) == sorted(order.summary.lines)
    assert world.gateway.moved("authorize") == [world.order(order_id)["totals"]["grand_total"]]
    check_books(world, order_id)


@pytest.mark.parametrize("every", [2, 3])
def test_when_transactions_conflict_now_and_then_it_ends_the_same(engine: Engine, every: int) -> None:
    world, made = engine.world, 0
    put_on_shelves(skus_of(LINES), "berlin")

    def clash(call: Call) -> None:
        nonlocal made
        if call.operation == "TransactWriteItems":
            made += 1
            if made % every == 0:
                raise conflict(call.given)

    with world.wire.watched(before=clash):
        order_id = placed(engine)
        engine.settle()
    assert engine.statuses()[order_id] == "SUCCEEDED"
    assert load(order_id).summary.status == "open"
    assert world.done("GET", "/v1/exceptions")["data"] == []
    check_books(world, order_id)


def test_short_in_the_middle_it_ends_declined_and_nothing_stays_reserved(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """One SKU goes to somebody else between two parts; then the step dies in the middle of giving back."""
    world, names = engine.world, skus_of(LINES)
    put_on_shelves(names, "berlin", units=2)
    monkeypatch.setattr(large, "_PART", 25)
    made, bought, killed = 0, False, 0

    def trouble(call: Call) -> None:
        nonlocal made, bought, killed
        if call.operation != "TransactWriteItems" or '"step": "Capture"' not in getattr(world.wire.work, "name", ""):
            return
        made += 1
        if made == 3 and not bought:
            bought = True
            put_nothing_left(world, names[100])
        if made in (9, 11):
            killed += 1
            raise Killed

    with world.wire.watched(before=trouble):
        order_id = placed(engine)
        engine.settle()
    assert bought
    assert killed == 2
    assert load(order_id).summary.status == "declined"
    assert engine.path(order_id)[-1] == "Declined"
    assert reserved_in_rows(world) == {}
    check_books(world, order_id)


def put_nothing_left(world: World, sku: str) -> None:
    """Somebody counts: there is none of it."""
    world.stock(sku, "berlin", 0)
