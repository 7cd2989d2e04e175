"""One instruction to a gateway, safe to repeat: record the intent, call with its key, record the outcome (design section 3)."""

from __future__ import annotations

from oms.clock import later
from oms.money.currencies import show
from oms.payments import ledger
from oms.payments.gateway import Gateway, Instruction, Outcome, Unsure
from oms.payments.records import Payment, PaymentEvent


def intend(payment: Payment, what: Instruction, document: str | None = None) -> bool:
    """Note that we are about to ask; False if this very instruction is on record already."""
    if ledger.find(payment, what.key):
        return False
    intent = PaymentEvent(
        kind=what.kind,
        state="requested",
        amount=what.amount,
        at=what.at,
        key=what.key,
        of=what.of,
        into=what.into,
        document=document,
        asked_at=what.at,
    )
    return ledger.add(payment, intent)


def ask(gateway: Gateway, payment: Payment, what: Instruction, now: str = "") -> Outcome:
    """Ask the gateway. Never inside a transaction; a repetition with the same key moves nothing twice.

    An intent that the gateway has taken, or that is older than it remembers keys, is looked up instead. Unsure if it knows nothing of it:
    there is never a second call. `now`: when it is asked, if that may be later than what the instruction says, which is when its step
    began: those before it may have taken their time.
    """
    known = ledger.find(payment, what.key)
    forgotten = known and gateway.key_hours is not None and later(known.at, hours=gateway.key_hours) <= max(what.at, now)
    if known and (known.reference or forgotten):
        found = gateway.look_up(what, payment)
        if found is None:
            raise Unsure(
                f"{what.kind} of {show(what.amount, what.currency)} was asked of {payment.gateway} at {known.at} and never answered; "
                f"it knows nothing of {what.key} now. Look there before anything is done again",
                kind="payment-unsure",
            )
        return found
    return gateway.perform(what, payment)


def conclude(payment: Payment, what: Instruction, outcome: Outcome) -> bool:
    """Put the gateway's answer in place of the intent; True if that is news."""
    known = ledger.find(payment, what.key)
    if what.kind == "authorization":
        payment.source = outcome.source or payment.source
        if outcome.state != "requested":
            payment.token = None
    event = PaymentEvent(
        kind=what.kind,
        state=outcome.state,
        amount=outcome.amount,
        at=outcome.at,
        key=what.key,
        reference=outcome.reference,
        of=what.of,
        into=what.into,
        expires_at=outcome.expires_at,
        once=outcome.once,
        document=known.document if known else None,
        asked_at=known.asked_at if known else None,
        reason=outcome.reason,
    )
    return ledger.add(payment, event)
