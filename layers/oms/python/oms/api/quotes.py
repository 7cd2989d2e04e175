"""Quotes: a preview's figures, signed, so that a submit that names the quote does exactly this or nothing. Nothing is stored."""

from __future__ import annotations

import hmac
import json
from datetime import timedelta
from typing import Any

from oms.api.signatures import sign
from oms.clock import parse, stamp
from oms.errors import Conflict, Stale
from oms.flows.idempotency import digest_of

VALID = timedelta(minutes=30)
SIGNED_WITH = "quotes/service"


def quote(secrets: str, about: str, asked: Any, figures: Any, now: str) -> dict[str, Any]:
    """`quote_id` and `expires_at` for these figures of what was asked about a record. Conflict when no secret is configured."""
    keys = secrets.split()
    if not keys:
        raise Conflict(f"previews are closed: no signing secret is configured ({SIGNED_WITH})", kind="not-configured")
    until = parse(now) + VALID
    expires = int(until.timestamp())
    return {"quote_id": f"q_{expires}_{_signature(keys[0], about, asked, figures, expires)}", "expires_at": stamp(until)}


def check(secrets: str, quote_id: str, about: str, asked: Any, figures: dict[str, Any], now: str) -> None:
    """Stale (412) unless the quote was given for these very figures and has not run out;"""
    _, _, rest = quote_id.partition("_")
    text, _, signature = rest.partition("_")
    expires = int(text) if text.isdecimal() and len(text) < 12 else 0
    if not any(hmac.compare_digest(_signature(key, about, asked, figures, expires), signature) for key in secrets.split()):
        raise Stale(
            "this would not come to what was quoted; look at the figures, and ask for a new preview", "stale-quote", current=figures
        )
    if expires < parse(now).timestamp():
        raise Stale("the quote has run out; ask for a new preview", kind="stale-quote")


def _signature(secret: str, about: str, asked: Any, figures: Any, expires: int) -> str:
    content = json.dumps({"asked": digest_of(asked), "figures": figures}, sort_keys=True).encode()
    return sign(secret, about, expires, content).removeprefix("v1,").translate(str.maketrans("+/", "-_", "="))
