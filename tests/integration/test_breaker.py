"""The breaker of a gateway: an outage parks the work and raises one exception, which closes itself when the gateway answers again."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from oms.errors import Retryable
from oms.flows.breakers import Guarded
from oms.flows.gateways import GATEWAYS
from oms.flows.outages import note_failure
from oms.payments.gateway import GatewayDown, Instruction, Outcome
from oms.payments.records import Payment
from oms.payments.sandbox import Sandbox
from oms.storage.breaker import read_breaker
from tests.support.gateways import Faulty
from tests.support.world import World, order_body

NOW = "2026-11-24T08:00:00.000Z"


def card(token: str = "tok_approve") -> Payment:
    return Payment(id="pay_x_1", method="card", gateway="sandbox", amount=1000, token=token)


def ask(gateway: Guarded, token: str = "tok_approve") -> Outcome:
    return gateway.perform(Instruction("authorization", "ord_x/a/1", 1000, "EUR", NOW), card(token))


def broken(times: int = 5) -> tuple[Guarded, Faulty]:
    """A gateway that is down, after so many calls."""
    faulty = Faulty(Sandbox(), down=True)
    guarded = Guarded("sandbox", faulty)
    for _ in range(times):
        with pytest.raises(Retryable):
            ask(guarded)
    return guarded, faulty


def exceptions(world: World) -> list[dict[str, object]]:
    found = world.done("GET", "/v1/exceptions", query={"status": "open"})["data"]
    return [problem for problem in found if problem["kind"] == "outage"]


def test_while_all_is_well_nothing_is_read_or_written(world: World) -> None:
    guarded = Guarded("sandbox", Sandbox())
    before = len(world.wire.made)
    ask(guarded)
    assert len(world.wire.made) == before


def test_four_failures_change_nothing_and_the_fifth_opens_it(world: World) -> None:
    guarded, faulty = broken(4)
    assert not read_breaker("sandbox").is_open
    with pytest.raises(GatewayDown) as caught:
        ask(guarded)
    assert caught.value.seconds == 30
    with pytest.raises(GatewayDown):
        ask(guarded)
    assert len(faulty.calls) == 5, "while it is open nobody is asked"
    (problem,) = exceptions(world)
    assert problem["actions"] == ["retry", "abandon"]
    assert "sandbox" in str(problem["cause"])


def test_failures_far_apart_are_no_outage(world: World) -> None:
    guarded, _ = broken(4)
    world.advance(seconds=121)
    with pytest.raises(Retryable) as caught:
        ask(guarded)
    assert not isinstance(caught.value, GatewayDown)


def test_an_answer_in_between_ends_the_streak(world: World) -> None:
    guarded, faulty = broken(4)
    faulty.down = False
    ask(guarded)
    faulty.down = True
    for _ in range(4):
        with pytest.raises(Retryable) as caught:
            ask(guarded)
        assert not isinstance(caught.value, GatewayDown)


def test_a_decline_is_no_failure(world: World) -> None:
    guarded = Guarded("sandbox", Sandbox())
    before = len(world.wire.made)
    assert {ask(guarded, "tok_decline").state for _ in range(10)} == {"failed"}
    assert len(world.wire.made) == before


def test_after_the_pause_one_trial_passes_and_success_closes_it_and_its_exception(world: World) -> None:
    guarded, faulty = broken()
    ((opened),) = exceptions(world)
    faulty.down = False
    world.advance(seconds=31)
    assert ask(guarded).state == "succeeded"
    assert not read_breaker("sandbox").is_open
    assert exceptions(world) == []
    row = world.items()["oms-orders"]
    stored = next(item for item in row if item["sk"]["S"] == f"state#exception#{opened['id']}")
    assert (stored["status"]["S"], stored["action"]["S"]) == ("resolved", "recovered")


def test_a_trial_that_fails_makes_the_pause_longer_and_raises_nothing_new(world: World) -> None:
    guarded, faulty = broken()
    for pause in (60, 120, 240, 300, 300):
        world.advance(seconds=301)
        with pytest.raises(GatewayDown) as caught:
            ask(guarded)
        assert caught.value.seconds == pause
    assert len(faulty.calls) == 10
    assert len(exceptions(world)) == 1


def test_of_all_processes_one_takes_the_trial(world: World) -> None:
    guarded, faulty = broken()
    others = [Guarded("sandbox", faulty) for _ in range(3)]
    for other in others:
        with pytest.raises(GatewayDown):
            ask(other)  # a new process finds out by asking once
    asked = len(faulty.calls)
    world.advance(seconds=31)
    for each in (guarded, *others):
        with pytest.raises(GatewayDown):
            ask(each)
    assert len(faulty.calls) == asked + 1
    faulty.down = False
    world.advance(seconds=61)
    assert [ask(each).state for each in (guarded, *others)] == ["succeeded"] * 4, "the others hear of it within seconds"


def test_many_at_once_raise_one_exception(world: World) -> None:
    gate = Barrier(8)

    def fail() -> None:
        gate.wait()
        note_failure("sandbox", "not reached")

    threads = [Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(5):
        note_failure("sandbox", "not reached")
    assert read_breaker("sandbox").is_open
    assert len(exceptions(world)) == 1


def test_each_gateway_has_its_own(world: World) -> None:
    broken()
    assert ask(Guarded("other", Sandbox())).state == "succeeded"


def test_a_person_may_let_the_next_call_through_and_one_failure_opens_it_again(world: World) -> None:
    guarded, faulty = broken()
    (problem,) = exceptions(world)
    answer = world.done("POST", f"/v1/exceptions/{problem['id']}/retry", {}, headers={"Idempotency-Key": "k"})
    assert (answer["status"], answer["action"]) == ("retried", "retry")
    assert world.call("POST", f"/v1/exceptions/{problem['id']}/retry", {}, headers={"Idempotency-Key": "k"}).status == 200
    world.advance(seconds=6)
    with pytest.raises(GatewayDown):
        ask(guarded)
    assert len(faulty.calls) == 6
    (again,) = exceptions(world)
    assert again["id"] != problem["id"]


def test_abandoning_the_exception_leaves_the_breaker_to_itself(world: World) -> None:
    guarded, faulty = broken()
    (problem,) = exceptions(world)
    world.done("POST", f"/v1/exceptions/{problem['id']}/abandon", {"note": "we know"})
    assert world.call("POST", f"/v1/exceptions/{problem['id']}/abandon", {}).status == 409
    assert world.call("POST", f"/v1/exceptions/{problem['id']}/resolve", {"action": "accept"}).status in (409, 422)
    assert exceptions(world) == []
    assert read_breaker("sandbox").is_open
    faulty.down = False
    world.advance(seconds=31)
    assert ask(guarded).state == "succeeded"
    assert not read_breaker("sandbox").is_open


def test_the_synchronous_door_answers_at_once_when_to_come_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded, faulty = broken()
    monkeypatch.setitem(GATEWAYS, "sandbox", guarded)
    answer = world.call("POST", "/v1/orders", order_body())
    assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    assert len(faulty.calls) == 5
    faulty.down = False
    world.advance(seconds=31)
    assert world.place(order_body())["status"] == "open", "the same order is captured by the next try"
    assert sum(item["sk"]["S"] == "doc#order" for item in world.items()["oms-orders"]) == 1


@pytest.mark.parametrize("count", [1, 10])
def test_an_outage_is_one_exception_however_many_orders_meet_it(world: World, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded, _ = broken()
    monkeypatch.setitem(GATEWAYS, "sandbox", guarded)
    statuses = {world.call("POST", "/v1/orders", order_body(f"W-{n}", quantities={"A": 1})).status for n in range(count)}
    assert statuses == {503}
    assert len(exceptions(world)) == 1
