"""The sandbox gateway: part of the product, deterministic, without memory. The token's name decides what happens.

    tok_approve                    everything succeeds
    tok_decline...                 the authorization is declined (also any token it does not know)
    tok_reauthorization_decline    the first authorization succeeds, later ones are declined
    tok_capture_decline            authorized, but every capture is declined
    tok_capture_decline_once       the first capture attempt is declined, the next succeeds
    tok_refund_decline             captured, but every refund is declined
    tok_single_capture             the authorization allows one capture; what is left of it then lapses
    tok_no_partial_void            an authorization can be given back as a whole only
    tok_short_authorization        the authorization runs out after an hour, not after seven days
    tok_async                      the authorization is `requested`, and succeeds 60 seconds after it was asked for first
    tok_async_decline              the same, and then it is declined
    tok_async_capture, _refund     authorized at once; captures, or refunds, are `requested` for 60 seconds, then succeed
    tok_timeout_after              whatever is asked for happens, but the first call's answer is lost: the next try hears of it
    tok_unavailable                the gateway cannot be reached

Whatever the token: a capture above what its authorization has left or after it ran out, a refund above what was captured and a
reference it never gave are declined. What it needs to know for that, it reads off the tender it is asked about; an authorization's
reference carries the token's behaviour, so that later instructions need no token. Its news (PaymentNews, signed) can be sent by whoever
has the secret of its webhook, in any order and any number of times.
"""

from __future__ import annotations

import hashlib

from oms.clock import later
from oms.errors import Retryable
from oms.payments import ledger
from oms.payments.gateway import RAN_OUT, Instruction, Outcome
from oms.payments.ledger import Authorization
from oms.payments.records import Payment

_AUTHORIZATION_HOURS = {"tok_short_authorization": 1}
_DEFAULT_HOURS = 7 * 24
_ASYNC = {
    ("authorization", "tok_async"): None,
    ("authorization", "tok_async_decline"): "card_declined",
    ("capture", "tok_async_capture"): None,
    ("refund", "tok_async_refund"): None,
}
"""What the gateway thinks about for a while, and why it then declines (None: it does not)."""
_ASYNC_SECONDS = 60
_UNAVAILABLE = "tok_unavailable"
_KNOWN = {
    "tok_approve",
    "tok_reauthorization_decline",
    "tok_capture_decline",
    "tok_capture_decline_once",
    "tok_refund_decline",
    "tok_single_capture",
    "tok_no_partial_void",
    "tok_short_authorization",
    "tok_async",
    "tok_async_decline",
    "tok_async_capture",
    "tok_async_refund",
    "tok_timeout_after",
}


class Sandbox:
    """A gateway that moves no money. It has no memory, so it knows every key for ever."""

    key_hours: int | None = None
    voids_parts = True

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """Succeeds unless the token's name, or that of the token behind the authorization, or the tender's amounts say otherwise."""
        if what.kind != "authorization":
            name = _behaviour(what, payment)
            short = {"capture": "cap", "refund": "ref"}.get(what.kind, what.kind)
            return _outcome(what, payment, name, _reference(short, what.key), _refusal(what, payment, name))
        name = payment.token or payment.source or ""
        if name == _UNAVAILABLE:
            raise Retryable(f"the sandbox gateway cannot be reached ({_UNAVAILABLE})")
        if name not in _KNOWN:
            return _outcome(what, payment, name, _reference("auth", what.key), _why_declined(name))
        again = bool(ledger.authorizations(payment))
        reason = "card_declined" if again and name == "tok_reauthorization_decline" else None
        return _outcome(what, payment, name, _reference("auth", what.key, name), reason)

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """The same again, for what the tender says was asked for; None for any other key."""
        return self.perform(what, payment) if ledger.find(payment, what.key) else None


def _outcome(what: Instruction, payment: Payment, name: str, reference: str, reason: str | None) -> Outcome:
    """The answer as of now: as it was given before, or decided at the time at which it was asked for first."""
    known = ledger.find(payment, what.key)
    if known and known.state != "requested":
        return _with_terms(what, name, Outcome(known.state, known.amount, known.at, known.reference or reference, known.reason))
    at = known.at if known else what.at
    if name == "tok_timeout_after" and at == what.at:
        raise Retryable("the answer of the sandbox gateway was lost (tok_timeout_after)")
    if not reason and (what.kind, name) in _ASYNC:
        done_at = later(at, seconds=_ASYNC_SECONDS)
        if what.at < done_at:
            return _with_terms(what, name, Outcome("requested", what.amount, at, reference))
        at, reason = done_at, _ASYNC[what.kind, name]
    return _with_terms(what, name, Outcome("failed" if reason else "succeeded", what.amount, at, reference, reason))


def _with_terms(what: Instruction, name: str, outcome: Outcome) -> Outcome:
    """How long an authorization is good, and for what."""
    if what.kind != "authorization" or outcome.state == "failed":
        return outcome
    hours = _AUTHORIZATION_HOURS.get(name, _DEFAULT_HOURS)
    return Outcome(
        outcome.state,
        outcome.amount,
        outcome.at,
        outcome.reference,
        expires_at=later(outcome.at, hours=hours),
        once=name == "tok_single_capture",
        source=name,
    )


def _refusal(what: Instruction, payment: Payment, name: str) -> str | None:
    """Why a capture, void or refund is declined; None if it is not."""
    by_name = {
        ("capture", "tok_capture_decline"): "card_declined",
        ("capture", "tok_capture_decline_once"): "card_declined" if what.key.endswith("/1") else None,
        ("refund", "tok_refund_decline"): "refund_declined",
    }.get((what.kind, name))
    if by_name:
        return by_name
    if what.kind == "refund":
        sums = ledger.fold(payment)
        return "amount_too_large" if what.amount > sums.captured - sums.refunded - sums.charged_back else None
    granted = _authorization(what, payment)
    if granted is None:
        return "unknown_reference"
    rules = {
        "amount_too_large": what.amount > granted.open,
        RAN_OUT: what.kind == "capture" and not granted.live(what.at),
        "already_captured": what.kind == "capture" and granted.once and granted.captured > 0,
        "partial_void_not_supported": what.kind == "void" and name == "tok_no_partial_void" and what.amount < granted.open,
    }
    return next((reason for reason, applies in rules.items() if applies), None)


def _authorization(what: Instruction, payment: Payment) -> Authorization | None:
    """The authorization that is meant: one on record, or one of ours whose answer is not on record yet."""
    known = ledger.authorizations(payment)
    for each in known:
        if each.reference == what.of:
            return each
    if what.of is None:
        return known[-1] if known else None
    for event in payment.events:
        if event.kind == "authorization" and event.key and what.of.startswith(_reference("auth", event.key)):
            return Authorization(reference=what.of, amount=event.amount, at=event.at)
    return None


def _why_declined(name: str) -> str:
    return "insufficient_funds" if "insufficient" in name else "card_declined" if "decline" in name else "unknown_token"


def _reference(kind: str, key: str, behaviour: str = "") -> str:
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"sbx_{kind}_{digest}" + (f".{behaviour}" if behaviour else "")


def _behaviour(what: Instruction, payment: Payment) -> str:
    """The name of the token behind the authorization that is meant."""
    references = [what.of, *(event.reference for event in payment.events if event.kind == "authorization")]
    names = [reference.partition(".")[2] for reference in references if reference]
    return next((name for name in names if name in _KNOWN), "tok_approve")
