"""Reservations whose time is over: found by the clock every minute, or by a sale that would be short without their units.

Whoever comes first gives the units back, once: the record's version decides. Nobody's death matters, for what is due stays listed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable

from oms.clock import stamp
from oms.errors import Retryable
from oms.inventory.reservations import expire
from oms.storage.orders import Cause
from oms.storage.reservations import commit, due, due_of, find

_ATTEMPTS = 6
_SALE_WAITS = 5  # seconds that a sale gives to what is due of its SKUs: its caller waits for it
_LEFT = 30  # seconds that a sweep leaves to the other sweeps


def sweep_reservations(seconds_left: Callable[[], float]) -> int:
    """Expire what is due. Returns how many reservations that was; what one pass has no time for is the next one's.

    One that fails does not keep the others from it; the error is raised when they have had their turn, for the alarm.
    """
    done, failed = 0, None
    for reservation_id in due(stamp()):
        if seconds_left() < _LEFT:
            break
        try:
            done += give_back(reservation_id, "reservations")
        except Exception as error:
            # Whatever it is, as above.
            failed = error
    if failed:
        raise failed
    return done


def expire_due(skus: Iterable[str]) -> int:
    """Expire what is due of these SKUs, for a sale that would be short. Returns how many reservations that was."""
    now, until, done = stamp(), time.monotonic() + _SALE_WAITS, 0
    found = {reservation_id for sku in sorted(set(skus)) for reservation_id in due_of(sku, now)}
    # In an order of its own: buyers who are short at the same moment would meet at every single one.
    for reservation_id in random.sample(sorted(found), len(found)):
        if time.monotonic() > until:
            break
        try:
            done += give_back(reservation_id, "short sale")
        except Retryable:
            continue
    return done


def give_back(reservation_id: str, cause: str) -> bool:
    """Expire a reservation if its time is over, and empty it if it has ended. False if there was nothing to do.

    Returns when it holds nothing any more, whoever did it.
    """
    done, attempt = False, 0
    while True:
        found = find(reservation_id, stamp())
        if found is None or not found.record.held() or found.is_open:
            return done
        expire(found)
        try:
            commit(found, Cause("expiry", cause))
        except Retryable:
            attempt += 1
            if attempt == _ATTEMPTS:
                raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
            continue
        done = True
