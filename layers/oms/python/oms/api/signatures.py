"""Signatures of webhooks, closed when no secret is configured.

Standard Webhooks (standardwebhooks.com): id.timestamp.body, HMAC-SHA256, base64. Stripe (docs.stripe.com/webhooks): timestamp.body,
HMAC-SHA256, hexadecimal, in one header; computed here because importing its SDK would take longer than all the rest of the function.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Mapping

from oms.errors import Refused

TOLERANCE_SECONDS = 300
_SECONDS = re.compile("[0-9]{1,12}")


class Unsigned(Refused):
    """401: the signature is missing, wrong, too old, or nothing is configured to check it with."""


def verify(secrets: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> str:
    """The message id, when one of the blank-separated secrets signed this body. Unsigned otherwise, never saying which part was wrong."""
    keys = [key for text in secrets.split() if (key := _key(text))]
    message_id, sent_at, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not keys or not message_id or not signatures or not _SECONDS.fullmatch(sent_at):
        raise _unsigned()
    if abs((now if now is not None else time.time()) - int(sent_at)) > TOLERANCE_SECONDS:
        raise _unsigned()
    signed = f"{message_id}.{sent_at}.".encode() + body
    expected = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    given = [_decoded(part.removeprefix("v1,")) for part in signatures.split() if part.startswith("v1,")]
    matches = [hmac.compare_digest(want, got) for want in expected for got in given]
    if not any(matches):
        raise _unsigned()
    return message_id


def verify_stripe(secrets: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> str:
    """The same for the header `stripe-signature`; the message id is made of the body, because Stripe's lies in the body."""
    parts = [part.strip().partition("=") for part in headers.get("stripe-signature", "").split(",")]
    sent_at = next((value for name, _, value in parts if name == "t"), "")
    signatures = [value for name, _, value in parts if name == "v1"]
    keys = [key for key in secrets.split() if key]
    if not keys or not signatures or not _SECONDS.fullmatch(sent_at):
        raise _unsigned()
    if abs((now if now is not None else time.time()) - int(sent_at)) > TOLERANCE_SECONDS:
        raise _unsigned()
    expected = [hmac.new(key.encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest().encode() for key in keys]
    matches = [hmac.compare_digest(want, got.encode()) for want in expected for got in signatures]
    if not any(matches):
        raise _unsigned()
    return f"stripe:{hashlib.sha256(body).hexdigest()[:16]}"


def sign(secret: str, message_id: str, sent_at: int, body: bytes) -> str:
    """The `webhook-signature` header for a body; used by senders and tests."""
    digest = hmac.new(_key(secret), f"{message_id}.{sent_at}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _key(text: str) -> bytes:
    return _decoded(text.removeprefix("whsec_"))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _unsigned() -> Unsigned:
    return Unsigned("the signature does not verify, or this endpoint has no secret configured", kind="bad-signature", status=401)
