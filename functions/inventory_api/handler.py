"""Stock: counts, changes, availability."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Response

from oms.api.http import after_cursor, asked, create_api, cursor_of, json_body, page_size, parsed, reply
from oms.api.observe import observed
from oms.errors import NotFound
from oms.flows.inventory import availability, count_stock, load_batch
from oms.inventory.stock import AvailabilityQuery, StockBatch, StockCount, view
from oms.storage.inventory import movements, stock_at

app = create_api()


@app.put("/v1/inventory/<sku>/<location_id>")
def put_stock(sku: str, location_id: str) -> Response[str]:
    """Set what is counted at one place; reservations stay."""
    stock, replayed = count_stock(sku, location_id, parsed(json_body(app), StockCount), asked(app))
    return reply(200, view(stock), version=stock.v, replayed=replayed)


@app.get("/v1/inventory/<sku>/<location_id>")
def get_stock(sku: str, location_id: str) -> Response[str]:
    """One SKU at one place."""
    stock = stock_at(sku, location_id)
    if stock is None:
        raise NotFound(f"{sku} was never counted at {location_id}")
    return reply(200, view(stock), version=stock.v)


@app.get("/v1/inventory/<sku>/<location_id>/movements")
def get_movements(sku: str, location_id: str) -> Response[str]:
    """How on_hand came about, newest first."""
    size = page_size(app)
    rows = list(movements(sku, location_id, newest_first=True, limit=size, before=after_cursor(app) or "~"))
    last = cursor_of({"at": f"{rows[-1].at}#{rows[-1].cause}"}) if len(rows) == size else None
    return reply(200, {"data": [row.model_dump(exclude_none=True) for row in rows], "next_cursor": last})


@app.post("/v1/inventory/batch")
def post_batch() -> Response[str]:
    """Up to 100 counts or changes; a record id counts once."""
    return reply(200, {"data": load_batch(parsed(json_body(app), StockBatch))})


@app.post("/v1/inventory/availability")
def post_availability() -> Response[str]:
    """Figures of up to 100 SKUs at up to 100 places or groups."""
    return reply(200, {"data": availability(parsed(json_body(app), AvailabilityQuery))})


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
