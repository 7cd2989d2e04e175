"""One request to a gateway, safe to repeat: record the intent, call with its key, record the outcome (design section 3)."""

from __future__ import annotations

from oms.orders.records import Payment, PaymentEvent
from oms.payments import ledger
from oms.payments.gateway import Gateway, Outcome


def intend(payment: Payment, kind: str, key: str, amount: int, now: str) -> bool:
    """Note that we are about to ask; False if this very request is on record already."""
    if ledger.find(payment, key):
        return False
    return ledger.add(payment, PaymentEvent(kind=kind, state="requested", amount=amount, at=now, key=key))


def ask(gateway: Gateway, payment: Payment, kind: str, key: str, amount: int, currency: str, now: str) -> Outcome:
    """Ask the gateway. Never inside a transaction; a repetition with the same key moves nothing twice."""
    call = {"authorization": gateway.authorize, "capture": gateway.capture, "refund": gateway.refund, "void": gateway.void}[kind]
    return call(key, payment, amount, currency, now)


def conclude(payment: Payment, kind: str, key: str, outcome: Outcome) -> bool:
    """Put the gateway's answer in place of the intent; True if that is news."""
    if kind == "authorization" and outcome.state != "requested":
        payment.expires_at, payment.token = outcome.expires_at, None
    event = PaymentEvent(
        kind=kind,
        state=outcome.state,
        amount=outcome.amount,
        at=outcome.at,
        key=key,
        reference=outcome.reference,
        reason=outcome.reason,
    )
    return ledger.add(payment, event)
