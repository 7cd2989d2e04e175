"""Every handler killed around each of its writes and run again: the same end, and money moved once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from oms.clock import stamp
from tests.machines.engine import Engine, an_engine
from tests.support.orders import packages, units
from tests.support.world import JSON, Answer, Call, Killed, World, order_body

MOST_WRITES = 3
"""No handler but relay writes more often in one run; so every one of its writes is among those it is killed at."""


class Killer:
    """Kills each piece of work once, before or after its n-th write took effect. Another attempt at it is let through."""

    def __init__(self, world: World, nth: int, *, after: bool) -> None:
        self.world, self.nth, self.after_it = world, nth, after
        self.killed: list[str] = []

    def wants(self, name: str, writes: int) -> bool:
        """Whether to kill this piece of work now."""
        return writes == self.nth and name not in self.killed

    def before(self, call: Call) -> None:
        work = self.world.wire.work
        if call.writes and hasattr(work, "name"):
            work.writes += 1
            if not self.after_it:
                self._kill(work)

    def after(self, call: Call) -> None:
        work = self.world.wire.work
        if call.writes and hasattr(work, "name") and self.after_it:
            self._kill(work)

    def _kill(self, work: Any) -> None:
        if self.wants(work.name, work.writes):
            self.killed.append(work.name)
            raise Killed


class RelayKiller(Killer):
    """Kills relay at its first write, its second try at the second write, and so on until it has been killed at each."""

    def wants(self, name: str, writes: int) -> bool:
        return name.startswith("relay") and writes == self.killed.count(name) + 1


def persistent(world: World, method: str, path: str, body: JSON | None = None, **headers: str) -> Answer:
    """A caller who repeats a request, with its key, until it is answered for good."""
    for _ in range(12):
        try:
            answer = world.call(method, path, body, headers={"Idempotency-Key": path, **headers})
        except Killed:
            world.advance(seconds=30)  # nobody heard anything; by now the lease is over
            continue
        if answer.status < 500 and "retry-after" not in answer.headers:
            assert answer.status < 300, answer
            return answer
    raise AssertionError("never answered")


def told(world: World, number: str, status: str) -> None:
    """A carrier who repeats its news until they are taken."""
    at = stamp()
    for _ in range(12):
        try:
            if world.carrier(number, status, at=at).status == 200:
                return
        except Killed:
            continue
    raise AssertionError("never taken")


def sold_and_returned(engine: Engine) -> str:
    """Two parcels from two locations, delivered, one unit back."""
    world = engine.world
    for empty in ("B/berlin", "A/lyon"):
        persistent(world, "PUT", f"/v1/inventory/{empty}", {"on_hand": 0})

    def act(path: str, body: JSON | None = None) -> Any:
        answer = persistent(world, "POST", path, body).body
        engine.settle()
        return answer

    order = act("/v1/orders", order_body())
    berlin, lyon = (fo["id"] for fo in world.order(order["id"])["fulfillment_orders"])
    act(f"/v1/fulfillment-orders/{berlin}/ship", packages({"1": 2}, prefix="T"))
    act(f"/v1/fulfillment-orders/{lyon}/ship", packages({"2": 1}, prefix="U"))
    for number in ("T1", "U1"):
        told(world, number, "delivered")
        engine.settle()
    ret = act(f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]})["id"]
    act(f"/v1/returns/{ret}/approve")
    act(f"/v1/returns/{ret}/receive", {"lines": units({"1": 1})})
    return str(order["id"])


def taken_in_bulk_and_troubled(engine: Engine) -> str:
    """Captured by its machine, held, rejected once, its first capture declined, its parcel sent back once."""
    world = engine.world

    def act(path: str, body: JSON | None = None, method: str = "POST", **headers: str) -> Any:
        answer = persistent(world, method, path, body, **headers).body
        engine.settle()
        return answer

    def decide() -> None:
        for problem in world.done("GET", "/v1/exceptions")["data"]:
            act(f"/v1/exceptions/{problem['id']}/retry")

    body = order_body(token="tok_capture_decline_once", holds=[{"kind": "fraud", "reason": "x"}])
    order = act("/v1/orders", body, Prefer="respond-async")
    act(f"/v1/orders/{order['id']}/holds/{world.order(order['id'])['holds'][0]['id']}", method="DELETE")
    act(f"/v1/fulfillment-orders/{world.order(order['id'])['fulfillment_orders'][0]['id']}/reject", {"reason": "flood"})
    act(f"/v1/fulfillment-orders/{world.order(order['id'])['fulfillment_orders'][1]['id']}/ship", packages({"1": 2, "2": 1}))
    decide()
    told(world, "T1", "return_to_sender")
    engine.settle()
    decide()
    told(world, "T1", "delivered")
    engine.settle()
    return str(order["id"])


def cut_short_and_authorized_again(engine: Engine) -> str:
    """B is refused and given up, its money let go; what is authorized allows one capture only, and A leaves in two parcels."""
    world = engine.world

    def act(path: str, body: JSON | None = None, method: str = "POST", **headers: str) -> Any:
        answer = persistent(world, method, path, body, **headers).body
        engine.settle()
        return answer

    act("/v1/channels/web", {"location_group": "all", "on_unfillable": "cancel_and_refund"}, method="PUT")
    act("/v1/inventory/B/lyon", {"on_hand": 0}, method="PUT")
    order = act("/v1/orders", order_body(token="tok_single_capture"))
    work = f"/v1/fulfillment-orders/{world.order(order['id'])['fulfillment_orders'][0]['id']}"
    act(f"{work}/reject", {"reason": "broken", "lines": units({"2": 1})})
    for number in ("T", "U"):
        act(f"{work}/ship", packages({"1": 1}, prefix=number), **{"Idempotency-Key": number})
        told(world, f"{number}1", "delivered")
        engine.settle()
    return str(order["id"])


def lost_and_sent_again(engine: Engine) -> str:
    """A parcel is lost; A is sent again, refused by the first location, and arrives; B is paid back, and something given for goodwill."""
    world = engine.world

    def act(path: str, body: JSON | None = None, **headers: str) -> Any:
        answer = persistent(world, "POST", path, body, **headers).body
        engine.settle()
        return answer

    order = act("/v1/orders", order_body())
    act(f"/v1/fulfillment-orders/{world.order(order['id'])['fulfillment_orders'][0]['id']}/ship", packages({"1": 2, "2": 1}))
    path = f"/v1/shipments/{world.order(order['id'])['shipments'][0]['id']}/claims"
    for line_id, remedy in (("1", "reship"), ("2", "refund")):
        rows = units({line_id: 2 if line_id == "1" else 1})
        act(path, {"kind": "lost", "remedy": remedy, "lines": rows}, **{"Idempotency-Key": remedy})
    act(f"/v1/fulfillment-orders/{world.order(order['id'])['fulfillment_orders'][1]['id']}/reject", {"reason": "flood"})
    act(f"/v1/fulfillment-orders/{world.order(order['id'])['fulfillment_orders'][2]['id']}/ship", packages({"1": 2}, prefix="R"))
    told(world, "R1", "delivered")
    engine.settle()
    act(f"/v1/orders/{order['id']}/refunds", {"amount": 300, "reason": "it took so long"})
    return str(order["id"])


LIVES = {
    "sold and returned": sold_and_returned,
    "taken in bulk and troubled": taken_in_bulk_and_troubled,
    "cut short and authorized again": cut_short_and_authorized_again,
    "lost and sent again": lost_and_sent_again,
}
# What moves in each: authorized, captured, refunded, voided.
MONEY = {
    "sold and returned": ([3500], [603, 2897], [1200], []),
    "taken in bulk and troubled": ([3500], [3500], [], []),
    "cut short and authorized again": ([1448, 3500], [1448, 1449], [], [603]),
    "lost and sent again": ([3500], [3500], [300, 500], []),
}


def end_of(engine: Engine, order_id: str) -> JSON:
    """All that counts in the end, without times (and the link that is signed with one) and with the order's key taken out of every id."""
    world = engine.world
    events = list({event["id"]: event["sequence"] for event in world.published()}.values())
    facts = world.facts(order_id)
    assert events == list(range(1, len(facts) + 1)), "every fact is published, in order, without gaps"
    order = world.order(order_id)
    order["exceptions"].sort(key=lambda problem: problem["step"])
    picture = {
        "order": order,
        "facts": facts,
        "stock": {f"{sku} {place}": world.figures(sku, place) for sku in "AB" for place in ("berlin", "lyon")},
        "executions": engine.statuses(),
        "money": {kind: world.gateway.moved(kind) for kind in ("authorize", "capture", "refund", "void")},
    }
    text = re.sub(r"exc_\w+", "exc", json.dumps(picture)).replace(order_id.removeprefix("ord_"), "KEY")
    timeless: JSON = _timeless(json.loads(text))
    return timeless


