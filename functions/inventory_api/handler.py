"""Stock: counts, changes, availability; checkout reservations."""

from __future__ import annotations

from typing import Any

from oms.api.http import Answer, after_cursor, asked, create_api, cursor_of, header, json_body, page_size, parsed, reply
from oms.api.observe import observed
from oms.errors import Fault, NotFound, invalid
from oms.flows import reservations
from oms.flows.inventory import availability, count_stock
from oms.inventory.reservation_requests import FulfillRequest, ReservationChange, ReservationRequest, TransferRequest
from oms.inventory.reservations import view as reservation_view
from oms.inventory.stock import view
from oms.inventory.stock_requests import AvailabilityQuery, ShardCount, StockBatch, StockCount
from oms.storage.inventory import movements, stock_at
from oms.wire import NoBody

app = create_api()


@app.put("/v1/inventory/<sku>/<location_id>")
def put_stock(sku: str, location_id: str) -> Answer:
    """Set what is counted at one place; reservations stay."""
    count = parsed(json_body(app), StockCount)
    stock, replayed = count_stock(sku, location_id, count, asked(app), header(app, "if-match"))
    return reply(200, view(stock), version=stock.v, replayed=replayed)


@app.post("/v1/inventory/loads")
def post_load() -> Answer:
    """Load a file of counts and differences, or preview what it would change."""
    from oms.flows.loads import request_load  # noqa: PLC0415 files come now and then; sales do not pay for it
    from oms.inventory.loads import LoadRequest, view  # noqa: PLC0415

    load, again = request_load(parsed(json_body(app), LoadRequest), asked(app))
    return reply(202, view(load), version=load.v, replayed=again, location=f"/v1/inventory/loads/{load.id}")


# Before the route of a place, which it would match too: the first that matches is taken.
@app.get("/v1/inventory/loads/<load_id>")
def get_load(load_id: str) -> Answer:
    """How far a load is, what it did, what it refused."""
    from oms.inventory.loads import view  # noqa: PLC0415 as above
    from oms.storage.loads import load as read_load  # noqa: PLC0415

    load = read_load(load_id)
    return reply(200, view(load), version=load.v)


@app.post("/v1/inventory/loads/<load_id>/<action>")
def post_load_action(load_id: str, action: str) -> Answer:
    """approve, cancel, revert."""
    from oms.flows.loads import act  # noqa: PLC0415 as above
    from oms.inventory.loads import view  # noqa: PLC0415

    if action not in ("approve", "cancel", "revert"):
        raise NotFound(f"a load knows no '{action}'; there are approve, cancel and revert")
    parsed(json_body(app, required=False), NoBody)
    load, again = act(load_id, action, asked(app), header(app, "if-match"))
    return reply(200, view(load), version=load.v, replayed=again)


@app.get("/v1/inventory/<sku>/<location_id>")
def get_stock(sku: str, location_id: str) -> Answer:
    """One SKU at one place."""
    stock = stock_at(sku, location_id)
    if stock is None:
        raise _never_counted(sku, location_id)
    return reply(200, view(stock), version=stock.v)


@app.get("/v1/inventory/<sku>/<location_id>/movements")
def get_movements(sku: str, location_id: str) -> Answer:
    """How on_hand came about, newest first."""
    size = page_size(app)
    rows = list(movements(sku, location_id, newest_first=True, limit=size, before=after_cursor(app) or "~"))
    if not rows and stock_at(sku, location_id) is None:
        raise _never_counted(sku, location_id)
    last = cursor_of({"at": f"{rows[-1].at}#{rows[-1].cause}"}) if len(rows) == size else None
    return reply(200, {"data": [row.model_dump(exclude_none=True) for row in rows], "next_cursor": last})


@app.put("/v1/inventory/<sku>/<location_id>/shards")
def put_shards(sku: str, location_id: str) -> Answer:
    """Set how many rows the sales of a hot item share; what it has is spread over them while it goes on selling."""
    from oms.flows.shards import change_shards  # noqa: PLC0415 few items are hot

    stock, replayed = change_shards(sku, location_id, parsed(json_body(app), ShardCount), asked(app))
    return reply(200, view(stock), version=stock.v, replayed=replayed)


