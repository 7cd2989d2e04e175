"""A tender's amounts, folded from its events: repeated, late and reordered events give the same result (design section 6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from oms.payments.records import Payment, PaymentEvent
from oms.stored import Stored

_STATE_ORDER = {"requested": 0, "failed": 1, "succeeded": 2}
_BUCKET = {
    "authorization": "authorized",
    "adjustment": "authorized",
    "capture": "captured",
    "refund": "refunded",
    "void": "voided",
    "expiry": "voided",
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
    """One event per fact: the newest by the provider's time, ties requested < failed < succeeded.

    A fact goes by our key where we asked for it, else by kind and reference; news without a key belongs to the key whose answer has its
    reference. What only our own request knows (its key, what it is for, the authorization it draws on) stays with the fact, whoever tells
    the rest of it.
    """
    events = list(events)
    asked: dict[tuple[str, str], str] = {}
    for event in events:
        if event.key and event.reference:
            name = (event.kind, event.reference)
            asked[name] = min(event.key, asked.get(name, event.key))
    same: dict[tuple[str, str, str], list[PaymentEvent]] = {}
    for event in events:
        reference = event.reference or ""
        key = event.key or asked.get((event.kind, reference), "")
        same.setdefault((event.kind, key, "" if key else reference), []).append(event)
    return [_merged(group) for group in same.values()]


_OURS = ("key", "of", "into", "document", "asked_at", "expires_at")


def _merged(group: Sequence[PaymentEvent]) -> PaymentEvent:
    best = max(group, key=_rank)
    known = {name: max((str(value) for event in group if (value := getattr(event, name))), default=None) for name in _OURS}
    return best.model_copy(update={**known, "once": any(event.once for event in group)})


def _rank(event: PaymentEvent) -> tuple[bool, str, int, int, str, str]:
    """What was said counts before what was asked; clocks may differ."""
    return bool(event.reference), event.at, _STATE_ORDER[event.state], event.amount, event.reference or "", event.reason or ""


class Authorization(Stored):
    """One authorization of a tender: what it was for, what was taken or given back of it, what is under way. Minor units."""

    reference: str
    amount: int
    at: str
    expires_at: str | None = None
    once: bool = False
    captured: int = 0
    voided: int = 0
    pending: int = 0

    @property
    def open(self) -> int:
        """What can still be captured of it."""
        return max(0, self.amount - self.captured - self.voided)

    @property
    def free(self) -> int:
        """What nobody has asked for yet."""
        return max(0, self.open - self.pending)

    def live(self, at: str) -> bool:
        """Whether it has not run out at that time."""
        return not self.expires_at or self.expires_at > at


def authorizations(payment: Payment) -> list[Authorization]:
    """A tender's authorizations that succeeded, oldest first. What does not say which it draws on, draws on the newest."""
    events = newest(payment.events)
    granted = sorted((e for e in events if e.kind == "authorization" and e.state == "succeeded"), key=lambda e: (e.at, e.reference or ""))
    sums = {e.reference or "": {"amount": e.amount, "captured": 0, "voided": 0, "pending": 0} for e in granted}
    if not sums:
        return []
    last = granted[-1].reference or ""
    columns = {"adjustment": "amount", "capture": "captured", "void": "voided", "expiry": "voided"}
    for event in events:
        column = columns.get(event.kind)
        if column and event.state != "failed":
            row = sums[event.of if event.of in sums else last]
            row[column if event.state == "succeeded" else "pending"] += event.amount
    return [
        Authorization(reference=name, at=event.at, expires_at=event.expires_at, once=event.once, **sums[name])
        for event in granted
        if (name := event.reference or "") in sums
    ]


def captures(payment: Payment) -> list[tuple[str | None, int]]:
    """What may be refunded of each authorization's captures, oldest first; under the capture's own name where there was none."""
    known = [each.reference for each in authorizations(payment)]
    sums: dict[str | None, int] = dict.fromkeys(known, 0)
    back: dict[str | None, int] = {}
    events = sorted(newest(payment.events), key=lambda event: (event.at, event.reference or "", event.key or ""))
    for event in events:
        if event.kind == "capture" and event.state == "succeeded":
            of = event.of if event.of in sums else known[-1] if known else event.reference
            sums[of] = sums.get(of, 0) + event.amount
    for event in events:
        if event.kind in ("refund", "chargeback") and event.state != "failed" and sums:
            of = event.of if event.of in sums else max(sums, key=lambda name: sums[name])
            sums[of], back[of] = sums[of] - event.amount, back.get(of, 0) + event.amount
    for event in events:
        if event.kind == "refund_reversal" and event.state == "succeeded" and back:
            of = event.of if event.of in back else max(back, key=lambda name: back[name])
            sums[of], back[of] = sums[of] + event.amount, back[of] - event.amount
    return [(of, amount) for of, amount in sums.items() if amount > 0]


def open_at(payment: Payment, at: str) -> int:
    """What can be captured of a tender at that time: authorizations that have run out by then do not count."""
    return sum(each.open for each in authorizations(payment) if each.live(at))


def expires_at(payment: Payment) -> str | None:
    """When the newest authorization runs out; None if it never does, or there is none."""
    known = authorizations(payment)
    return known[-1].expires_at if known else None


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
    """Add an event unless it is known already; an answer to our own request replaces the request, never the other way round, and what is
    told of one instruction again becomes one event. True if anything changed."""
    mine = [known for known in payment.events if event.key and (known.kind, known.key) == (event.kind, event.key)]
    if not event.reference and any(known.reference for known in mine):
        return False
    told = [known for known in mine if known.reference == event.reference]
    event = _merged([*told, event])
    if event in payment.events:
        return False
    asked = [known for known in mine if not known.reference]
    payment.events = [known for known in payment.events if known not in told and known not in asked] + [event]
    return True


def find(payment: Payment, key: str) -> PaymentEvent | None:
    """What is known of our request `key`."""
    return next((event for event in newest(payment.events) if event.key == key), None)


def attempt_key(payment: Payment, base: str) -> str:
    """The key of what is to be asked now: `base`/1, and one more after each definitive answer on record, never otherwise.

    An instruction without an answer keeps its key (design section 3). What succeeded is not planned again: more for the same document (an
    authorization that ran out once more) is another instruction.
    """
    asked = [event for event in newest(payment.events) if event.key and event.key.startswith(base + "/")]
    return f"{base}/{1 + sum(event.state != 'requested' for event in asked)}"


def payment_status(payment: Payment, now: str) -> str:
    """Where one tender stands, the furthest state first."""
    sums = fold(payment)
    rules = [
        ("charged_back", sums.charged_back > 0),
        ("refunded", sums.captured > 0 and sums.refunded >= sums.captured),
        ("partially_refunded", sums.refunded > 0),
        ("captured", sums.captured > 0 and sums.open_authorization == 0),
        ("partially_captured", sums.captured > 0),
        ("expired", sums.open_authorization > 0 and not open_at(payment, now)),
        ("authorized", sums.open_authorization > 0),
        ("pending", sums.pending_authorization + sums.pending_capture > 0),
        ("voided", sums.voided > 0),
        ("failed", sums.failed > 0),
    ]
    return next((status for status, matches in rules if matches), "none")
