"""Checkout reservations as callers make and change them: each call once per Idempotency-Key, each change one transaction."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection

from oms.clock import stamp
from oms.errors import Conflict, Refused
from oms.flows.expiry import expire_due, give_back
from oms.flows.idempotency import Request
from oms.inventory import reservations, reserving
from oms.inventory.reservation_requests import FulfillRequest, ReservationChange, ReservationRequest, TransferRequest
from oms.inventory.reservations import Reservation
from oms.storage.inventory import stock_of, stock_to_sell
from oms.storage.orders import Cause, StockShort, Taken
from oms.storage.reservations import commit, load
from oms.storage.settings import settings
from oms.storage.table import Lost

_ATTEMPTS = 8
Done = tuple[Reservation, bool]
"""A reservation, and whether this Idempotency-Key was used before."""


def make(request: ReservationRequest, asked: Request) -> Done:
    """Reserve stock for a cart. Conflict naming the lines that stock is short for; Invalid for a group without locations."""
    skus = [line.sku for line in request.lines]

    def attempt(first: bool) -> Reservation:
        # What is read first may be old, and of a hot item it is a part: good enough to reserve from, not to give less than was asked for.
        stock = stock_to_sell({line.sku: line.quantity for line in request.lines}) if first else stock_of(skus)
        return reserving.reserve(request, stock, settings(), stamp())

    return _once(attempt, skus, asked, 201)


def change(reservation_id: str, request: ReservationChange, asked: Request, if_match: str | None) -> Done:
    """New quantities, more time. Conflict for short stock, or when it is open no more."""
    skus = [line.sku for line in request.lines]
    return _change(reservation_id, lambda r: reserving.change(r, request, stock_of(skus), settings()), skus, asked, if_match)


def transfer(reservation_id: str, request: TransferRequest, asked: Request, if_match: str | None) -> Done:
    """Hold units at other places. Conflict when they are not reserved there, or the other place does not have them."""
    skus = [line.sku for line in request.lines]
    return _change(reservation_id, lambda r: reserving.transfer(r, request, stock_of(skus), settings()), skus, asked, if_match)


def fulfill(reservation_id: str, request: FulfillRequest, asked: Request, if_match: str | None) -> Done:
    """Reserved units left the shelf."""

    def act(found: Reservation) -> None:
        reserving.fulfill(found, request, stock_of(line.sku for line in found.record.lines))

    return _change(reservation_id, act, (), asked, if_match)


def release(reservation_id: str, asked: Request, if_match: str | None) -> Done:
    """Give everything back; again: nothing happens."""
    found, again = _change(reservation_id, reservations.release, (), asked, if_match)
    if found.record.held():
        give_back(reservation_id, "released")
        found = load(reservation_id, stamp())
    return found, again


def read(reservation_id: str) -> Reservation:
    """One reservation; NotFound if there is none."""
    return load(reservation_id, stamp())


def _change(reservation_id: str, act: Callable[[Reservation], None], skus: Collection[str], asked: Request, if_match: str | None) -> Done:
    def attempt(_: bool) -> Reservation:
        found = load(reservation_id, stamp())
        found.expect(if_match)
        act(found)
        return found

    return _once(attempt, skus, asked, 200)


def _once(attempt: Callable[[bool], Reservation], skus: Collection[str], asked: Request, status: int) -> Done:
    """Decide and commit, again while others come first. Nobody is refused or given less before what is due of these SKUs is swept."""
    swept = False
    for number in range(_ATTEMPTS):
        last = number == _ATTEMPTS - 1
        try:
            decided = attempt(number == 0)
            if swept or last or not _short(decided, skus):
                commit(decided, Cause(f"client:{asked.client}", asked.key or asked.route, _key(asked, decided.id, status)))
                return decided, False
        except (Taken, Refused) as error:
            # A repetition finds its key used, or is refused because the first time has done it: only then is the key looked up.
            earlier = asked.earlier()
            if earlier:
                return load(str(earlier["subject"]), stamp()), True
            if swept or last or not (isinstance(error, Conflict) and error.kind == "out-of-stock"):
                raise
        except (StockShort, Lost):
            if last:
                raise
            time.sleep(random.uniform(0, 0.02 * 2**number))
            continue
        expire_due(skus)
        swept = True
    raise AssertionError("unreachable")


def _short(reservation: Reservation, skus: Collection[str]) -> bool:
    """Whether it holds less of one of these SKUs than it is to."""
    return any(line.reserved + line.fulfilled < line.quantity for line in reservation.record.lines if line.sku in skus)


def _key(asked: Request, reservation_id: str, status: int) -> Callable[[], dict[str, object] | None]:
    return lambda: asked.record(status=status, subject=reservation_id)
