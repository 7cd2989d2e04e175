"""Checkout reservations: stock kept for a while at concrete places, for a cart that may become an order.

    open -> taken        an order came and took the units over
         -> fulfilled    the goods left the shelf without an order
         -> released     by hand, or nothing was left in it
         -> expired      nobody came in time

What a reservation holds is its lines' pins, whatever its status: one that has ended with many pins is emptied in steps, because one
transaction has room for so many, and stays in the due index until it holds nothing.
"""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from oms.clock import stamp
from oms.errors import Conflict, expect_version
from oms.orders.order import Order, StockChange
from oms.orders.quantities import open_units, reserved
from oms.orders.records import Fact, Record
from oms.routing.serving import may_serve
from oms.settings import Settings
from oms.stored import Stored

AT_ONCE = 20
"""Pins that are given back in one commit: each is a stock row, with what else it needs (a reserved item, a due entry, debts that move)."""


class HeldLine(Stored):
    """One SKU of a reservation: what was asked for, what is held where, what has left the shelf."""

    sku: str
    quantity: int
    pins: dict[str, int] = {}
    fulfilled: int = 0

    @property
    def reserved(self) -> int:
        """Units held."""
        return sum(self.pins.values())


class ReservationRecord(Record):
    """What is stored of a reservation."""

    id: str
    status: Literal["open", "taken", "released", "expired", "fulfilled"] = "open"
    group_id: str = "all"
    created_at: str
    expires_at: str
    lines: list[HeldLine]
    order_id: str | None = None

    def held(self) -> dict[str, dict[str, int]]:
        """Units held per location and SKU."""
        out: dict[str, dict[str, int]] = {}
        for line in self.lines:
            for place, units in line.pins.items():
                out.setdefault(place, {})[line.sku] = units
        return out

    def due(self) -> set[tuple[str, str]]:
        """Its entries in the SKUs' due lists: (SKU, time)."""
        return {(line.sku, self.expires_at) for line in self.lines if line.pins}


@dataclass
class Reservation:
    """A reservation in memory: its record as a command has changed it, the record `before`, and what the commit does beside that."""

    record: ReservationRecord
    before: ReservationRecord | None = None
    now: str = field(default_factory=stamp)
    facts: list[Fact] = field(default_factory=list)
    stock: list[StockChange] = field(default_factory=list)
    draw: Callable[[], float] = random.random

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def is_open(self) -> bool:
        """Whether its units may be used: open, and its time is not over (swept or not)."""
        return self.record.status == "open" and self.record.expires_at > self.now

    def note(self, what: str, **data: object) -> None:
        """Note that something happened to it; it becomes one event of this commit."""
        self.facts.append(Fact(type=f"reservation.{what}", data=data))

    def line(self, sku: str) -> HeldLine | None:
        """The line of a SKU."""
        return next((line for line in self.record.lines if line.sku == sku), None)

    def expect(self, if_match: str | None) -> None:
        """Stale unless If-Match is absent, "*" or names the present version."""
        expect_version("the reservation", self.record.v, if_match)


def release(reservation: Reservation) -> None:
    """Give everything back; once it has ended that way, nothing happens, and one whose time is over has expired. Conflict when it became
    an order or the goods have left."""
    record = reservation.record
    if record.status in ("taken", "fulfilled"):
        by = f" by order {record.order_id}; cancel that" if record.order_id else "; return the goods instead"
        raise Conflict(f"reservation {record.id} was {record.status}{by}")
    if record.status == "open" and not reservation.is_open:
        expire(reservation)
    elif record.status == "open":
        _end(reservation, "released")
        reservation.note("released", lines=figures(record))
        empty(reservation)


def expire(reservation: Reservation) -> None:
    """Give everything back when the time is over; before that, and once it has ended, nothing happens."""
    if reservation.record.status == "open" and not reservation.is_open:
        reservation.note("expired", lines=figures(reservation.record))
        _end(reservation, "expired")
    empty(reservation)


def empty(reservation: Reservation) -> None:
    """Give back what a reservation that has ended still holds, as much as one commit has room for."""
    if reservation.record.status == "open":
        return
    pins = [(line, place) for line in reservation.record.lines for place in sorted(line.pins)]
    for line, place in pins[:AT_ONCE]:
        reservation.stock.append(StockChange(line.sku, place, reserve=-line.pins.pop(place)))


def take_over(order: Order, reservation: Reservation, settings: Settings) -> None:
    """The order takes the reserved units over where it may be served from: they become its pins, stock does not change. The rest goes back.

    Whoever may be served from the fewest places chooses first, so that a pickup finds its shop's units.
    """
    record = reservation.record
    lines = [(line, state, {place.id for place in may_serve(order, line, settings)}) for line, state in order.lines()]
    for line, state, places in sorted(lines, key=lambda each: len(each[2])):
        held = reservation.line(line.sku)
        for place, units in sorted(held.pins.items(), key=lambda pin: (-pin[1], pin[0])) if held else ():
            part = min(units, open_units(state) - reserved(state)) if place in places else 0
            if held and part:
                lower(held, place, part)
                state.pins[place] = state.pins.get(place, 0) + part
    _end(reservation, "taken")
    record.order_id = order.id
    reservation.note("taken", order_id=order.id)
    empty(reservation)
    # One transaction writes a row once: what goes back is summed with what the order does to the same row.
    order.stock += reservation.stock
    reservation.stock = []


def figures(record: ReservationRecord) -> list[dict[str, Any]]:
    """The lines as the API and events show them."""
    return [
        {
            "sku": line.sku,
            "quantity": line.quantity,
            "reserved": line.reserved,
            "fulfilled": line.fulfilled,
            "locations": [{"location_id": place, "quantity": units} for place, units in sorted(line.pins.items())],
        }
        for line in record.lines
    ]


def view(reservation: Reservation) -> dict[str, Any]:
    """A reservation as the API shows it. One whose time is over shows as expired, even if nobody has swept it yet."""
    record = reservation.record
    status = "expired" if record.status == "open" and not reservation.is_open else record.status
    return {
        "id": record.id,
        "version": record.v,
        "status": status,
        "group_id": record.group_id,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "order_id": record.order_id,
        "lines": figures(record),
    }


def lower(line: HeldLine, place: str, units: int) -> None:
    """Hold less of a line at a place."""
    line.pins[place] -= units
    if not line.pins[place]:
        del line.pins[place]


def _end(reservation: Reservation, status: Literal["taken", "released", "expired"]) -> None:
    """Whatever it still holds is due at once."""
    reservation.record.status = status
    reservation.record.expires_at = min(reservation.record.expires_at, reservation.now)
