"""Pay by link: a signed token that lets whoever holds it pay what an order owes, up to an amount, until a time. Nothing is stored."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import timedelta

from oms.api.signatures import sign
from oms.clock import parse
from oms.errors import Conflict, NotFound

LONGEST = timedelta(days=30)


@dataclass(frozen=True)
class PaymentLink:
    """What a token says: the order, the most that can be paid with it (minor units), and until when (seconds since 1970)."""

    order_id: str
    amount: int
    expires: int


def make(secrets: str, link: PaymentLink) -> str:
    """The token of a link, signed with the newest of the blank-separated secrets. Conflict when none is configured."""
    keys = secrets.split()
    if not keys:
        raise Conflict("payment links are closed: no signing secret is configured (links/payment)", kind="not-configured")
    return f"{link.order_id}.{link.amount}.{link.expires}.{_signature(keys[0], link)}"


def read(secrets: str, token: str, now: str) -> PaymentLink:
    """The link that a token stands for. NotFound for one that we did not sign, or that has run out: nobody learns which."""
    order_id, _, rest = token.partition(".")
    parts = rest.split(".")
    if len(parts) == 3 and all(part.isdecimal() and len(part) < 16 for part in parts[:2]):
        link = PaymentLink(order_id, int(parts[0]), int(parts[1]))
        genuine = any(hmac.compare_digest(_signature(key, link), parts[2]) for key in secrets.split())
        if genuine and link.expires > parse(now).timestamp():
            return link
    raise NotFound("this payment link is not valid, or has run out; ask for a new one")


def _signature(secret: str, link: PaymentLink) -> str:
    signed = sign(secret, link.order_id, link.expires, f"pay {link.amount}".encode())
    return signed.removeprefix("v1,").translate(str.maketrans("+/", "-_", "="))