def but_for_exceptions(end: JSON) -> JSON:
    """The end without the exceptions that were raised on the way."""
    facts = [fact for fact in end["facts"] if not fact[0].startswith("exception.")]
    return {**end, "facts": facts, "order": {**end["order"], "exceptions": [], "version": 0}}


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _timeless(item)
            for key, item in value.items()
            if not re.search(r"(^|_)at$|^ship_by$|^reference$|^of$|^earliest$|^latest$|^tracking_page_url$", key)
        }
    return [_timeless(item) for item in value] if isinstance(value, list) else value


@cache
def undisturbed(life: str) -> tuple[JSON, dict[str, int]]:
    """The end of that life when nothing goes wrong, and the most writes that one run of each function made."""
    most: dict[str, int] = {}
    with pytest.MonkeyPatch.context() as monkeypatch, an_engine(monkeypatch) as engine:
        count = Killer(engine.world, nth=-1, after=False)

        def watch(call: Call) -> None:
            count.before(call)
            work = engine.world.wire.work
            if hasattr(work, "name"):
                function = work.name.split()[0]
                most[function] = max(most.get(function, 0), work.writes)

        with engine.world.wire.watched(before=watch):
            order_id = LIVES[life](engine)
        assert all(len(calls) == 1 for calls in engine.world.gateway.calls.values())
        return end_of(engine, order_id), most


