"""Carriers' signed news."""

from __future__ import annotations

import json
from typing import Any

from oms.api.http import Answer, create_api, raw_body, reply
from oms.api.observe import observed
from oms.api.signatures import verify
from oms.carriers.tracking import READERS
from oms.errors import Invalid, NotFound
from oms.flows.carriers import track
from oms.storage.secrets import webhook_secret

app = create_api()


@app.post("/v1/webhooks/carriers/<carrier>")
def post_news(carrier: str) -> Answer:
    """200 for everything that is signed and readable, known or not; 401, 404, 400 otherwise."""
    if carrier not in READERS:
        raise NotFound(f"there is no carrier '{carrier}'; there are {', '.join(sorted(READERS))}")
    body = raw_body(app)
    message_id = verify(webhook_secret(f"carriers/{carrier}"), app.current_event.get("headers") or {}, body)
    news = _read(carrier, body)
    changed = track(news, message_id) if news else False
    return reply(200, {"received": True, "changed": changed})


def _read(carrier: str, body: bytes) -> Any:
    try:
        parsed = json.loads(body)
        if not isinstance(parsed, dict):
            raise ValueError("not an object")
        return READERS[carrier](parsed)
    except Invalid as error:
        raise Invalid(error.detail, kind="malformed", status=400, errors=error.errors) from None
    except ValueError:
        raise Invalid("the body is not a JSON object", kind="malformed", status=400) from None


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
