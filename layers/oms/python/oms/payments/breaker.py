"""One breaker per gateway: after five failures in a row within two minutes nobody asks it anything for a while, then one trial.

A failure is a gateway that does not answer or answers with a fault of its own. That it says no is no failure.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Literal

from oms.clock import later, parse
from oms.orders.records import Record
from oms.service.records import ProcessException

MOST_FAILURES = 5
WITHIN_SECONDS = 120
FIRST_PAUSE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 300
PREFIX = "exc_gateway-"
"""How the ids of the exceptions begin that an outage raises; they belong to no order."""
_LONGEST_REASON = 300


class Breaker(Record):
    """What is known of one gateway. `since`: the first failure of this streak; `trials`: calls let through while open, all of which failed.

    `exception_id`: the exception of this outage.
    """

    gateway: str
    state: Literal["closed", "open"] = "closed"
    failures: int = 0
    since: str = ""
    opened_at: str = ""
    next_try: str = ""
    trials: int = 0
    reason: str = ""
    exception_id: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nobody may ask the gateway, but for trials."""
        return self.state == "open"

    def seconds_left(self, at: str) -> int:
        """Until the next trial: whole seconds, at least one."""
        return max(1, -((parse(at) - parse(self.next_try)) // timedelta(seconds=1))) if self.is_open else 0


def failed(breaker: Breaker, reason: str, at: str, *, trial: bool = False) -> Breaker:
    """After one more failure: open when it is the fifth in a row within two minutes; the trial's makes the pause twice as long.

    Who did not know that it is open, and fails too, changes nothing.
    """
    reason = reason[:_LONGEST_REASON]
    if breaker.is_open and not trial:
        return breaker
    if breaker.is_open:
        trials = breaker.trials + 1
        return breaker.model_copy(update={"trials": trials, "next_try": later(at, seconds=_pause(trials)), "reason": reason})
    streak = breaker.failures > 0 and later(breaker.since, seconds=WITHIN_SECONDS) > at
    failures, since = (breaker.failures + 1, breaker.since) if streak else (1, at)
    counted = breaker.model_copy(update={"failures": failures, "since": since, "reason": reason})
    if failures < MOST_FAILURES:
        return counted
    opened = {"state": "open", "opened_at": at, "next_try": later(at, seconds=_pause(0)), "trials": 0}
    return counted.model_copy(update={**opened, "exception_id": _exception_id(breaker.gateway, at)})


def tried(breaker: Breaker, at: str) -> Breaker:
    """Somebody takes the trial that is due: nobody else may before the next one."""
    return breaker.model_copy(update={"next_try": later(at, seconds=_pause(breaker.trials))})


def answered(breaker: Breaker) -> Breaker:
    """The gateway answers: all is well."""
    return Breaker(gateway=breaker.gateway, v=breaker.v)


def trusted(breaker: Breaker, at: str) -> Breaker:
    """A person says that the gateway is back: work goes on, and one more failure is enough to stop it again."""
    return Breaker(gateway=breaker.gateway, v=breaker.v, failures=MOST_FAILURES - 1, since=at)


def outage(breaker: Breaker) -> ProcessException:
    """The one exception of an outage, for all the work that waits for it."""
    return ProcessException(
        id=breaker.exception_id,
        kind="outage",
        step="Gateway",
        cause=f"the payment gateway '{breaker.gateway}' does not answer: {breaker.reason}",
        hint="What needs it waits and goes on by itself when it answers, which closes this. Retry lets the next call through at once.",
        actions=["retry", "abandon"],
        subject=f"gateway_{breaker.gateway}",
        opened_at=breaker.opened_at,
    )


def _pause(trials: int) -> int:
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS << min(trials, 10))  # twice as long each time


def _exception_id(gateway: str, at: str) -> str:
    return PREFIX + hashlib.sha256(f"{gateway} {at}".encode()).hexdigest()[:16]