@pytest.fixture(scope="module", autouse=True)
def _undisturbed_first() -> None:
    """Worlds do not nest, so these are over before a test's own begins."""
    for life in LIVES:
        undisturbed(life)


@pytest.mark.parametrize("life", LIVES)
def test_undisturbed_it_ends_well_and_all_its_writes_are_covered_below(life: str) -> None:
    end, most = undisturbed(life)
    assert end["order"]["status"] == "completed"
    assert set(end["executions"].values()) == {"SUCCEEDED"}
    assert tuple(end["money"].values()) == MONEY[life]
    assert max(writes for function, writes in most.items() if function != "relay") <= MOST_WRITES


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(1, MOST_WRITES + 1))
@pytest.mark.parametrize("life", LIVES)
def test_killed_around_each_write_and_run_again_it_ends_the_same(engine: Engine, life: str, nth: int, after: bool) -> None:
    expected, most = undisturbed(life)
    killer = Killer(engine.world, nth, after=after)
    with engine.world.wire.watched(before=killer.before, after=killer.after):
        order_id = LIVES[life](engine)
    assert {name.split()[0] for name in killer.killed} >= {function for function, writes in most.items() if writes >= nth}
    end = end_of(engine, order_id)
    if (nth, after) == (2, True):
        # Capture payment dies with a decline on record and asks once more, with the next key, before anybody heard of the decline.
        end, expected = but_for_exceptions(end), but_for_exceptions(expected)
    assert end == expected
    assert all(len(calls) <= 2 for calls in engine.world.gateway.calls.values())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("life", LIVES)
def test_relay_killed_at_every_one_of_its_writes_in_turn(engine: Engine, life: str, after: bool) -> None:
    expected, _ = undisturbed(life)
    killer = RelayKiller(engine.world, 0, after=after)
    with engine.world.wire.watched(before=killer.before, after=killer.after):
        order_id = LIVES[life](engine)
    assert max(killer.killed.count(name) for name in killer.killed) >= 3
    assert end_of(engine, order_id) == expected
    assert all(len(calls) == 1 for calls in engine.world.gateway.calls.values())


@pytest.mark.parametrize("every", [2, 3, 5])
@pytest.mark.parametrize("life", LIVES)
def test_when_transactions_conflict_now_and_then_it_ends_the_same(engine: Engine, life: str, every: int) -> None:
    made = 0

    def conflict(call: Call) -> None:
        nonlocal made
        if call.operation == "TransactWriteItems":
            made += 1
            if made % every == 0:
                raise _conflict(len(call.given["TransactItems"]))

    expected, _ = undisturbed(life)
    with engine.world.wire.watched(before=conflict):
        order_id = LIVES[life](engine)
    assert made > every
    assert end_of(engine, order_id) == expected


def _conflict(writes: int) -> ClientError:
    reasons = [{"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}] + [{"Code": "None"}] * (writes - 1)
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "Transaction cancelled"},
        "CancellationReasons": reasons,
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(answer, "TransactWriteItems")


@pytest.mark.parametrize("error", [Killed, lambda: _conflict(1)], ids=["killed", "out of order"])
def test_a_step_that_keeps_failing_becomes_an_exception_and_a_retry_goes_on(engine: Engine, error: Callable[[], BaseException]) -> None:
    """Capture payment fails more often than its state retries: a person mends the cause and retries."""

    def fails(event: JSON) -> None:
        if event["step"] == "Capture payment":
            raise error()

    world = engine.world
    order_id = world.place(order_body())["id"]
    engine.settle()
    engine.on_task = fails
    fo = world.order(order_id)["fulfillment_orders"][0]["id"]
    world.ship(fo, {"1": 2, "2": 1}, "T1")
    engine.settle()
    assert engine.statuses()[fo] == "Raise exception: Capture payment"
    (problem,) = world.done("GET", "/v1/exceptions")["data"]
    engine.on_task = lambda event: None
    world.done("POST", f"/v1/exceptions/{problem['id']}/retry")
    engine.settle()
    assert engine.statuses()[fo] == "Deliver"
    assert world.gateway.moved("capture") == [3500]
