"""Exceptions that belong to no order (of stock, of a gateway): an item collection each in the orders table, listed with the others."""

from __future__ import annotations

from typing import Any

from oms.clock import stamp
from oms.orders.records import Entry
from oms.service.records import ProcessException
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Lost, Write, get, write


def read_shortage(exception_id: str) -> ProcessException | None:
    """One exception that belongs to no order, or None."""
    row = get(environment().orders_table, exception_id, f"state#exception#{exception_id}")
    return ProcessException.model_validate(row) if row else None


def store_shortage(
    problem: ProcessException, fact: str, *, actor: str = "stockkeeper", key: dict[str, Any] | None = None, **data: Any
) -> None:
    """Put the exception with its event. Lost if it changed since it was read, or another try has raised it."""
    try:
        write(shortage_writes(problem, fact, actor=actor, key=key, **data))
    except Cancelled as error:
        raise Lost(f"exception {problem.id} changed meanwhile") from error


def shortage_writes(problem: ProcessException, fact: str, *, actor: str, key: dict[str, Any] | None = None, **data: Any) -> list[Write]:
    """What puts the exception with its event, to ride in a transaction; its conditions fail if it changed since it was read."""
    table = environment().orders_table
    item = {"pk": problem.id, "sk": f"state#exception#{problem.id}", **problem.model_dump(exclude_defaults=True), "v": problem.v + 1}
    if problem.status == "open":
        item |= {"list": "exceptions#open", "at": f"{problem.opened_at}#{problem.id}"}
    condition, values = ("v = :v", encode({":v": problem.v})) if problem.v else ("attribute_not_exists(pk)", {})
    facts = [{"type": fact, "data": {"exception_id": problem.id, **data}}]
    entry = Entry.model_validate({"sequence": problem.v + 1, "at": stamp(), "actor": actor, "cause": problem.subject, "facts": facts})
    writes = [
        Write(table, encode(item), condition, values),
        Write(table, encode({"pk": problem.id, "sk": f"timeline#{entry.sequence:08d}", **entry.model_dump()}), "attribute_not_exists(pk)"),
    ]
    return writes + ([Write(table, encode(key), "attribute_not_exists(pk)")] if key else [])
