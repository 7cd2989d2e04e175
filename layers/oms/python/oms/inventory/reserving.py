"""What fills and changes a checkout reservation. Each function decides from the stock that was read; the commit is the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oms.clock import later
from oms.errors import Conflict, Fault, invalid
from oms.ids import new_id
from oms.inventory.reservation_requests import MOST_LINES, FulfillRequest, ReservationChange, ReservationRequest, TransferRequest
from oms.inventory.reservations import HeldLine, Reservation, ReservationRecord, figures, lower
from oms.orders.order import StockChange
from oms.routing.route import Demand, Destination, Place, Plan, Rules, plan
from oms.routing.serving import StockRows, sale
from oms.settings import Settings


def reserve(request: ReservationRequest, stock: StockRows, settings: Settings, now: str) -> Reservation:
    """A new reservation: pinned at the fewest places of its group. Invalid for a group without locations.

    Conflict naming the lines that stock is short for, unless a part is allowed and there is one.
    """
    if not settings.in_group(request.group_id):
        raise invalid(Fault(f"no location that is switched on belongs to the group '{request.group_id}'", "/group_id"))
    made = Reservation(
        ReservationRecord(
            id=new_id("res"),
            group_id=request.group_id,
            created_at=now,
            expires_at=later(now, seconds=request.expires_in),
            lines=[HeldLine(sku=line.sku, quantity=line.quantity) for line in request.lines],
        ),
        now=now,
    )
    wanted = {line.sku: line.quantity for line in request.lines}
    _pin(made, wanted, stock, settings, list(wanted), request.allow_partial)
    made.note("created", expires_at=made.record.expires_at, lines=figures(made.record))
    return made


def change(reservation: Reservation, request: ReservationChange, stock: StockRows, settings: Settings) -> None:
    """New quantities and a new time. Conflict for short stock (nothing changes then) and for less than has left the shelf already."""
    _must_be_open(reservation)
    record = reservation.record
    wanted: dict[str, int] = {}
    for index, asked in enumerate(request.lines):
        line = reservation.line(asked.sku)
        if line is None:
            line = HeldLine(sku=asked.sku, quantity=0)
            record.lines.append(line)
        if asked.quantity < line.fulfilled:
            raise Conflict(
                f"{line.fulfilled} of {asked.sku} have left the shelf already", errors=[_fault(index, "cannot be less than that")]
            )
        line.quantity = asked.quantity
        more = asked.quantity - line.fulfilled - line.reserved
        if more > 0:
            wanted[asked.sku] = more
        for place, units in _from_pins(line, -more):
            reservation.stock.append(StockChange(line.sku, place, reserve=-units))
    record.lines = [line for line in record.lines if line.quantity]
    if len(record.lines) > MOST_LINES:
        raise invalid(Fault(f"a reservation has at most {MOST_LINES} SKUs; this one would have {len(record.lines)}", "/lines"))
    _pin(reservation, wanted, stock, settings, [line.sku for line in request.lines], request.allow_partial)
    if reservation.before is None or record.lines != reservation.before.lines:
        reservation.note("changed", lines=figures(record))
    if request.expires_in is not None:
        record.expires_at = later(reservation.now, seconds=request.expires_in)
        reservation.note("extended", expires_at=record.expires_at)
    _end_when_empty(reservation)


def transfer(reservation: Reservation, request: TransferRequest, stock: StockRows, settings: Settings) -> None:
    """Hold units at another place instead. Invalid for a place outside the reservation's group; Conflict for units that are not reserved
    there, or that the other place does not have."""
    _must_be_open(reservation)
    places = settings.in_group(reservation.record.group_id)
    unknown = [
        Fault(f"'{move.to}' is no location that is switched on in the group '{reservation.record.group_id}'", f"/lines/{index}/to")
        for index, move in enumerate(request.lines)
        if move.to not in places
    ]
    if unknown:
        raise invalid(*unknown)
    for index, move in enumerate(request.lines):
        line = reservation.line(move.sku)
        if line is None or line.pins.get(move.from_, 0) < move.quantity:
            there = line.pins.get(move.from_, 0) if line else 0
            raise Conflict("less is reserved", errors=[_fault(index, f"{there} of {move.sku} are reserved at {move.from_}")])
        have = _available(reservation, move.sku, move.to, stock)
        if have < move.quantity:
            raise Conflict("stock is short", kind="out-of-stock", errors=[_fault(index, f"{move.to} has {max(0, have)} of {move.sku}")])
        list(_from_pins(line, move.quantity, move.from_))
        reservation.stock.append(StockChange(move.sku, move.from_, reserve=-move.quantity))
        _hold(reservation, line, move.to, move.quantity, stock)
    moves = [{"sku": move.sku, "quantity": move.quantity, "from": move.from_, "to": move.to} for move in request.lines]
    reservation.note("transferred", lines=moves)


def fulfill(reservation: Reservation, request: FulfillRequest, stock: StockRows) -> None:
    """Reserved units left the shelf: on_hand and reserved fall together. Conflict for more than is reserved, or than is there."""
    _must_be_open(reservation)
    gone: list[dict[str, Any]] = []
    for index, (sku, units, place) in enumerate(_leaving(reservation, request)):
        line = reservation.line(sku)
        there = line.pins.get(place, 0) if line and place else line.reserved if line else 0
        if line is None or there < units:
            raise Conflict("less is reserved", errors=[_fault(index, f"{there} of {sku} are reserved{f' at {place}' if place else ''}")])
        for at, part in _from_pins(line, units, place):
            on_hand = next((row.on_hand for row in stock.get(sku, ()) if row.location_id == at), 0)
            on_hand += sum(change.on_hand for change in reservation.stock if (change.sku, change.location_id) == (sku, at))
            if on_hand < part:
                raise Conflict("less is on hand", errors=[_fault(index, f"{at} has {on_hand} of {sku}; count it again")])
            reservation.stock.append(StockChange(sku, at, reserve=-part, on_hand=-part, cause=request.reference or ""))
            line.fulfilled += part
            gone.append({"sku": sku, "location_id": at, "quantity": part})
    reservation.note("fulfilled", lines=gone, **({"reference": request.reference} if request.reference else {}))
    _end_when_empty(reservation)


def _pin(
    reservation: Reservation, wanted: Mapping[str, int], stock: StockRows, settings: Settings, skus: Sequence[str], partial: bool
) -> None:
    """Hold these units: at places that hold some already if those have them all, else at the fewest of the group."""
    places = settings.in_group(reservation.record.group_id)
    here = [place for place in places if place in reservation.record.held()]
    route = _route(reservation, wanted, stock, settings, here)
    if route.unallocated:
        route = _route(reservation, wanted, stock, settings, list(places))
    nothing = not route.take and not reservation.record.held()
    if route.unallocated and (nothing or not partial):
        raise Conflict(
            "stock is short",
            kind="out-of-stock",
            errors=[_fault(skus.index(sku), f"{units} of {sku} are not in stock") for sku, units in route.unallocated.items()],
        )
    for place, units in route.take.items():
        for sku, part in units.items():
            line = reservation.line(sku)
            if line:
                _hold(reservation, line, place, part, stock)


def _route(reservation: Reservation, wanted: Mapping[str, int], stock: StockRows, settings: Settings, places: Sequence[str]) -> Plan:
    """The fewest of these places, then the best priority: a cart has no address yet, so no rule group is asked."""
    seen = [
        Place(
            id=place,
            priority=settings.locations[place].priority,
            stock={sku: units for sku in wanted if (units := _available(reservation, sku, place, stock)) > 0},
        )
        for place in places
    ]
    return plan([Demand(sku, sku, units) for sku, units in wanted.items()], Destination(), seen, Rules())


def _available(reservation: Reservation, sku: str, place: str, stock: StockRows) -> int:
    have = next((row.available for row in stock.get(sku, ()) if row.location_id == place and not row.blocked), 0)
    return have - sum(change.reserve for change in reservation.stock if (change.sku, change.location_id) == (sku, place))


def _hold(reservation: Reservation, line: HeldLine, place: str, units: int, stock: StockRows) -> None:
    line.pins[place] = line.pins.get(place, 0) + units
    reservation.stock += sale(line.sku, place, units, stock, reservation.stock, reservation.draw)


def _from_pins(line: HeldLine, units: int, only: str | None = None) -> Iterator[tuple[str, int]]:
    """Take units out of a line's pins, the smallest first, so that few places are left: (place, units)."""
    for place, there in sorted(line.pins.items(), key=lambda pin: (pin[1], pin[0])):
        part = min(units, there) if only in (None, place) else 0
        if part > 0:
            lower(line, place, part)
            units -= part
            yield place, part


def _leaving(reservation: Reservation, request: FulfillRequest) -> list[tuple[str, int, str | None]]:
    if request.lines:
        return [(line.sku, line.quantity, line.location_id) for line in request.lines]
    return [(line.sku, line.reserved, None) for line in reservation.record.lines if line.pins]


def _must_be_open(reservation: Reservation) -> None:
    record = reservation.record
    if record.status in ("taken", "released", "fulfilled"):
        raise Conflict(f"reservation {record.id} was {record.status}; make a new one", kind=f"reservation-{record.status}")
    if not reservation.is_open:
        raise Conflict(f"reservation {record.id} expired at {record.expires_at}; make a new one", kind="reservation-expired")


def _end_when_empty(reservation: Reservation) -> None:
    record = reservation.record
    if not record.held():
        record.status = "fulfilled" if any(line.fulfilled for line in record.lines) else "released"
        if record.status == "released":
            reservation.note("released", lines=[])


def _fault(index: int, detail: str) -> Fault:
    return Fault(detail, f"/lines/{index}")