@app.post("/v1/inventory/batch")
def post_batch() -> Answer:
    """Up to 100 counts or changes; a record id counts once."""
    from oms.flows.records import load_batch  # noqa: PLC0415 sales do not pay for it

    done, replayed = load_batch(parsed(json_body(app), StockBatch), asked(app))
    return reply(200, {"data": done}, replayed=replayed)


@app.post("/v1/inventory/availability")
def post_availability() -> Answer:
    """Figures of up to 100 SKUs at up to 100 places or groups."""
    return reply(200, {"data": availability(parsed(json_body(app), AvailabilityQuery))})


@app.post("/v1/routing/preview")
def post_preview() -> Answer:
    """Where an order would go, best route first; nothing is reserved."""
    from oms.flows.preview import routing_preview  # noqa: PLC0415 asked for by hand, now and then; all other calls would pay for it
    from oms.routing.preview import RoutingPreview  # noqa: PLC0415

    return reply(200, routing_preview(parsed(json_body(app), RoutingPreview)))


@app.get("/v1/inventory/changes")
def get_changes() -> Answer:
    """Which places changed since a cursor, with their figures now."""
    from oms.flows.changes import changed_since  # noqa: PLC0415 sales do not pay for it

    cursor = (app.current_event.query_string_parameters or {}).get("cursor", "")
    return reply(200, changed_since(cursor, page_size(app, default=100)))


@app.get("/v1/backorders")
def get_backorders() -> Answer:
    """Who waits for a SKU, in the order in which arrivals are granted."""
    from oms.flows.backorders import queue_of  # noqa: PLC0415 sales do not pay for it

    sku = (app.current_event.query_string_parameters or {}).get("sku", "")
    if not sku:
        raise invalid(Fault("name a SKU", "/sku"))
    size, position, at = page_size(app), 0, after_cursor(app)
    if at:
        before, _, at = at.partition("#")
        position = int(before) if before.isdecimal() else 0
    rows = queue_of(sku, limit=size, after=at, position=position)
    more = {"at": f"{rows[-1]['position']}#{rows[-1].pop('at')}"} if len(rows) == size else None
    return reply(200, {"data": [{name: row[name] for name in row if name != "at"} for row in rows], "next_cursor": cursor_of(more)})


@app.post("/v1/reservations")
def post_reservation() -> Answer:
    """Reserve stock for a cart, all or nothing or in part."""
    done = reservations.make(parsed(json_body(app), ReservationRequest), asked(app))
    return _reservation(done, 201, location=f"/v1/reservations/{done[0].id}")


@app.get("/v1/reservations/<reservation_id>")
def get_reservation(reservation_id: str) -> Answer:
    """One reservation."""
    return _reservation((reservations.read(reservation_id), False))


@app.patch("/v1/reservations/<reservation_id>")
def patch_reservation(reservation_id: str) -> Answer:
    """New quantities, more time."""
    change = parsed(json_body(app), ReservationChange)
    return _reservation(reservations.change(reservation_id, change, asked(app), header(app, "if-match")))


@app.delete("/v1/reservations/<reservation_id>")
def delete_reservation(reservation_id: str) -> Answer:
    """Give everything back; again: nothing happens."""
    return _reservation(reservations.release(reservation_id, asked(app), header(app, "if-match")))


@app.post("/v1/reservations/<reservation_id>/transfer")
def post_transfer(reservation_id: str) -> Answer:
    """Hold units at other locations instead."""
    moves = parsed(json_body(app), TransferRequest)
    return _reservation(reservations.transfer(reservation_id, moves, asked(app), header(app, "if-match")))


@app.post("/v1/reservations/<reservation_id>/fulfill")
def post_fulfill(reservation_id: str) -> Answer:
    """Reserved units left the shelf, without an order."""
    gone = parsed(json_body(app, required=False), FulfillRequest)
    return _reservation(reservations.fulfill(reservation_id, gone, asked(app), header(app, "if-match")))


def _never_counted(sku: str, location_id: str) -> NotFound:
    return NotFound(f"{sku} was never counted at {location_id}")


def _reservation(done: reservations.Done, status: int = 200, location: str | None = None) -> Answer:
    found, again = done
    return reply(status, reservation_view(found), version=found.record.v, replayed=again, location=location)


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
