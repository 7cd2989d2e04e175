"""A gateway behind its breaker. While all is well nothing is read or written for it; a process that meets a failure notes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from oms.clock import later, stamp
from oms.errors import Retryable
from oms.payments.breaker import Breaker
from oms.payments.gateway import Gateway, GatewayDown, Instruction, Outcome
from oms.payments.records import Payment

_BELIEVED_SECONDS = 5
"""How long a process goes by what it read of an open breaker: another may have closed it since."""
T = TypeVar("T")


class Guarded:
    """A gateway that is asked nothing while it is down: GatewayDown at once, until a trial gets an answer.

    A process that does not know yet that it is down asks it once, and then knows.
    """

    def __init__(self, name: str, gateway: Gateway) -> None:
        self.name, self.gateway = name, gateway
        self.forget()

    def forget(self) -> None:
        """Know nothing, as a new process does."""
        self._open: Breaker | None = None  # as read last, if it was open then
        self._believed_until = ""
        self._failing = False  # this process has noted a failure that no answer has undone

    @property
    def key_hours(self) -> int | None:
        """How long it remembers our keys."""
        return self.gateway.key_hours

    @property
    def voids_parts(self) -> bool:
        """Whether a part of an authorization can be given back."""
        return self.gateway.voids_parts

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """Do it, once per key. GatewayDown while the breaker is open; Retryable when it does not answer now."""
        return self._ask(lambda: self.gateway.perform(what, payment))

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """What became of an instruction given earlier; the same errors."""
        return self._ask(lambda: self.gateway.look_up(what, payment))

    def _ask(self, call: Callable[[], T]) -> T:
        trial = self._admit()
        try:
            answer = call()
        except Retryable as error:
            from oms.flows.outages import note_failure  # noqa: PLC0415 nobody else needs it, and here a moment more does not matter

            self._remember(note_failure(self.name, str(error), trial=trial))
            self._failing = True
            if self._open:
                raise self._down() from error
            raise
        if trial or self._failing:
            from oms.flows.outages import note_answer  # noqa: PLC0415 the same

            note_answer(self.name)
            self.forget()
        return answer

    def _admit(self) -> bool:
        """Whether this call is the trial; GatewayDown when it is not to be made."""
        if self._open is None:
            return False
        from oms.flows.outages import known, take_trial  # noqa: PLC0415 the same

        breaker = self._open if self._believed_until > stamp() else self._remember(known(self.name))
        if not breaker.is_open:
            return False
        if breaker.next_try > stamp():
            raise self._down()
        mine, breaker = take_trial(breaker)
        self._remember(breaker)
        if breaker.is_open and not mine:
            raise self._down()
        return mine

    def _remember(self, known: Breaker) -> Breaker:
        self._open = known if known.is_open else None
        self._believed_until = later(stamp(), seconds=_BELIEVED_SECONDS)
        return known

    def _down(self) -> GatewayDown:
        seconds = self._open.seconds_left(stamp()) if self._open else 1
        return GatewayDown(f"the payment gateway '{self.name}' does not answer; it is asked again in {seconds} seconds", seconds=seconds)
