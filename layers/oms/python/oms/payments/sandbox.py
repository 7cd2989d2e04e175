"""The sandbox gateway: part of the product, deterministic, without memory. The token's name decides what happens.

    tok_approve                 everything succeeds
    tok_decline...              the authorization is declined (also any token it does not know)
    tok_capture_decline         authorized, but every capture is declined
    tok_capture_decline_once    the first capture attempt is declined, the next succeeds
    tok_refund_decline          captured, but every refund is declined
    tok_unavailable             the gateway cannot be reached

An authorization's reference carries the token's behaviour, so that captures and refunds need no token.
"""

from __future__ import annotations

import hashlib

from oms.clock import later
from oms.errors import Retryable
from oms.payments.gateway import Instruction, Outcome
from oms.payments.records import Payment

_AUTHORIZATION_DAYS = 7
_UNAVAILABLE = "tok_unavailable"
_KNOWN = {"tok_approve", "tok_capture_decline", "tok_capture_decline_once", "tok_refund_decline"}


class Sandbox:
    """A gateway that moves no money. It has no memory, so it knows every key for ever."""

    key_hours: int | None = None
    voids_parts = True

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """Succeeds unless the token's name, or that of the token behind the authorization, says otherwise."""
        if what.kind == "authorization":
            return self._authorize(what, payment)
        behaviour = _behaviour(payment)
        reason = {
            ("capture", "tok_capture_decline"): "card_declined",
            ("capture", "tok_capture_decline_once"): "card_declined" if what.key.endswith("/1") else None,
            ("refund", "tok_refund_decline"): "refund_declined",
        }.get((what.kind, behaviour))
        short = {"capture": "cap", "refund": "ref"}.get(what.kind, what.kind)
        return Outcome("failed" if reason else "succeeded", what.amount, what.at, _reference(short, what.key), reason)

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """The same again."""
        return self.perform(what, payment)

    def _authorize(self, what: Instruction, payment: Payment) -> Outcome:
        name = payment.token or payment.source or ""
        if name == _UNAVAILABLE:
            raise Retryable("the sandbox gateway cannot be reached (tok_unavailable)")
        if name not in _KNOWN:
            reason = "insufficient_funds" if "insufficient" in name else "card_declined" if "decline" in name else "unknown_token"
            return Outcome("failed", what.amount, what.at, _reference("auth", what.key), reason)
        expires_at = later(what.at, days=_AUTHORIZATION_DAYS)
        return Outcome("succeeded", what.amount, what.at, _reference("auth", what.key, name), expires_at=expires_at, source=name)


def _reference(kind: str, key: str, behaviour: str = "") -> str:
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"sbx_{kind}_{digest}" + (f".{behaviour}" if behaviour else "")


def _behaviour(payment: Payment) -> str:
    for event in payment.events:
        if event.kind == "authorization" and event.reference and "." in event.reference:
            return event.reference.split(".", 1)[1]
    return "tok_approve"
