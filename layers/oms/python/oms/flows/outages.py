"""Outages of gateways: failures counted, one exception raised when a breaker opens, closed with it when the gateway answers again."""

from __future__ import annotations

from oms.clock import stamp
from oms.errors import NotFound
from oms.flows.idempotency import Request
from oms.payments.breaker import Breaker, answered, failed, outage, tried, trusted
from oms.service.records import ProcessException
from oms.service.shortages import close
from oms.storage.breaker import read_breaker, write_breaker
from oms.storage.shortages import read_shortage, shortage_writes, store_shortage
from oms.storage.table import Lost, Write

_ATTEMPTS = 5
_ACTOR = "breaker"


def known(gateway: str) -> Breaker:
    """What is stored of the gateway's breaker."""
    return read_breaker(gateway)


def take_trial(breaker: Breaker) -> tuple[bool, Breaker]:
    """Take the trial that is due. Whether it is ours, and what is known now: another may have taken it, or ended the outage."""
    try:
        return True, write_breaker(tried(breaker, stamp()))
    except Lost:
        return False, read_breaker(breaker.gateway)


def note_failure(gateway: str, reason: str, *, trial: bool = False) -> Breaker:
    """Count one more failure; what is known of the gateway after it. The failure that opens the breaker raises the one exception, in the
    same transaction. Too many writers at once: they have counted enough."""
    for _ in range(_ATTEMPTS):
        before = read_breaker(gateway)
        after = failed(before, reason, stamp(), trial=trial)
        if after == before:
            return before
        opens = after.is_open and not before.is_open
        problem = outage(after) if opens else None
        also = shortage_writes(problem, "exception.opened", actor=_ACTOR, kind=problem.kind, subject=problem.subject) if problem else []
        try:
            return write_breaker(after, also)
        except Lost:
            continue
    return read_breaker(gateway)


def note_answer(gateway: str) -> None:
    """The gateway answers: its breaker closes, and with it the exception of the outage."""
    for _ in range(_ATTEMPTS):
        before = read_breaker(gateway)
        if not before.failures:
            return
        try:
            write_breaker(answered(before), _closing(before, "resolved", "recovered"))
            return
        except Lost:
            continue


def decide(
    exception_id: str, action: str, resolve_by: str | None, note: str | None, asked: Request, actor: str
) -> tuple[ProcessException, bool]:
    """retry: the gateway is believed to be back, and one more failure is enough to think otherwise. abandon: nobody needs to hear of this
    outage. Returns the exception and whether this Idempotency-Key was used before.

    NotFound for another id; Conflict when it was closed before; Invalid for another action.
    """
    problem = read_shortage(exception_id)
    if problem is None:
        raise NotFound(f"there is no exception '{exception_id}'")
    if asked.earlier():
        return problem, True
    status = {"retry": "retried", "resolve": "resolved", "abandon": "abandoned"}[action]
    after = close(problem, status, resolve_by or action, note, stamp())
    breaker = read_breaker(problem.subject.removeprefix("gateway_"))
    key = asked.record(status=200)
    if action == "retry" and breaker.exception_id == problem.id:
        writes = shortage_writes(after, f"exception.{status}", actor=actor, key=key, action=after.action)
        write_breaker(trusted(breaker, stamp()), writes)
    else:
        store_shortage(after, f"exception.{status}", actor=actor, key=key, action=after.action)
    return after, False


def _closing(breaker: Breaker, status: str, action: str) -> list[Write]:
    """What closes the exception of an outage with it, unless a person has."""
    problem = read_shortage(breaker.exception_id) if breaker.exception_id else None
    if problem is None or problem.status != "open":
        return []
    after = problem.model_copy(update={"status": status, "action": action, "closed_at": stamp()})
    return shortage_writes(after, f"exception.{status}", actor=_ACTOR, action=action)
