"""A gateway in front of another, in which chosen calls go wrong in a chosen way. Every call of `perform` counts, repetitions included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from oms.errors import Retryable
from oms.payments.gateway import Gateway, Instruction, Outcome
from oms.payments.records import Payment

Trouble = Literal["before", "after", "fault", "declined", "told twice"]
"""Not reached; done, but the answer lost; a fault of its own (500); a definitive no; done, and its notification comes twice afterwards."""
Tell = Callable[[Instruction, Payment, Outcome], None]


@dataclass
class Faulty:
    """`troubles`: what happens at the n-th call, from 1 on. `down`: every call fails until it is set to False.

    `forgets`: it knows nothing of keys when it is looked up, as one whose memory is short does. `tell` gets the notifications.
    """

    inner: Gateway
    troubles: Mapping[int, Trouble] = field(default_factory=dict)
    down: bool = False
    forgets: bool = False
    tell: Tell | None = None
    calls: list[Instruction] = field(default_factory=list)
    moved: dict[str, Outcome] = field(default_factory=dict)

    @property
    def key_hours(self) -> int | None:
        return 24 if self.forgets else self.inner.key_hours

    @property
    def voids_parts(self) -> bool:
        return self.inner.voids_parts

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        self.calls.append(what)
        trouble = self.troubles.get(len(self.calls))
        if self.down or trouble in ("before", "fault"):
            raise Retryable("500" if trouble == "fault" else "not reached")
        outcome = self.moved.get(what.key) or self.inner.perform(what, payment)
        if trouble == "declined" and what.key not in self.moved:
            outcome = replace(outcome, state="failed", reason="declined")
        self.moved[what.key] = outcome
        if trouble == "after":
            raise Retryable("the answer was lost")
        for _ in range(2 if trouble == "told twice" and self.tell else 0):
            assert self.tell is not None
            self.tell(what, payment, outcome)
        return outcome

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        return None if self.forgets else self.moved.get(what.key)
