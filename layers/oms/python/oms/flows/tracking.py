"""Asking for a tracking link: limited, and nobody learns from the answer whether there is such an order."""

from __future__ import annotations

import hashlib
import hmac
from ipaddress import IPv6Address, IPv6Network, ip_address

from oms.clock import parse, stamp
from oms.service.tracking import TrackingRequest, proves
from oms.storage.claims import numbered
from oms.storage.limits import count
from oms.storage.orders import Cause, load_personal, update

MOST_PER_NUMBER = 5
"""Requests per hour for one order number: the most mails an hour that a stranger can have sent to a customer."""
MOST_PER_SOURCE = 30
"""Requests per hour from one address; many customers may share one."""
_KEPT_SECONDS = 2 * 3600


def within_limits(request: TrackingRequest, source: str, secret: str) -> bool:
    """Count a request against its source and its order number, existing or not; False when one of them has had its share of this hour.

    Both are kept as keyed digests: an address is personal data, and numbers of orders that do not exist are nobody's business.
    """
    now = stamp()
    forget_at = int(parse(now).timestamp()) + _KEPT_SECONDS
    shares = (("source", _network(source), MOST_PER_SOURCE), ("number", request.order_number, MOST_PER_NUMBER))
    return all(count(f"track#{kind}#{_digest(secret, kind, text)}#{now[:13]}", most, forget_at) for kind, text, most in shares)


def note_request(request: TrackingRequest) -> None:
    """Record `track.link_requested` on each order of that number (several channels may use the same) that the request proves to know.

    The event carries no link and no address, because events are kept and passed on. Who sends the mail takes the event's order id to
    `GET /v1/orders/{id}` with the scope orders.read, and finds there `tracking_page_url`, made that moment, and `customer.email`.
    """
    for order_id in numbered(request.order_number):
        if proves(request, load_personal(order_id)):
            update(order_id, lambda order: order.record("track.link_requested"), Cause("guest", "POST /v1/track/requests"))


def _network(source: str) -> str:
    """An IPv4 address as it is; of an IPv6 address the 64 bits that a subscriber gets, who has all the others to choose from."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    return str(IPv6Network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address)


def _digest(secret: str, kind: str, text: str) -> str:
    return hmac.new(secret.encode(), f"{kind} {text}".encode(), hashlib.sha256).hexdigest()[:32]
