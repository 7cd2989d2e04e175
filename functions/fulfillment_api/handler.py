"""What warehouses and stores do: their work list, the hand-shake, shipping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oms.api.commands import command
from oms.api.http import Answer, after_cursor, asked, client_of, create_api, cursor_of, json_body, page_size, parsed, reply
from oms.api.observe import observed
from oms.errors import Fault, NotFound, invalid
from oms.flows.reports import reject_work, ship_packages
from oms.fulfillment import work
from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.requests import REQUESTS, RerouteRequest
from oms.ids import order_of
from oms.orders.order import Order
from oms.orders.records import Personal
from oms.orders.view import fulfillment_order_view
from oms.storage.lists import listed
from oms.storage.orders import load
from oms.wire import NoBody, Wire

_MOST_DRAINED = 100
_KEEP_MILLISECONDS = 12_000  # for the order a drain is at, and for the answer
app = create_api()


@app.get("/v1/fulfillment-orders")
def get_work() -> Answer:
    """A location's open work, oldest ship-by first."""
    query = app.current_event.query_string_parameters or {}
    if "location_id" not in query:
        raise invalid(Fault("name the location whose work you want", "/location_id"))
    rows = listed(f"location#{query['location_id']}", newest_first=False, limit=page_size(app), after=after_cursor(app))
    found = [_one(row["sk"].removeprefix("state#fo#")) for row in rows]
    wanted = [fo for fo in found if query.get("status", fo["status"]) == fo["status"]]
    return reply(200, {"data": wanted, "next_cursor": cursor_of(rows[-1]) if len(rows) == page_size(app) else None})


@app.get("/v1/fulfillment-orders/<fulfillment_order_id>")
def get_fulfillment_order(fulfillment_order_id: str) -> Answer:
    """One fulfillment order."""
    return reply(200, _one(fulfillment_order_id))


@app.post("/v1/fulfillment-orders/<fulfillment_order_id>/<action>")
def post_action(fulfillment_order_id: str, action: str) -> Answer:
    """accept, pick, pack, ready, hold, release, reject, reroute, ship, collect, deliver, cancel-response."""
    request = parsed(json_body(app, required=action in ("ship", "reject", "cancel-response")), _body_of(action))

    def act(order: Order) -> str:
        _act(order, fulfillment_order_id, action, request)
        return fulfillment_order_id

    return command(app, _order_id(fulfillment_order_id), act, _view)


@app.post("/v1/locations/<location_id>/drain")
def post_drain(location_id: str) -> Answer:
    """Re-route all open work of a location; what does not fit this call goes on by itself."""
    from oms.flows.reroute import drain, drained_before  # noqa: PLC0415 it is seldom, and needs the search for routes
    from oms.fulfillment.reroute import DrainRequest  # noqa: PLC0415

    request, same = parsed(json_body(app), DrainRequest), asked(app)
    known = same.earlier()
    if known:
        return reply(202, drained_before(location_id, known), replayed=True)
    left = app.lambda_context.get_remaining_time_in_millis
    more = lambda count: count < _MOST_DRAINED and left() > _KEEP_MILLISECONDS  # noqa: E731
    return reply(202, drain(location_id, request.reason, f"client:{client_of(app)}", more, asked=same))


def _act(order: Order, fulfillment_order_id: str, action: str, request: Any) -> None:
    fo = order.fulfillment_order(fulfillment_order_id)
    acts: dict[str, Callable[[], None]] = {
        "ship": lambda: ship_packages(order, fo.id, request),
        "reject": lambda: reject_work(order, fo, request),
        "reroute": lambda: _reroute(order, fo.id, request),
        "collect": lambda: work.collect(order, fo, request),
        "deliver": lambda: work.deliver(order, fo),
        "cancel-response": lambda: _answer(order, fo, request),
    }
    if action in acts:
        acts[action]()
    else:
        work.advance(order, fo, action)


def _body_of(action: str) -> type[Wire]:
    if action == "cancel-response":
        from oms.service.cancellations import CancelResponse  # noqa: PLC0415 few units are asked back

        return CancelResponse
    return REQUESTS.get(action, NoBody)


def _reroute(order: Order, fulfillment_order_id: str, request: RerouteRequest) -> None:
    from oms.flows.reroute import reroute_work  # noqa: PLC0415 as for a drain

    reroute_work(order, fulfillment_order_id, request.location_id, request.reason)


def _answer(order: Order, fo: FulfillmentOrder, request: Any) -> None:
    from oms.service.cancellations import answer  # noqa: PLC0415 as its body

    answer(order, fo, request)


def _one(fulfillment_order_id: str) -> dict[str, Any]:
    order = load(_order_id(fulfillment_order_id), personal=True)
    return _view(order, fulfillment_order_id)


def _view(order: Order, fulfillment_order_id: str) -> dict[str, Any]:
    return fulfillment_order_view(order, order.fulfillment_order(fulfillment_order_id), order.personal or Personal())


def _order_id(fulfillment_order_id: str) -> str:
    order_id = order_of(fulfillment_order_id)
    if order_id is None:
        raise NotFound(f"there is no fulfillment order '{fulfillment_order_id}'")
    return order_id


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
