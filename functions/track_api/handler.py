"""Self-service by link: what guests see of their order, what they do with it, and how they ask for the link. Open to everybody."""

from __future__ import annotations

import time
from typing import Any

from oms.api import tracking_links
from oms.api.changes import change_order
from oms.api.http import Answer, create_api, json_body, parsed, reply
from oms.api.kinds import kind_of
from oms.api.observe import logger, observed
from oms.api.service import order_answer
from oms.clock import stamp
from oms.errors import Conflict, NotFound
from oms.flows.tracking import note_request, within_limits
from oms.service.self_service import Caller
from oms.service.tracking import TrackingRequest
from oms.storage.orders import load
from oms.storage.secrets import webhook_secret

app = create_api()
ANSWER_AFTER = 0.5
"""Seconds that every request for a link takes that is looked at: more than the work of one that matches, so that time tells nothing."""
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""On every answer: the address of the page is the permission, so nobody keeps it or passes it on."""


@app.get("/v1/track/<token>")
def get_order(token: str) -> Answer:
    """What a customer sees of an order by its link: statuses, lines, parcels, returns, and what can be done now."""
    caller = _guest(token)
    try:
        order = load(caller.id, personal=True)
    except NotFound:
        raise tracking_links.no_such_link() from None
    return reply(200, order_answer(caller, order))


@app.post("/v1/track/<token>/cancellations")
def post_cancellation(token: str) -> Answer:
    """Cancel units of the link's order."""
    caller = _guest(token)
    return change_order(app, caller.id, kind_of("cancellations"), caller)


@app.post("/v1/track/<token>/returns")
def post_return(token: str) -> Answer:
    """Announce a return (RMA) of the link's order."""
    caller = _guest(token)
    return change_order(app, caller.id, kind_of("returns"), caller)


@app.post("/v1/track/<token>/exchanges")
def post_exchange(token: str) -> Answer:
    """Exchange units of the link's order for others, at the price that was paid."""
    caller = _guest(token)
    return change_order(app, caller.id, kind_of("exchanges"), caller)


@app.post("/v1/track/requests")
def post_request() -> Answer:
    """Ask for an order's link by its number and the e-mail or postal code. Always the same answer, whatever orders there are."""
    begun = time.monotonic()
    request = parsed(json_body(app), TrackingRequest)
    secret = webhook_secret(tracking_links.SIGNED_WITH)
    if not secret.split():
        raise Conflict("tracking links are closed: no signing secret is configured (links/tracking)", kind="not-configured")
    if within_limits(request, _source(), secret):
        try:
            note_request(request)
        except Exception:
            # An error here would say that there is such an order. Who does not get the mail asks again.
            logger.exception("a request for a tracking link was not recorded")
        time.sleep(max(0.0, begun + ANSWER_AFTER - time.monotonic()))
    return reply(202, {"detail": "if the order exists and this belongs to it, a link is on its way to the e-mail address of the order"})


def _guest(token: str) -> Caller:
    return Caller("guest", tracking_links.read(webhook_secret(tracking_links.SIGNED_WITH), token, stamp()))


def _source() -> str:
    """The address that the request came from, as the gateway saw it; no header that the sender could make up."""
    return str(((app.current_event.get("requestContext") or {}).get("http") or {}).get("sourceIp", ""))


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    answer = app.resolve(event, context)
    return {**answer, "headers": {**answer.get("headers", {}), **_PRIVATE}}
