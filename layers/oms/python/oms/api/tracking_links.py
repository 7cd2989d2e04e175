"""Tracking links: a signed token that shows one order to whoever holds it, until a time. Nothing is stored, so none can be listed or
guessed; a new secret ends all links that the old one signed."""

from __future__ import annotations

import hmac

from oms.api.http import Api
from oms.api.signatures import sign
from oms.clock import parse
from oms.errors import NotFound
from oms.orders.order import Order
from oms.service.tracking import expiry
from oms.storage.secrets import webhook_secret
from oms.storage.settings import settings

SIGNED_WITH = "links/tracking"
_PURPOSE = b"track"


def tracking_page_url(app: Api, order: Order) -> str | None:
    """The order's tracking link; None for a declined order, and while no signing secret is configured."""
    secrets = webhook_secret(SIGNED_WITH)
    if not secrets.split() or order.summary.status == "declined":
        return None
    days = settings().channel(order.placed.channel).tracking_link_days
    token = make(secrets, order.id, expiry(order.placed.placed_at, days, order.now))
    host = (app.current_event.get("requestContext") or {}).get("domainName", "")
    return f"https://{host}/v1/track/{token}"


def make(secrets: str, order_id: str, expires: int) -> str:
    """A token for an order, good until `expires` (seconds since 1970), signed with the newest of the blank-separated secrets."""
    return f"{order_id}.{expires}.{_signature(secrets.split(maxsplit=1)[0], order_id, expires)}"


def read(secrets: str, token: str, now: str) -> str:
    """The order id that a token stands for. NotFound for one that we did not sign for this, or that has run out: nobody learns which."""
    order_id, _, rest = token.partition(".")
    until, _, signature = rest.partition(".")
    if until.isascii() and until.isdecimal() and len(until) < 16:
        expires = int(until)
        genuine = any(hmac.compare_digest(_signature(key, order_id, expires).encode(), signature.encode()) for key in secrets.split())
        if genuine and expires > parse(now).timestamp():
            return order_id
    raise no_such_link()


def no_such_link() -> NotFound:
    """What everybody is told whose link leads nowhere, whatever the cause."""
    return NotFound("this tracking link is not valid, or has run out; ask for a new one")


def _signature(secret: str, order_id: str, expires: int) -> str:
    return sign(secret, order_id, expires, _PURPOSE).removeprefix("v1,").translate(str.maketrans("+/", "-_", "="))
