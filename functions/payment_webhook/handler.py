"""Payment gateways' signed news."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Response

from oms.api.http import create_api, raw_body, reply
from oms.api.observe import observed
from oms.api.secrets import webhook_secret
from oms.api.signatures import verify
from oms.errors import Invalid, NotFound
from oms.flows.payments import note
from oms.payments.news import read_sandbox

app = create_api()


@app.post("/v1/webhooks/payments/<gateway>")
def post_news(gateway: str) -> Response[str]:
    """200 for everything that is signed and readable; 401, 404, 400 otherwise."""
    if gateway != "sandbox":
        raise NotFound(f"there is no payment gateway '{gateway}'; there is sandbox")
    body = raw_body(app)
    message_id = verify(webhook_secret(f"payments/{gateway}"), app.current_event.get("headers") or {}, body)
    try:
        news = read_sandbox(json.loads(body))
    except Invalid as error:
        raise Invalid(error.detail, kind="malformed", status=400, errors=error.errors) from None
    except ValueError:
        raise Invalid("the body is not a JSON object", kind="malformed", status=400) from None
    return reply(200, {"received": True, "changed": note(news, gateway, message_id) if news else False})


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
