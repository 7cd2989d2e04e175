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
from oms.orders.records import Payment
from oms.payments.gateway import Outcome

_AUTHORIZATION_DAYS = 7
_UNAVAILABLE = "tok_unavailable"
_KNOWN = {"tok_approve", "tok_capture_decline", "tok_capture_decline_once", "tok_refund_decline"}


class Sandbox:
    """A gateway that moves no money."""

    def authorize(self, key: str, payment: Payment, amount: int, currency: str, now: str) -> Outcome:
        """Succeeds for the known tokens, declines otherwise; the authorization is good for seven days."""
        name = payment.token or ""
        if name == _UNAVAILABLE:
            raise Retryable("the sandbox gateway cannot be reached (tok_unavailable)")
        if name not in _KNOWN:
            reason = "insufficient_funds" if "insufficient" in name else "card_declined" if "decline" in name else "unknown_token"
            return Outcome("failed", amount, now, _reference("auth", key), reason)
        return Outcome("succeeded", amount, now, _reference("auth", key, name), expires_at=later(now, days=_AUTHORIZATION_DAYS))

    def capture(self, key: str, payment: Payment, amount: int, currency: str, now: str) -> Outcome:
        """Succeeds unless the authorization's token says otherwise."""
        behaviour = _behaviour(payment)
        first = key.endswith("/1")
        if behaviour == "tok_capture_decline" or (behaviour == "tok_capture_decline_once" and first):
            return Outcome("failed", amount, now, _reference("cap", key), "card_declined")
        return Outcome("succeeded", amount, now, _reference("cap", key))

    def refund(self, key: str, payment: Payment, amount: int, currency: str, now: str) -> Outcome:
        """Succeeds unless the authorization's token says otherwise."""
        if _behaviour(payment) == "tok_refund_decline":
            return Outcome("failed", amount, now, _reference("ref", key), "refund_declined")
        return Outcome("succeeded", amount, now, _reference("ref", key))

    def void(self, key: str, payment: Payment, amount: int, currency: str, now: str) -> Outcome:
        """Always succeeds."""
        return Outcome("succeeded", amount, now, _reference("void", key))


def _reference(kind: str, key: str, behaviour: str = "") -> str:
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"sbx_{kind}_{digest}" + (f".{behaviour}" if behaviour else "")


def _behaviour(payment: Payment) -> str:
    for event in payment.events:
        if event.kind == "authorization" and event.reference and "." in event.reference:
            return event.reference.split(".", 1)[1]
    return "tok_approve"
