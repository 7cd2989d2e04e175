"""How something is put before a person: a process exception, opened once for what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from oms.orders.order import Order
from oms.service.records import ProcessException

_LONGEST = 1000
"""Characters of a cause that are kept."""


def exception_about(order: Order, name: str) -> str:
    """Id of the exception about something of an order, derived from a name for it."""
    return f"exc_{order.id.removeprefix('ord_')}_{crc32(name.encode()):08x}"


def put_before_somebody(
    order: Order,
    exception_id: str,
    *,
    kind: str,
    step: str,
    cause: str,
    hint: str,
    actions: Sequence[str],
    subject: str,
    execution: str = "",
    error: str = "",
    details: Sequence[dict[str, Any]] = (),
) -> ProcessException:
    """Open the exception; opened again it stays as it is."""
    if exception_id not in order.exceptions:
        order.exceptions[exception_id] = ProcessException(
            id=exception_id,
            kind=kind,
            error=error,
            step=step,
            cause=cause[:_LONGEST],
            hint=hint,
            actions=list(actions),
            subject=subject,
            execution=execution,
            opened_at=order.now,
            details=list(details),
        )
        order.record("exception.opened", exception_id=exception_id, kind=kind, step=step, subject=subject)
    return order.exceptions[exception_id]
