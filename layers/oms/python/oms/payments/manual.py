"""The gateway of methods known only by name: nobody can be asked, so every instruction is a person's task, and its exception says which."""

from __future__ import annotations

from oms.payments.gateway import Instruction, Outcome
from oms.payments.records import Payment

_BY_HAND = {
    "authorization": "it is not authorized by us",
    "capture": "capture it by hand",
    "refund": "pay it back by hand",
    "void": "release it by hand",
}


class Manual:
    """Refuses everything with what to do by hand; people then record that they have."""

    key_hours: int | None = None
    voids_parts = True

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """Not by us."""
        return Outcome("failed", what.amount, what.at, f"manual:{what.key}", _BY_HAND[what.kind])

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """The same again."""
        return self.perform(what, payment)
