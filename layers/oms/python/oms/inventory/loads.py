"""Loads: a file of counts and differences, taken record by record. What is asked for, how far it is, and what it did.

running --> done, done_with_refusals, cancelled or failed --> reverting --> reverted
   |-> parked (it would change more than it may) --> approved: running, or cancelled
   `-> previewed
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, StringConstraints

from oms.errors import Conflict, expect_version
from oms.inventory.load_outcomes import Tally
from oms.stored import Stored
from oms.wire import Wire

Phase = Literal["check", "apply", "revert"]
ENDED = ("done", "done_with_refusals", "cancelled", "failed")


class LoadRequest(Wire):
    """`POST /v1/inventory/loads`. `max_change_percent`: units changed up or down per 100 units now; a file that changes more is parked."""

    source: Annotated[str, StringConstraints(max_length=1200, pattern=r"^s3://[^/\s]+/\S+$")]
    preview: bool = False
    max_change_percent: Annotated[int, Strict(), Field(ge=0, le=1_000_000)] | None = None


class Load(Stored):
    """A load as it is kept: the very version of the file, and how far the present phase is (`offset` in bytes, `lines`, `part`).

    A part is the log of one stretch of the file: what was applied, what was refused.
    """

    id: str
    status: str = "running"
    phase: Phase
    bucket: str
    key: str
    version_id: str = ""
    size: int
    columns: list[str] = []
    preview: bool = False
    max_change_percent: int | None = None
    requested_at: str
    requested_by: str
    updated_at: str = ""
    ended_at: str = ""
    offset: int = 0
    lines: int = 0
    part: int = 0
    parts: int = 0
    checked: Tally = Tally()
    applied: Tally = Tally()
    reverted: Tally = Tally()
    stopping: bool = False
    reason: str = ""
    report: str = ""
    revert_report: str = ""
    v: int = 0

    @property
    def source(self) -> str:
        """The file's address."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def working(self) -> bool:
        """Whether there is something to go on with."""
        return self.status in ("running", "reverting")

    def expect(self, if_match: str | None) -> None:
        """Stale unless If-Match is absent, "*" or names the present version."""
        expect_version(self.id, self.v, if_match)

    def begin(self, phase: Phase) -> None:
        """Start a phase at the beginning of the file, or of its log."""
        self.status = "reverting" if phase == "revert" else "running"
        self.phase, self.offset, self.lines, self.part, self.ended_at = phase, 0, 0, 0, ""
        if phase == "revert":
            self.part, self.reverted = self.parts, Tally()

    def end(self, status: str, now: str, reason: str = "") -> None:
        """Nothing more will happen by itself."""
        self.status, self.ended_at, self.stopping = status, now, False
        self.reason = reason or self.reason

    def act(self, action: str, now: str) -> str | None:
        """approve, cancel or revert. Returns the fact, None if it is so already; Conflict if that is not possible now."""
        if action == "approve" and self.status == "parked":
            self.begin("apply")
            return "load.approved"
        if action == "cancel" and self.status == "parked":
            self.end("cancelled", now)
            return "load.cancelled"
        if action == "cancel" and self.status == "running":
            # Who is at work finishes its stretch first: what it has done must be in the log, or it could not be reverted.
            asked_before, self.stopping = self.stopping, True
            return None if asked_before else "load.stopping"
        if action == "revert" and self.status in ENDED and self.applied.changed:
            self.begin("revert")
            return "load.reverting"
        if (action, self.status) in (("cancel", "cancelled"), ("revert", "reverting"), ("revert", "reverted")):
            return None
        raise Conflict(f"{self.id} is {self.status}; {_POSSIBLE.get(action, '')}")


_POSSIBLE = {
    "approve": "only a parked load can be approved",
    "cancel": "only a load that is parked or running can be cancelled; one that is over can be reverted",
    "revert": "a load is reverted when it is over and has changed something",
}


def load_id_of(source: str, version: str) -> str:
    """The id of the load of one version of a file: asked for twice, it is one load."""
    return "load_" + sha256(f"{source}\n{version}".encode()).hexdigest()[:20]


def view(load: Load) -> dict[str, Any]:
    """A load as the API shows it: its figures are those of what it did, or before that of what it would do."""
    tally = load.applied if load.phase != "check" and load.status != "parked" else load.checked
    figures = tally.model_dump(exclude={"refusals"}) | {"change_percent": tally.change_percent, "refusals": tally.refusals}
    undone = {
        "records": load.reverted.changed,
        "refused": load.reverted.refused,
        "refusals": load.reverted.refusals,
        "report": load.revert_report or None,
    }
    return {
        "id": load.id,
        "status": load.status,
        "phase": load.phase,
        "source": load.source,
        "preview": load.preview,
        "max_change_percent": load.max_change_percent,
        "requested_at": load.requested_at,
        "ended_at": load.ended_at or None,
        "reason": load.reason or None,
        **figures,
        "report": load.report or None,
        "reverted": undone if load.phase == "revert" else None,
    }
