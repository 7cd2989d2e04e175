"""Raising and deciding exceptions of stock."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from typing import Any

from oms.clock import stamp
from oms.errors import Conflict, NotFound
from oms.flows.idempotency import Request
from oms.service.notes import NoteRequest, note_on
from oms.service.records import ProcessException
from oms.service.shortages import close, drift, now_short, shortage, shortage_id, widened
from oms.storage.inventory import holders, stock_at
from oms.storage.shortages import read_shortage, store_shortage
from oms.storage.table import Lost

_ATTEMPTS = 8


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
    """Less is on hand than is reserved: a count says so, or goods left that were promised to others. What one batch call leaves short is
    one exception, which grows with each of its records."""
    place = (str(data["sku"]), str(data["location_id"]))
    if data.get("batch") and _noted_in(f"batch {data['batch']}", place):
        return
    cause = f"stock of {place[0]} at {place[1]} as of {data['counted_at']}"
    raise_shortage(cause, f"sku_{place[0]}", [place])


def _noted_in(cause: str, place: tuple[str, str]) -> bool:
    """Whether the exception of a batch has this place, or there is nothing short. False if it was decided before the place came up."""
    for attempt in range(_ATTEMPTS):
        row = _row(*place)
        known = read_shortage(shortage_id(cause))
        if row is None or (known and place in {(each["sku"], each["location_id"]) for each in known.details}):
            return True
        if known and known.status != "open":
            return False
        try:
            if known is None:
                return raise_shortage(cause, f"sku_{place[0]}", [place]) is not None
            store_shortage(widened(known, cause, row), "exception.widened", sku=place[0], location_id=place[1])
        except Lost:
            # Another record of the same batch was noted at the same moment.
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
            continue
        return True
    raise Lost(f"the exception of {cause} changes too often; this is noted a little later")


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
