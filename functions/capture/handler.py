"""Capture's two doors: `POST /v1/orders` (and another card on a declined order) over HTTP, and the Capture state."""

from __future__ import annotations

from typing import Any

from oms.api.http import Answer, asked, client_of, create_api, header, json_body, reply
from oms.api.observe import observed
from oms.errors import Conflict
from oms.flows.capture import Placed, capture_step, pay_declined, place
from oms.flows.gateways import check_configured
from oms.orders.placing import content_digest, read_order
from oms.orders.view import order_view
from oms.payments.tender_request import gateway_name, read_tender
from oms.storage.orders import load, load_personal

app = create_api()


@app.post("/v1/orders")
def post_order() -> Answer:
    """Take an order: 201 captured, 202 received, 402 declined."""
    request = read_order(json_body(app))
    later_on = "respond-async" in (header(app, "prefer") or "")
    return _answer(place(request, asked(app, content_digest(request)), actor=f"client:{client_of(app)}", later_on=later_on))


@app.post("/v1/orders/<order_id>/payments")
def post_payment(order_id: str) -> Answer:
    """Another tender. On a declined order it is tried at once: 201, or 402 again. Where something is due: 202, and Settle asks for it."""
    tender, request, actor = read_tender(json_body(app)), asked(app), f"client:{client_of(app)}"
    known = request.earlier()
    if known.get("due") if known else load(order_id).summary.status not in ("declined", "received"):
        from oms.flows.tenders import pay_due  # noqa: PLC0415 it is seldom that an order owes something

        check_configured([gateway_name(tender)], "/gateway")
        order, replayed = pay_due(order_id, tender, request, actor=actor)
        return reply(202, order_view(order, load_personal(order.id)), version=order.summary.version, replayed=replayed)
    return _answer(pay_declined(order_id, tender, request, actor=actor))


def _answer(placed: Placed) -> Answer:
    order = placed.order
    if order.summary.status == "received" and placed.status != 202:
        raise Conflict("a payment is pending at its gateway; read the order again in a moment", kind="payment-pending")
    content = order_view(order, order.personal or load_personal(order.id))
    where = f"/v1/orders/{order.id}"
    return reply(placed.status, content, version=order.summary.version, replayed=placed.replayed, location=where)


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event or Step Functions task."""
    if event.get("step") == "Capture":
        return capture_step(event["input"]["order_id"], event["execution"], lambda: context.get_remaining_time_in_millis() / 1000)
    return app.resolve(event, context)
