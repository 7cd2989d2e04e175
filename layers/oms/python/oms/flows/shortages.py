"""Raising and deciding exceptions of stock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from oms.clock import stamp
from oms.errors import Conflict, NotFound
from oms.flows.idempotency import Request
from oms.orders.records import ProcessException
from oms.service.notes import NoteRequest, note_on
from oms.service.shortages import close, drift, now_short, shortage, shortage_id
from oms.storage.inventory import holders, stock_at
from oms.storage.shortages import read_shortage, store_shortage


def raise_shortage(cause: str, subject: str, places: Iterable[tuple[str, str]]) -> ProcessException | None:
    """One exception for all of these (SKU, location) where less is on hand than is reserved; None if there is none such (any more).

    Raised once per cause.
    """
    known = read_shortage(shortage_id(cause))
    if known:
        return known
    rows = [row for sku, location_id in places if (row := _row(sku, location_id))]
    if not rows:
        return None
    problem = shortage(cause, subject, rows, stamp())
    store_shortage(problem, "exception.opened", kind=problem.kind, subject=subject)
    return problem


def raise_drift(sku: str, location_id: str, findings: list[dict[str, Any]]) -> None:
    """An exception for stock that does not add up; once a day for the same drift."""
    at = stamp()
    problem = drift(sku, location_id, findings, at)
    if read_shortage(problem.id) is None:
        store_shortage(problem, "exception.opened", kind=problem.kind, subject=problem.subject)


def note_short(data: Mapping[str, Any], _: Any) -> None:
    """Less is on hand than is reserved: a count says so, or goods left that were promised to others."""
    cause = f"stock of {data['sku']} at {data['location_id']} as of {data['counted_at']}"
    raise_shortage(cause, f"sku_{data['sku']}", [(data["sku"], data["location_id"])])


def decide(
    exception_id: str, action: str, resolve_by: str | None, note: str | None, asked: Request, actor: str
) -> tuple[ProcessException, bool]:
    """retry, resolve or abandon. Returns the exception and whether this Idempotency-Key was used before.

    Conflict for a retry while units are still missing, or when it was decided before."""
    problem = read_shortage(exception_id)
    if problem is None:
        raise NotFound(f"there is no exception '{exception_id}'")
    if asked.earlier():
        return problem, True
    if action == "retry":
        missing = [row for each in problem.details if (row := _row(each["sku"], each["location_id"]))]
        if missing:
            raise Conflict(f"{sum(row['short'] for row in missing)} units are still missing; put stock there, or resolve it")
    status = {"retry": "retried", "resolve": "resolved", "abandon": "abandoned"}[action]
    after = close(problem, status, resolve_by or action, note, stamp())
    reroute = {"details": after.details} if resolve_by == "reroute" else {}
    store_shortage(after, f"exception.{status}", actor=actor, key=asked.record(status=200), action=after.action, **reroute)
    return after, False


def annotate(exception_id: str, request: NoteRequest, author: str, asked: Request) -> tuple[ProcessException, bool]:
    """Write a note on an exception that belongs to no order. Returns it and whether this Idempotency-Key was used before."""
    problem = read_shortage(exception_id)
    if problem is None:
        raise NotFound(f"there is no exception '{exception_id}'")
    if asked.earlier():
        return problem, True
    after = note_on(problem, request, author, stamp())
    store_shortage(after, "note.added", actor=f"client:{author}", key=asked.record(status=201), note_id=after.notes[-1].id)
    return after, False


def _row(sku: str, location_id: str) -> dict[str, Any] | None:
    stock = stock_at(sku, location_id)
    if stock is None or stock.reserved <= stock.on_hand:
        return None
    short = stock.reserved - stock.on_hand
    named = now_short(short, holders(location_id, sku))
    return {"sku": sku, "location_id": location_id, "on_hand": stock.on_hand, "reserved": stock.reserved, "short": short, "orders": named}
