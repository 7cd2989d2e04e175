"""Counting stock and reading it."""

from __future__ import annotations

from typing import Any

from oms.clock import later, stamp
from oms.errors import Conflict, Fault, OmsError, invalid
from oms.flows.idempotency import Request
from oms.inventory.counts import COUNT, Movement, on_hand_now
from oms.inventory.stock import AvailabilityQuery, Stock, StockBatch, StockCount, StockRecord, group_view, view
from oms.storage.inventory import movements, stock_at, stock_of, write_count
from oms.storage.orders import claim_of
from oms.storage.settings import settings
from oms.storage.table import Lost

_ATTEMPTS = 8
_CLOCKS_DIFFER = 60
_BATCH_CLIENT = "inventory-batch"


def count_stock(sku: str, location_id: str, count: StockCount, asked: Request) -> tuple[Stock, bool]:
    """Set the counted figures, as of `effective_at`. Returns the stock and whether this Idempotency-Key was used before.

    Invalid for an unknown location or a time to come; Conflict for a count that is older than the last one, or cannot be.
    """
    _check_location(location_id)
    at = _moment(count.effective_at)
    figures = count.model_dump(exclude={"on_hand", "effective_at"})
    cause = asked.key or f"{count.effective_at or at}={count.on_hand}"
    for _ in range(_ATTEMPTS):
        stock = stock_at(sku, location_id) or Stock(sku=sku, location_id=location_id)
        if asked.earlier():
            return stock, True
        try:
            counted(stock, count.on_hand, at, cause, asked.client, figures, asked.record(status=200))
        except Lost:
            at = _moment(count.effective_at)
            continue
        return stock_at(sku, location_id) or stock, False
    raise Lost(f"stock of {sku} at {location_id} changes too often; try again")


def counted(stock: Stock, count: int, at: str, cause: str, actor: str, figures: dict[str, Any], key: dict[str, Any] | None) -> int | None:
    """Take a count as the truth of the shelf at `at`; what moved since is applied on top. Returns what is on hand now, None if this very
    count was taken before. Lost if something moves right now.

    Fewer than are reserved: noted for stockkeeper, which raises one exception naming the orders now short.
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
    short = stock.reserved - on_hand
    notes = [("stock.short", {"sku": stock.sku, "location_id": stock.location_id, "units": short, "counted_at": at})] if short > 0 else []
    return on_hand if write_count(stock, figures, move, key=key, notes=notes) else None


def changed(stock: Stock, delta: int, at: str, cause: str, actor: str, key: dict[str, Any] | None) -> int | None:
    """Apply a difference; one from before the last count is in that count already and only noted. Returns what is on hand now, None if
    this very difference was applied before. Conflict if less than nothing would be left."""
    effect = delta if at > stock.effective_at else 0
    if stock.on_hand + effect < 0:
        raise Conflict(f"{stock.sku} at {stock.location_id} has {stock.on_hand}; {delta} would leave less than nothing")
    kind = "received" if delta > 0 else "removed"
    move = Movement(sku=stock.sku, location_id=stock.location_id, at=at, kind=kind, delta=effect, cause=cause, actor=actor)
    return stock.on_hand + effect if write_count(stock, {}, move, key=key) else None


def load_batch(batch: StockBatch) -> list[dict[str, Any]]:
    """Apply each record once; a record that is refused says why and does not stop the others."""
    return [_apply(record) for record in batch.records]


def availability(query: AvailabilityQuery) -> list[dict[str, Any]]:
    """Figures per SKU and place, or per SKU and group; all places of the SKU when none are named."""
    rows = stock_of(query.skus)
    known = settings().locations
    out: list[dict[str, Any]] = []
    for sku in query.skus:
        at = {row.location_id: row for row in rows[sku]}
        places = query.location_ids or ([] if query.group_ids else sorted(at))
        out += [view(at.get(place, Stock(sku=sku, location_id=place))) for place in places]
        for group in query.group_ids:
            members = [key for key, place in known.items() if place.enabled and (group == "all" or group in place.groups)]
            out.append(group_view(sku, group, [at[key] for key in members if key in at]))
    return out


def _apply(record: StockRecord) -> dict[str, Any]:
    asked = Request(_BATCH_CLIENT, "records", record.record_id, record.model_dump_json())
    try:
        if (record.on_hand is None) == (record.delta is None):
            raise invalid(Fault("give either on_hand or delta"))
        _check_location(record.location_id)
        status = _count_once(record, asked)
    except OmsError as error:
        return {"record_id": record.record_id, "status": "refused", "detail": str(error)}
    return {"record_id": record.record_id, "status": status}


def _count_once(record: StockRecord, asked: Request) -> str:
    for _ in range(_ATTEMPTS):
        stock = stock_at(record.sku, record.location_id) or Stock(sku=record.sku, location_id=record.location_id)
        if claim_of(asked.name):
            return "repeated"
        at, key = _moment(record.effective_at), asked.record(status=200)
        try:
            if record.on_hand is not None:
                done = counted(stock, record.on_hand, at, record.record_id, asked.client, {}, key)
            else:
                done = changed(stock, record.delta or 0, at, record.record_id, asked.client, key)
        except Lost:
            continue
        return "repeated" if done is None else "applied"
    raise Lost(f"stock of {record.sku} at {record.location_id} changes too often; send the record again")


def _moment(effective_at: str | None) -> str:
    """When a count was made; now unless it says so. Invalid for a time to come, beyond what clocks differ by."""
    now = stamp()
    if effective_at and effective_at > later(now, seconds=_CLOCKS_DIFFER):
        raise invalid(Fault(f"{effective_at} has not come yet (it is {now}); expected supply goes into futures", "/effective_at"))
    return min(effective_at, now) if effective_at else now


def _check_location(location_id: str) -> None:
    if location_id not in settings().locations:
        raise invalid(Fault(f"there is no location '{location_id}'; put it under /v1/locations first", "/location_id"))
