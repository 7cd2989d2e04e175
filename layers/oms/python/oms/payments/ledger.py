"""A tender's amounts, folded from its events: repeated, late and reordered events give the same result (design section 6)."""

from __future__ import annotations

from collections.abc import Iterable

from oms.orders.records import Payment, PaymentEvent
from oms.stored import Stored

_STATE_ORDER = {"requested": 0, "failed": 1, "succeeded": 2}
_BUCKET = {
    "authorization": "authorized",
    "adjustment": "authorized",
    "capture": "captured",
    "refund": "refunded",
    "void": "voided",
    "chargeback": "charged_back",
}


class Buckets(Stored):
    """Amounts in minor units. `authorized` is all that was ever authorized; `open_authorization` what can still be captured of it."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    voided: int = 0
    charged_back: int = 0
    pending_authorization: int = 0
    pending_capture: int = 0
    pending_refund: int = 0
    pending_void: int = 0
    failed: int = 0

    @property
    def open_authorization(self) -> int:
        """Authorized, and neither captured nor given back."""
        return max(0, self.authorized - self.captured - self.voided)

    @property
    def refundable(self) -> int:
        """What may still be refunded, requests under way counted as done."""
        return self.captured - self.refunded - self.pending_refund - self.charged_back

    def __add__(self, other: Buckets) -> Buckets:
        return Buckets(**{name: getattr(self, name) + getattr(other, name) for name in Buckets.model_fields})


def newest(events: Iterable[PaymentEvent]) -> list[PaymentEvent]:
    """One event per kind and reference: the newest by the provider's time, ties requested < failed < succeeded.

    An event without a reference yet goes by our key until the provider has answered.
    """
    events = list(events)
    known: dict[tuple[str, str], PaymentEvent] = {}
    for event in events:
        name = (event.kind, event.reference or event.key or "")
        if name not in known or _rank(event) > _rank(known[name]):
            known[name] = event
    answered = {(event.kind, event.key) for event in events if event.reference and event.key}
    return [event for event in known.values() if event.reference or (event.kind, event.key) not in answered]


def _rank(event: PaymentEvent) -> tuple[str, int, int]:
    return event.at, _STATE_ORDER[event.state], event.amount


def fold(payment: Payment) -> Buckets:
    """All amounts of one tender."""
    amounts: dict[str, int] = {}
    for event in newest(payment.events):
        bucket = _BUCKET.get(event.kind)
        if event.kind == "refund_reversal" and event.state == "succeeded":
            amounts["refunded"] = amounts.get("refunded", 0) - event.amount
        elif bucket is None:
            continue
        elif event.state == "succeeded":
            amounts[bucket] = amounts.get(bucket, 0) + event.amount
        elif event.state == "failed":
            amounts["failed"] = amounts.get("failed", 0) + event.amount
        elif bucket != "charged_back":
            pending = "pending_" + {"authorized": "authorization", "captured": "capture", "refunded": "refund", "voided": "void"}[bucket]
            amounts[pending] = amounts.get(pending, 0) + event.amount
    return Buckets(**amounts)


def add(payment: Payment, event: PaymentEvent) -> bool:
    """Add an event unless it is known already; an answer to our own request replaces the request. True if anything changed."""
    if event in payment.events:
        return False
    if event.key:
        payment.events = [known for known in payment.events if not (known.key == event.key and known.kind == event.kind)]
    payment.events.append(event)
    return True


def find(payment: Payment, key: str) -> PaymentEvent | None:
    """What is known of our request `key`."""
    return next((event for event in payment.events if event.key == key), None)


def attempt_key(payment: Payment, base: str) -> str:
    """The key of the attempt to make now: `base`/1, and one more after each definitive failure, never otherwise (design section 3)."""
    failures = sum(1 for event in payment.events if event.key and event.key.startswith(base + "/") and event.state == "failed")
    return f"{base}/{failures + 1}"


def payment_status(payment: Payment, now: str) -> str:
    """Where one tender stands, the furthest state first."""
    sums = fold(payment)
    rules = [
        ("charged_back", sums.charged_back > 0),
        ("refunded", sums.captured > 0 and sums.refunded >= sums.captured),
        ("partially_refunded", sums.refunded > 0),
        ("captured", sums.captured > 0 and sums.open_authorization == 0),
        ("partially_captured", sums.captured > 0),
        ("expired", sums.open_authorization > 0 and payment.expires_at is not None and payment.expires_at <= now),
        ("authorized", sums.open_authorization > 0),
        ("pending", sums.pending_authorization + sums.pending_capture > 0),
        ("voided", sums.voided > 0),
        ("failed", sums.failed > 0),
    ]
    return next((status for status, matches in rules if matches), "none")
