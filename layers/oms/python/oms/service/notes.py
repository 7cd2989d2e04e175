"""Notes that agents write on an order, on a return, on an exception."""

from __future__ import annotations

from oms.orders.order import Order
from oms.orders.records import Note
from oms.returns.records import Return
from oms.service.records import ProcessException
from oms.wire import Text, Wire


class NoteRequest(Wire):
    """`POST /v1/orders/{id}/notes`, and the same on returns and exceptions."""

    text: Text


def add_note(order: Order, request: NoteRequest, author: str, about: Return | ProcessException | None = None) -> Note:
    """Add a note to the order, or to what it is about; what it says stays out of the timeline."""
    note = Note(id=order.next_id("note"), text=request.text, author=author, at=order.now)
    (about or order.summary).notes.append(note)
    kind = "return_id" if isinstance(about, Return) else "exception_id"
    order.record("note.added", note_id=note.id, **({kind: about.id} if about else {}))
    return note


def note_on(problem: ProcessException, request: NoteRequest, author: str, at: str) -> ProcessException:
    """An exception that belongs to no order, with a note more."""
    note = Note(id=f"note_{problem.id.removeprefix('exc_')}-{len(problem.notes) + 1}", text=request.text, author=author, at=at)
    return problem.model_copy(update={"notes": [*problem.notes, note]})
