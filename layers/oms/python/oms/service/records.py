"""What is stored of steps that failed and wait for somebody, and of those who wait. Shapes only; rules live beside them."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from typing import Any, Literal

from oms.orders.records import Note, Record


class ProcessException(Record):
    """A step that failed and waits for somebody: what, where, why, what to do. `error`: what the step raised, by its name. Of stock:
    `details` says where how much is short."""

    id: str
    kind: str
    error: str = ""
    step: str
    cause: str
    hint: str
    actions: list[str]
    status: Literal["open", "retried", "resolved", "abandoned"] = "open"
    subject: str
    execution: str = ""
    opened_at: str = ""
    closed_at: str | None = None
    action: str | None = None
    note: str | None = None
    notes: list[Note] = []
    details: list[dict[str, Any]] = []


class Wait(Record):
    """A task token: which record waits, in which state. Kept beside the record so that neither write can undo the other."""

    id: str
    state: str
    token: str
    entered: str
    execution: str = ""
