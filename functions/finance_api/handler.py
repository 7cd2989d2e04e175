"""Finance: invoices and credit memos, money received for them, the journal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from oms.api.commands import command
from oms.api.http import Answer, after_cursor, after_number, create_api, cursor_of, header, json_body, page_size, parsed, reply
from oms.api.observe import observed
from oms.errors import Fault, NotFound, invalid
from oms.ids import order_of
from oms.orders.order import Order
from oms.payments import documents
from oms.payments.documents import ALL, PAGE
from oms.payments.numbers import Document, Series
from oms.payments.receipts import ReceivedPayment, find_invoice, receive_payment
from oms.payments.records import CreditMemo
from oms.storage import journal
from oms.storage.numbers import whose
from oms.storage.orders import load

app = create_api()
View = Callable[[Order, str, int, int], dict[str, Any]]
_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
_MOST_ENTRIES = 1000


@app.get("/v1/invoices")
def get_invoices() -> Answer:
    """The invoices of an order, or the one that has a number: order_id; number and channel."""
    return _list("invoice")


@app.get("/v1/credit-memos")
def get_credit_memos() -> Answer:
    """The credit memos of an order, or the one that has a number: order_id; number and channel."""
    return _list("credit-memo")


@app.get("/v1/invoices/<invoice_id>")
def get_invoice(invoice_id: str) -> Answer:
    """One invoice, 200 lines at a time; as a page to print where `Accept` asks for HTML."""
    return _document(invoice_id, _invoice)


@app.get("/v1/invoices/<invoice_id>/html")
def get_invoice_page(invoice_id: str) -> Answer:
    """One invoice as a page to print."""
    return _page(invoice_id, _invoice)


@app.get("/v1/credit-memos/<memo_id>")
def get_credit_memo(memo_id: str) -> Answer:
    """One credit memo, 200 lines at a time; as a page to print where `Accept` asks for HTML."""
    return _document(memo_id, _credit_memo)


@app.get("/v1/credit-memos/<memo_id>/html")
def get_credit_memo_page(memo_id: str) -> Answer:
    """One credit memo as a page to print."""
    return _page(memo_id, _credit_memo)


@app.post("/v1/invoices/<invoice_id>/payments")
def post_payment(invoice_id: str) -> Answer:
    """Record money that came in for an invoice with something open. A reference counts once."""
    request = parsed(json_body(app), ReceivedPayment)

    def receive(order: Order) -> str:
        receive_payment(order, invoice_id, request)
        return invoice_id

    return command(app, _order_id(invoice_id), receive, lambda order, key: _shown(_invoice(order, str(key), 0, PAGE)), status=201)


@app.get("/v1/journal")
def get_journal() -> Answer:
    """The journal of a day (UTC): entries with their lines as JSON, or as CSV or JSON Lines; the rest of the day by cursor."""
    query = app.current_event.query_string_parameters or {}
    day, form = query.get("date", ""), query.get("format", "json")
    faults = [] if re.fullmatch(r"\d{4}-\d\d-\d\d", day) else [Fault("name a day, such as 2026-11-24", "/date")]
    faults += [] if form in _TYPES else [Fault(f"one of {', '.join(_TYPES)}", "/format")]
    if faults:
        raise invalid(*faults)
    place = _place(after_cursor(app))
    entries, more = journal.entries_of(day, place, page_size(app, most=_MOST_ENTRIES, default=200))
    cursor = cursor_of({"at": f"{more[0]} {more[1]}"}) if more else None
    if form == "json":
        return reply(200, {"data": [entry.model_dump() for entry in entries], "next_cursor": cursor})
    from oms.payments.journal_files import as_csv, as_json_lines  # noqa: PLC0415 exported once a day; all other calls would pay for it

    body = as_csv(entries, header=place == journal.BEGIN) if form == "csv" else as_json_lines(entries)
    return Answer(status_code=200, content_type=_TYPES[form], body=body, headers={"Next-Cursor": cursor} if cursor else {})


def _list(series: Series) -> Answer:
    query = app.current_event.query_string_parameters or {}
    named = set(query) - {"limit", "cursor"}
    if named not in ({"order_id"}, {"number", "channel"}):
        raise invalid(Fault("use one of: order_id; number and channel"))
    if "number" in named:
        holder = whose(query["channel"], series, query["number"])
        order = load(holder[0], personal=True) if holder else None
        keys = [holder[1]] if holder else []
        begin, limit = 0, 1
    else:
        order, begin, limit = load(query["order_id"], personal=True), after_number(app), page_size(app)
        keys = list(order.invoices if series == "invoice" else order.credit_memos)
    more = cursor_of({"at": str(begin + limit)}) if begin + limit < len(keys) else None
    known: dict[str, Document] = {**order.invoices, **order.credit_memos} if order else {}
    data = [documents.short_view(order, known[key]) for key in keys[begin : begin + limit] if order]
    return reply(200, {"data": data, "next_cursor": more})


def _invoice(order: Order, key: str, begin: int, most: int) -> dict[str, Any]:
    return documents.invoice_view(order, find_invoice(order, key), begin, most)


def _credit_memo(order: Order, key: str, begin: int, most: int) -> dict[str, Any]:
    return documents.credit_memo_view(order, _memo(order, key), begin, most)


def _memo(order: Order, memo_id: str) -> CreditMemo:
    if memo_id not in order.credit_memos:
        raise NotFound(f"there is no credit memo '{memo_id}'")
    return order.credit_memos[memo_id]


def _document(key: str, view: View) -> Answer:
    if "text/html" in (header(app, "accept") or ""):
        return _page(key, view)
    return reply(200, _shown(view(load(_order_id(key), personal=True), key, after_number(app), PAGE)))


def _page(key: str, view: View) -> Answer:
    from oms.payments.documents_html import page  # noqa: PLC0415 printed now and then; all other calls would pay for it

    body = page(view(load(_order_id(key), personal=True), key, 0, ALL))
    safe = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "X-Content-Type-Options": "nosniff"}
    return Answer(status_code=200, content_type="text/html; charset=utf-8", body=body, headers={**safe})


def _shown(view: dict[str, Any]) -> dict[str, Any]:
    """With the cursor of the next lines in place of their position."""
    more = view.pop("more_from")
    return {**view, "next_cursor": cursor_of({"at": str(more)}) if more else None}


def _place(cursor: str) -> journal.Place:
    if not cursor:
        return journal.BEGIN
    found = re.fullmatch(r"([0-7]) (\S*)", cursor)
    if found is None:
        raise invalid(Fault("not a cursor of this list; start again without it", "/cursor"))
    return int(found[1]), found[2]


def _order_id(record_id: str) -> str:
    order_id = order_of(record_id)
    if order_id is None:
        raise NotFound(f"there is no document '{record_id}'")
    return order_id


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
