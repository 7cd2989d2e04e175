"""Counting stock and reading it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from oms.clock import later, stamp
from oms.errors import Fault, invalid
from oms.flows.idempotency import Request
from oms.inventory.counts import COUNT, Movement, difference_now, on_hand_now
from oms.inventory.stock import Stock, group_view, view
from oms.inventory.stock_requests import AvailabilityQuery, StockCount
from oms.settings import Location
from oms.storage.inventory import movements, stock_at, stock_of, write_count
from oms.storage.settings import settings
from oms.storage.table import Lost

_ATTEMPTS = 8
_CLOCKS_DIFFER = 60


def count_stock(sku: str, location_id: str, count: StockCount, asked: Request, if_match: str | None = None) -> tuple[Stock, bool]:
    """Set the counted figures, as of `effective_at`. Returns the stock and whether this Idempotency-Key was used before.

    Invalid for an unknown location or a time to come; Conflict for a count that is older than the last one, or cannot be; Stale when
    anything has changed, a sale included, since the version that `if_match` names.
    """
    check_location(location_id)
    at = moment(count.effective_at)
    figures = count.model_dump(exclude={"on_hand", "effective_at"})
    cause = asked.key or f"{count.effective_at or at}={count.on_hand}"
    for attempt in range(_ATTEMPTS):
        stock = stock_at(sku, location_id) or Stock(sku=sku, location_id=location_id)
        if asked.earlier():
            return stock, True
        # The rows of a hot item change under their own count: of that one only what the caller has seen is compared.
        hot = stock.width > 1
        if attempt == 0 or not hot:
            stock.expect(if_match)
        exact = bool(if_match and stock.v) and not hot
        try:
            counted(stock, count.on_hand, at, cause, asked.client, figures, asked.record(status=200), exact=exact)
        except Lost:
            at = moment(count.effective_at)
            continue
        return stock_at(sku, location_id) or stock, False
    raise Lost(f"stock of {sku} at {location_id} changes too often; try again")


def counted(
    stock: Stock,
    count: int,
    at: str,
    cause: str,
    actor: str,
    figures: dict[str, Any],
    key: dict[str, Any] | None,
    *,
    tell: bool = True,
    exact: bool = False,
    batch: str = "",
) -> int | None:
    """Take a count as the truth of the shelf at `at`; what moved since is applied on top. Returns what is on hand now, None if this very
    count was taken before. Lost if something moves right now; with `exact` also if something is sold.

    Fewer than are reserved: noted for stockkeeper, which raises one exception naming the orders now short; not if the caller does not
    let it `tell`, because it will do so itself. `batch`: the call that this count came with; all it leaves short is one exception.
    """
    since = movements(stock.sku, stock.location_id, after=at) if stock.moves and at < stamp() else ()
    on_hand = on_hand_now(stock, count, at, since)
    move = Movement(
        sku=stock.sku,
        location_id=stock.location_id,
        at=at,
        kind=COUNT,
        delta=on_hand - stock.on_hand,
        cause=cause,
        actor=actor,
        on_hand=count,
    )
    notes = _short(stock, on_hand, at, batch) if tell else []
    return on_hand if write_count(stock, figures, move, key=key, notes=notes, exact=exact) else None


def changed(
    stock: Stock, delta: int, at: str, cause: str, actor: str, key: dict[str, Any] | None, *, tell: bool = True, batch: str = ""
) -> int | None:
    """Apply a difference; one from before the last count is in that count already and only noted. Returns what is on hand now, None if
    this very difference was applied before. Conflict if less than nothing would be left. Fewer than are reserved: as with a count."""
    effect = difference_now(stock, delta, at)
    kind = "received" if delta > 0 else "removed"
    move = Movement(sku=stock.sku, location_id=stock.location_id, at=at, kind=kind, delta=effect, cause=cause, actor=actor)
    on_hand = stock.on_hand + effect
    notes = _short(stock, on_hand, at, batch) if tell and effect else []
    return on_hand if write_count(stock, {}, move, key=key, notes=notes) else None


def availability(query: AvailabilityQuery) -> list[dict[str, Any]]:
    """Figures per SKU and place, or per SKU and group; all places of the SKU when none are named. Invalid for a place or group there is
    none of: nothing there looks like sold out."""
    known = settings().locations
    _check_places(query, known)
    rows = stock_of(query.skus, certain=False)
    out: list[dict[str, Any]] = []
    for sku in query.skus:
        at = {row.location_id: row for row in rows[sku]}
        places = query.location_ids or ([] if query.group_ids else sorted(at))
        out += [view(at.get(place, Stock(sku=sku, location_id=place))) for place in places]
        for group in query.group_ids:
            members = [key for key, place in known.items() if place.enabled and (group == "all" or group in place.groups)]
            out.append(group_view(sku, group, [at[key] for key in members if key in at]))
    return out


def _check_places(query: AvailabilityQuery, known: Mapping[str, Location]) -> None:
    groups = {"all", *(group for place in known.values() for group in place.groups)}
    faults = [Fault(f"there is no location '{key}'", f"/location_ids/{n}") for n, key in enumerate(query.location_ids) if key not in known]
    faults += [
        Fault(f"no location belongs to a group '{key}'", f"/group_ids/{n}") for n, key in enumerate(query.group_ids) if key not in groups
    ]
    if faults:
        raise invalid(*faults)


def _short(stock: Stock, on_hand: int, at: str, batch: str) -> list[tuple[str, dict[str, Any]]]:
    short = stock.reserved - on_hand
    data = {"sku": stock.sku, "location_id": stock.location_id, "units": short, "counted_at": at, **({"batch": batch} if batch else {})}
    return [("stock.short", data)] if short > 0 else []


def moment(effective_at: str | None) -> str:
    """When a count was made; now unless it says so. Invalid for a time to come, beyond what clocks differ by."""
    now = stamp()
    if effective_at and effective_at > later(now, seconds=_CLOCKS_DIFFER):
        raise invalid(Fault(f"{effective_at} has not come yet (it is {now}); expected supply goes into futures", "/effective_at"))
    return min(effective_at, now) if effective_at else now


def check_location(location_id: str, known: Collection[str] | None = None) -> None:
    """Invalid for a location that is not in the settings, or not among those `known`."""
    if location_id not in (settings().locations if known is None else known):
        raise invalid(Fault(f"there is no location '{location_id}'; put it under /v1/locations first", "/location_id"))
