"""Reading: orders, lists, timelines, documents, and the description of the API itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import oms.api
from oms.api.http import Answer, after_cursor, after_number, create_api, cursor_of, header, json_body, page_size, parsed, reply
from oms.api.observe import observed
from oms.api.tracking_links import tracking_page_url
from oms.clock import stamp
from oms.errors import Fault, NotFound, invalid
from oms.events import events_of
from oms.flows.executions import executions_of
from oms.ids import order_of
from oms.orders.order import Order, number_key
from oms.orders.records import Personal
from oms.orders.view import exception_view, line_views, order_view, parts_view, return_view
from oms.returns.states import OVER, STATUSES
from oms.returns.states import find as find_return
from oms.storage.claims import claim_of
from oms.storage.lists import listed, status_lists
from oms.storage.order_items import return_lists
from oms.storage.orders import load
from oms.storage.timeline import timeline

app = create_api()

_FILTERS = ("customer_id", "status", "channel", "order_number", "tracking_number")
_RANGE = ("from", "to", "limit", "cursor")


@app.get("/v1/orders")
def get_orders() -> Answer:
    """Orders by one of: customer_id, channel and order_number, status, tracking_number; newest first."""
    query = app.current_event.query_string_parameters or {}
    named = {name for name in query if name in _FILTERS}
    unknown = sorted(set(query) - set(_FILTERS) - set(_RANGE))
    if unknown or named not in ({"customer_id"}, {"channel", "order_number"}, {"status"}, {"tracking_number"}):
        faults = [Fault("unknown filter", f"/{name}") for name in unknown]
        raise invalid(*faults, Fault("use one of: customer_id; channel and order_number; status; tracking_number"))
    if named in ({"channel", "order_number"}, {"tracking_number"}):
        by_number = number_key(query.get("channel", ""), query.get("order_number", ""))
        holder = claim_of(by_number if "channel" in named else f"tracking#{query['tracking_number']}")
        rows = [{"pk": holder["order_id"], "at": ""}] if holder and holder.get("order_id") else []
        return reply(200, {"data": [_view(load(row["pk"], personal=True)) for row in rows], "next_cursor": None})
    limit = page_size(app)
    names = [f"customer#{query['customer_id']}"] if "customer_id" in named else status_lists(query["status"])
    since, until, after = query.get("from", ""), query.get("to", "") + "~", after_cursor(app)
    found = [row for name in names for row in listed(name, since=since, until=until, after=after, limit=limit)]
    rows = sorted(found, key=lambda row: row["at"], reverse=True)[:limit]
    content = [_view(load(row["pk"], personal=True)) for row in rows]
    return reply(200, {"data": content, "next_cursor": cursor_of(rows[-1]) if len(rows) == limit else None})


@app.get("/v1/orders/<order_id>")
def get_order(order_id: str) -> Answer:
    """The whole order, with the state of its executions."""
    order = load(order_id, personal=True)
    return reply(200, _view(order, executions_of(order)), version=order.summary.version)


@app.get("/v1/orders/<order_id>/lines")
def get_lines(order_id: str) -> Answer:
    """The order's lines, page by page."""
    order, limit = load(order_id), page_size(app, most=200, default=200)
    begin = after_number(app)
    page = line_views(order, begin, limit)
    more = cursor_of({"at": str(begin + limit)}) if begin + limit < len(order.placed.lines) else None
    return reply(200, {"data": page, "next_cursor": more}, version=order.summary.version)


def _records(order_id: str, kind: str) -> Answer:
    """An order's records of a kind, as many at a time as have 200 lines together."""
    order = load(order_id, personal=kind == "fulfillment-orders")
    page, next_ = parts_view(order, kind, after_number(app))
    content = {"data": page, "next_cursor": None if next_ is None else cursor_of({"at": str(next_)})}
    return reply(200, content, version=order.summary.version)


