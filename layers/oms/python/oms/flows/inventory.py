"""Counting stock and reading it."""

from __future__ import annotations

from typing import Any

from oms.clock import stamp
from oms.errors import Conflict, Fault, OmsError, invalid
from oms.flows.idempotency import Request
from oms.inventory.stock import AvailabilityQuery, Stock, StockBatch, StockCount, StockRecord, group_view, view
from oms.storage.inventory import put_count, stock_at, stock_of
from oms.storage.orders import claim_of
from oms.storage.settings import settings
from oms.storage.table import Lost

_ATTEMPTS = 8
_BATCH_CLIENT = "inventory-batch"


def count_stock(sku: str, location_id: str, count: StockCount, asked: Request) -> tuple[Stock, bool]:
    """Set the counted figures. Returns the stock and whether this Idempotency-Key was used before. Invalid for an unknown location."""
    _check_location(location_id)
    figures: dict[str, Any] = count.model_dump()
    figures["effective_at"] = count.effective_at or stamp()
    for _ in range(_ATTEMPTS):
        stock = stock_at(sku, location_id)
        if asked.earlier():
            return stock or Stock(sku=sku, location_id=location_id), True
        try:
            return put_count(stock, sku, location_id, figures, asked.record(status=200)), False
        except Lost:
            continue
    raise Lost(f"stock of {sku} at {location_id} changes too often; try again")


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
        stock = stock_at(record.sku, record.location_id)
        if claim_of(asked.name):
            return "repeated"
        before = stock.on_hand if stock else 0
        after = record.on_hand if record.on_hand is not None else before + (record.delta or 0)
        if after < 0:
            raise Conflict(f"{record.sku} at {record.location_id} has {before}; {record.delta} would leave less than nothing")
        figures = {"on_hand": after, "effective_at": record.effective_at or stamp()}
        try:
            put_count(stock, record.sku, record.location_id, figures, asked.record(status=200))
        except Lost:
            continue
        return "applied"
    raise Lost(f"stock of {record.sku} at {record.location_id} changes too often; send the record again")


def _check_location(location_id: str) -> None:
    if location_id not in settings().locations:
        raise invalid(Fault(f"there is no location '{location_id}'; put it under /v1/locations first", "/location_id"))
