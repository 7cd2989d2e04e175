"""Pay by link: an agent makes a link for what an order owes; whoever has it sees the amount and pays with a token of the gateway."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import parse_qsl

from pydantic import Field

from oms.api.http import Answer, asked, client_of, create_api, header, json_body, parsed, raw_body, reply
from oms.api.links import LONGEST, PaymentLink, make, read
from oms.api.observe import observed
from oms.clock import parse, stamp
from oms.errors import Conflict
from oms.flows.idempotency import digest_of
from oms.flows.tenders import pay_due
from oms.money.currencies import show
from oms.payments.cover import due
from oms.payments.tender_request import read_tender
from oms.storage.orders import load
from oms.storage.secrets import webhook_secret
from oms.wire import Key, Name, Wire

app = create_api()
SIGNED_WITH = "links/payment"


class LinkRequest(Wire):
    """`POST /v1/orders/{id}/payment-links`."""

    expires_in: int = Field(7 * 24 * 3600, ge=60, le=int(LONGEST.total_seconds()))


class PayRequest(Wire):
    """What the page sends: a token that the gateway's own form has made. Never a card."""

    token: Name
    gateway: Key = "sandbox"


@app.post("/v1/orders/<order_id>/payment-links")
def post_link(order_id: str) -> Answer:
    """A link to pay what the order owes. Conflict when it owes nothing."""
    request = parsed(json_body(app, required=False), LinkRequest)
    order = load(order_id)
    order.must_be_live()
    amount = due(order)
    if not amount:
        raise Conflict(f"order {order.placed.order_number} owes nothing")
    expires = int(parse(order.now).timestamp()) + request.expires_in
    token = make(webhook_secret(SIGNED_WITH), PaymentLink(order_id, amount, expires))
    path = f"/v1/pay/{token}"
    host = (app.current_event.get("requestContext") or {}).get("domainName", "")
    content = {"path": path, "amount": amount, "currency": order.placed.currency, "expires_in": request.expires_in}
    return reply(201, {"url": f"https://{host}{path}", **content}, location=path)


@app.get("/v1/pay/<token>")
def get_page(token: str) -> Answer:
    """What is to be paid, and a form."""
    link = read(webhook_secret(SIGNED_WITH), token, stamp())
    order = load(link.order_id)
    amount = min(link.amount, due(order))
    number, owed = order.placed.order_number, show(amount, order.placed.currency)
    if not amount:
        return _page(f"Order {number}", "<p>Nothing is to be paid. Thank you.</p>")
    form = (
        '<form method="post"><label>Payment token <input name="token" required autocomplete="off"></label>'
        '<input type="hidden" name="gateway" value="sandbox"><button>Pay</button></form>'
    )
    return _page(f"Order {number}", f"<p>To be paid: <strong>{escape(owed)}</strong></p>{form}")


@app.post("/v1/pay/<token>")
def post_payment(token: str) -> Answer:
    """Take the payment down; it is authorized in a moment."""
    link = read(webhook_secret(SIGNED_WITH), token, stamp())
    is_form = "form-urlencoded" in (header(app, "content-type") or "")
    body = dict(parse_qsl(raw_body(app).decode(errors="replace"))) if is_form else json_body(app)
    request = parsed(body, PayRequest)
    amount = min(link.amount, due(load(link.order_id)))
    if not amount:
        raise Conflict("nothing is to be paid any more")
    tender = read_tender({"method": "card", "gateway": request.gateway, "token": request.token, "amount": amount})
    order, _ = pay_due(link.order_id, tender, asked(app, digest_of(request.token)), actor=f"link:{client_of(app)}")
    if is_form:
        return _page(f"Order {order.placed.order_number}", "<p>Thank you. Your payment is being checked.</p>", status=202)
    return reply(202, {"order_number": order.placed.order_number, "amount": amount, "currency": order.placed.currency})


def _page(title: str, content: str, status: int = 200) -> Answer:
    style = "body{font:16px system-ui;max-width:32rem;margin:3rem auto;padding:0 1rem}input,button{font:inherit;padding:.4rem}"
    text = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{style}</style>'
    safe = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
        "Referrer-Policy": "no-referrer",
    }
    return Answer(
        status_code=status,
        content_type="text/html; charset=utf-8",
        body=f"{text}<h1>{escape(title)}</h1>{content}</html>",
        headers={**safe},
    )


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
