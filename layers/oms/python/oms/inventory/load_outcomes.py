"""What became of the records of a load, one by one and counted."""

from __future__ import annotations

from typing import Any, Literal

from oms.stored import Stored

FIRST_REFUSALS = 20
"""Refusals that a load shows itself; all of them are in its report."""
_REASON = 300


class Outcome(Stored):
    """What became of one record. `delta`: by how much on_hand changed; `safety`: safety stock before and after, if it was given;
    `short`: reserved units that are missing now. `reason`: why it was refused."""

    number: int
    record_id: str = ""
    status: Literal["applied", "repeated", "refused"]
    sku: str = ""
    location_id: str = ""
    at: str = ""
    counted: int | None = None
    before: int = 0
    delta: int = 0
    safety: list[int] = []
    short: int = 0
    reason: str = ""

    @property
    def changes(self) -> bool:
        """Whether anything is different now."""
        return self.status == "applied" and (self.delta != 0 or len(set(self.safety)) > 1)


class Tally(Stored):
    """Records of a file by what became of them; the units on hand of those applied, before and after; the first refusals."""

    records: int = 0
    changed: int = 0
    unchanged: int = 0
    repeated: int = 0
    refused: int = 0
    units_before: int = 0
    units_after: int = 0
    units_changed: int = 0
    short: int = 0
    refusals: list[dict[str, Any]] = []

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        self.records += 1
        if outcome.status == "refused":
            self.refused += 1
            if len(self.refusals) < FIRST_REFUSALS:
                self.refusals = [*self.refusals, refusal(outcome)]
        elif outcome.status == "repeated":
            self.repeated += 1
        else:
            self.changed += outcome.changes
            self.unchanged += not outcome.changes
            self.units_before += outcome.before
            self.units_after += outcome.before + outcome.delta
            self.units_changed += abs(outcome.delta)
            self.short += outcome.short > 0

    def exceeds(self, percent: int) -> bool:
        """Whether more units change, up or down, than `percent` of what is there."""
        return 100 * self.units_changed > percent * max(1, self.units_before)

    @property
    def change_percent(self) -> int:
        """Units changed, up or down, per 100 units before, rounded up."""
        return -(-100 * self.units_changed // max(1, self.units_before))


def refusal(outcome: Outcome) -> dict[str, Any]:
    """A refused record as the report shows it."""
    return {"number": outcome.number, "record_id": outcome.record_id, "reason": outcome.reason[:_REASON]}
