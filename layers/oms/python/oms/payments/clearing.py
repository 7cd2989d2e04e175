"""The gateway of money that moves between two of our own orders (see payouts.py)."""

from __future__ import annotations

from oms.payments.gateway import Instruction, Outcome
from oms.payments.records import Payment


class Clearing:
    """The gateway of money that moves between two of our own orders: nobody is asked, the record is the move."""

    key_hours: int | None = None
    voids_parts = True

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """It is done as soon as it is on record."""
        return Outcome("succeeded", what.amount, what.at, f"moved:{what.key}")

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """The same again."""
        return self.perform(what, payment)
