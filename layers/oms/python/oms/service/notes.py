"""Notes that agents write on an order."""

from __future__ import annotations

from oms.orders.order import Order
from oms.orders.records import Note
from oms.wire import Text, Wire


class NoteRequest(Wire):
    """`POST /v1/orders/{id}/notes`."""

    text: Text


def add_note(order: Order, request: NoteRequest, author: str) -> Note:
    """Add a note; what it says stays out of the timeline."""
    note = Note(id=order.next_id("note"), text=request.text, author=author, at=order.now)
    order.summary.notes.append(note)
    order.record("note.added", note_id=note.id)
    return note