@app.get("/v1/orders/<order_id>/fulfillment-orders")
def get_order_fulfillment_orders(order_id: str) -> Answer:
    """The order's fulfillment orders, page by page, oldest first."""
    return _records(order_id, "fulfillment-orders")


@app.get("/v1/orders/<order_id>/shipments")
def get_order_shipments(order_id: str) -> Answer:
    """The order's shipments, page by page, oldest first."""
    return _records(order_id, "shipments")


@app.get("/v1/orders/<order_id>/invoices")
def get_order_invoices(order_id: str) -> Answer:
    """The order's invoices, page by page, oldest first."""
    return _records(order_id, "invoices")


@app.get("/v1/orders/<order_id>/credit-memos")
def get_order_credit_memos(order_id: str) -> Answer:
    """The order's credit memos, page by page, oldest first."""
    return _records(order_id, "credit-memos")


@app.get("/v1/customers/<customer_id>")
def get_customer(customer_id: str) -> Answer:
    """A customer at a glance: orders newest first, page by page, with their returns, notes, open exceptions and contacts; and credit."""
    from oms.service.customers import customer_view  # noqa: PLC0415 asked for by agents now and then; all other calls would pay for it
    from oms.storage.credit import accounts_of  # noqa: PLC0415

    limit, after = page_size(app), after_cursor(app)
    rows = listed(f"customer#{customer_id}", after=after, limit=limit)
    accounts = accounts_of(customer_id)
    if not (rows or accounts or after):
        raise NotFound(f"no order and no credit account is of a customer '{customer_id}'")
    content = customer_view(customer_id, [load(row["pk"], personal=True) for row in rows], accounts, stamp())
    return reply(200, {**content, "next_cursor": cursor_of(rows[-1]) if len(rows) == limit else None})


@app.get("/v1/orders/<order_id>/timeline")
def get_timeline(order_id: str) -> Answer:
    """What happened to the order, oldest first."""
    order, limit = load(order_id), page_size(app, most=200, default=100)
    after = after_number(app)
    events = [event for entry in timeline(order_id, after, limit) for event in events_of(order, entry)]
    shown = [{name: event[name] for name in ("sequence", "id", "type", "at", "actor", "cause", "data")} for event in events]
    last = shown[-1]["sequence"] if shown else after
    more = cursor_of({"at": str(last)}) if last < order.summary.sequence else None
    return reply(200, {"data": shown, "next_cursor": more})


@app.get("/v1/returns")
def get_returns() -> Answer:
    """Returns in a status, oldest first, those that are over newest first; or the one that a tracking number brings back."""
    query = app.current_event.query_string_parameters or {}
    if ("status" in query) == ("tracking_number" in query):
        raise invalid(Fault("name a status or a tracking_number, one of them", "/status"))
    if "tracking_number" in query:
        holder = claim_of(f"tracking#{query['tracking_number']}") or {}
        found = [return_view(order, find_return(order, key)) for key, order in _by_holder(holder)]
        return reply(200, {"data": found, "next_cursor": None})
    if query["status"] not in STATUSES:
        raise invalid(Fault(f"there are {', '.join(STATUSES)}", "/status"))
    limit, after, over = page_size(app), after_cursor(app), query["status"] in OVER
    found = [row for name in return_lists(query["status"]) for row in listed(name, newest_first=over, limit=limit, after=after)]
    rows = sorted(found, key=lambda row: row["at"], reverse=over)[:limit]
    keys = [(load(row["pk"]), row["sk"].removeprefix("state#return#")) for row in rows]
    content = [return_view(order, find_return(order, key)) for order, key in keys]
    return reply(200, {"data": content, "next_cursor": cursor_of(rows[-1]) if len(rows) == limit else None})


@app.get("/v1/returns/<return_id>")
def get_return(return_id: str) -> Answer:
    """One return."""
    order = _order_of(return_id, "return")
    return reply(200, return_view(order, find_return(order, return_id)), version=order.summary.version)


