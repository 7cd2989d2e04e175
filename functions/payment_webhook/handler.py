"""Payment gateways' signed news."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from oms.api.http import Answer, create_api, raw_body, reply
from oms.api.observe import observed
from oms.api.signatures import verify, verify_stripe
from oms.errors import Invalid, NotFound
from oms.flows.payments import note
from oms.payments.news import PaymentNews, read_sandbox
from oms.storage.secrets import webhook_secret

app = create_api()


@dataclass(frozen=True)
class Sender:
    """How a gateway signs, and how its news reads. `verify` takes secrets, headers and body and gives the message's id."""

    verify: Callable[[str, dict[str, str], bytes], str]
    read: Callable[[Any], list[PaymentNews]]


def _read_stripe(body: Any) -> list[PaymentNews]:
    from oms.payments.stripe_news import read_stripe  # noqa: PLC0415 not every shop takes money by Stripe

    return read_stripe(body)


SENDERS = {"sandbox": Sender(verify, read_sandbox), "stripe": Sender(verify_stripe, _read_stripe)}


@app.post("/v1/webhooks/payments/<gateway>")
def post_news(gateway: str) -> Answer:
    """200 for everything that is signed and readable; 401, 404, 400 otherwise; 422 for money of another currency than the order's."""
    if gateway not in SENDERS:
        raise NotFound(f"no payment gateway '{gateway}' sends news; there are {', '.join(SENDERS)}")
    sender, body = SENDERS[gateway], raw_body(app)
    message_id = sender.verify(webhook_secret(f"payments/{gateway}"), app.current_event.get("headers") or {}, body)
    changed = [note(news, gateway, message_id) for news in _read(sender, body)]
    return reply(200, {"received": True, "changed": any(changed)})


def _read(sender: Sender, body: bytes) -> list[PaymentNews]:
    try:
        return sender.read(json.loads(body))
    except Invalid as error:
        raise Invalid(error.detail, kind="malformed", status=400, errors=error.errors) from None
    except ValueError:
        raise Invalid("the body is not a JSON object", kind="malformed", status=400) from None


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
