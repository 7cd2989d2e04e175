"""The log of routings after the first: why each was needed, what came of it. A plain life writes none."""

from __future__ import annotations

from collections.abc import Iterable

from oms.orders.order import Order
from oms.orders.records import Attempt

KEPT = 20
_LONGEST = 200


def note_attempt(order: Order, cause: str, *, result: str = "", places: Iterable[str] = (), visit: str = "") -> None:
    """Units have to be routed again; what comes of it is filled in by who does it."""
    attempt = Attempt(at=order.now, cause=cause[:_LONGEST], result=result, places=sorted(set(places)), visit=visit)
    order.summary.attempts = [*order.summary.attempts, attempt][-KEPT:]


def conclude_attempts(order: Order, result: str, places: Iterable[str], visit: str) -> bool:
    """What came of the attempts that had no result yet; one that finds no place is noted even if nothing had been given back.

    `visit` is when the step was entered: another try of the same visit changes nothing. True if anything was written down.
    """
    pending = [attempt for attempt in order.summary.attempts if not attempt.result]
    for attempt in pending:
        attempt.result, attempt.places, attempt.visit = result, sorted(set(places)), visit
    if pending or result != "unfillable" or any(attempt.visit == visit for attempt in order.summary.attempts):
        return bool(pending)
    note_attempt(order, "no location can serve all of it", result=result, places=places, visit=visit)
    return True