@app.get("/v1/exceptions")
def get_exceptions() -> Answer:
    """Open process exceptions, oldest first."""
    query = app.current_event.query_string_parameters or {}
    if query.get("status", "open") != "open":
        raise invalid(Fault("only open exceptions are listed; closed ones are on their order", "/status"))
    rows, limit = _listed("exceptions#open"), page_size(app)
    content = [_exception(row["pk"], row["sk"].removeprefix("state#exception#")) for row in rows]
    wanted = [each for each in content if all(query.get(name, each.get(name)) == each.get(name) for name in ("kind", "step"))]
    return reply(200, {"data": wanted, "next_cursor": cursor_of(rows[-1]) if len(rows) == limit else None})


@app.get("/v1/exceptions/<exception_id>")
def get_exception(exception_id: str) -> Answer:
    """One exception, of an order or of stock."""
    return reply(200, _exception(order_of(exception_id) or exception_id, exception_id))


@app.get("/v1/orders/<order_id>/gift-cards")
def get_gift_cards(order_id: str) -> Answer:
    """The gift cards that the order has sold and delivered, with their full numbers."""
    from oms.flows.gift_cards import cards_view  # noqa: PLC0415 few orders sell any; all other calls would pay for it

    return reply(200, {"data": cards_view(load(order_id))})


@app.post("/v1/routing/simulations")
def post_simulation() -> Answer:
    """Run a rule group over past orders beside the rules in force; no stock is touched. As JSON, or as `Accept` asks: a table as text
    (text/plain), a chart (image/svg+xml)."""
    from oms.flows.simulate import simulation  # noqa: PLC0415 asked for by hand, now and then; all other calls would pay for it
    from oms.routing.simulation_request import SimulationRequest  # noqa: PLC0415

    request = parsed(json_body(app), SimulationRequest)
    done = simulation(request, lambda: app.lambda_context.get_remaining_time_in_millis() / 1000)
    wanted = header(app, "accept") or ""
    if "image/svg+xml" in wanted:
        from oms.routing.simulation_chart import svg  # noqa: PLC0415 as above

        title = f"Rule group {request.rule_group_id or 'proposed'} beside the rules in force"
        return Answer(status_code=200, content_type="image/svg+xml", body=svg(done, title))
    if "text/plain" in wanted:
        from oms.routing.simulation_table import lines  # noqa: PLC0415 as above

        return Answer(status_code=200, content_type="text/plain; charset=utf-8", body="\n".join(lines(done)) + "\n")
    return reply(200, done)


@app.get("/v1/openapi.json")
def get_openapi() -> Answer:
    """The description of this API, generated when it was built."""
    text = (Path(oms.api.__file__).parent / "openapi.json").read_text()
    return Answer(status_code=200, content_type="application/json", body=text)


def _by_holder(holder: dict[str, Any]) -> Iterator[tuple[str, Order]]:
    """The return that holds a tracking number, with its order."""
    if holder.get("return_id"):
        yield holder["return_id"], load(holder["order_id"])


def _listed(name: str) -> list[dict[str, Any]]:
    return listed(name, newest_first=False, limit=page_size(app), after=after_cursor(app))


def _exception(owner: str, exception_id: str) -> dict[str, Any]:
    if owner != exception_id:
        from oms.service.exceptions import find as find_exception  # noqa: PLC0415 most requests read orders

        order = load(owner)
        find_exception(order, exception_id)
        return exception_view(order, exception_id)
    from oms.service.shortages import shortage_view  # noqa: PLC0415 as above
    from oms.storage.shortages import read_shortage  # noqa: PLC0415

    problem = read_shortage(exception_id)
    if problem is None:
        raise NotFound(f"there is no exception '{exception_id}'")
    return shortage_view(problem)


def _order_of(record_id: str, what: str) -> Order:
    order_id = order_of(record_id)
    if order_id is None:
        raise NotFound(f"there is no {what} '{record_id}'")
    return load(order_id)


def _view(order: Order, executions: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return order_view(order, order.personal or Personal(), executions, tracking_page_url(app, order))


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
