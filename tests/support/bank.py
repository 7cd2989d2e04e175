"""A payment provider that is not ours, for properties: it has a memory, its own book of what really moved, and every kind of trouble.

It remembers our keys for 24 hours: asked once more after that, it moves money once more. Whatever moved it tells by notification, and
whoever plays it may hand these over at any time, in any order and any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from oms import clock
from oms.clock import later, parse
from oms.errors import Retryable
from oms.payments.gateway import Instruction, Outcome
from oms.payments.news import PaymentNews
from oms.payments.records import Payment

TOKENS = ("approve", "decline", "reauthorization_decline", "single_capture", "short", "async", "async_decline", "capture_decline_once")
TOKENS += ("refund_decline_once", "async_capture", "async_refund", "async_refund_decline")
TROUBLES = ("down", "lost", "decline", "told first")
"""Not reached; reached, and the answer lost; a definitive no; the notification comes before the answer."""
_THINKS_SECONDS, _KEY_HOURS = 60, 24


@dataclass
class Held:
    """One authorization in the bank's book."""

    payment_id: str
    amount: int
    token: str = "approve"
    expires_at: str | None = None
    captured: int = 0
    voided: int = 0
    uses: int = 0

    @property
    def open(self) -> int:
        return self.amount - self.captured - self.voided


@dataclass
class Taken:
    """One capture in the bank's book, of an authorization or of its own."""

    payment_id: str
    amount: int
    of: str | None
    refunded: int = 0
    charged_back: int = 0

    @property
    def left(self) -> int:
        return self.amount - self.refunded - self.charged_back


@dataclass
class Entry:
    """One instruction: what was asked, when for the first time, and what came of it. `decides_at`: when it will be done."""

    what: Instruction
    payment_id: str
    outcome: Outcome
    decides_at: str = ""


@dataclass
class Bank:
    """The gateway. `troubles` befall the next instructions, one each; `meanwhile` runs once in the middle of the next one."""

    voids_parts: bool = True
    key_hours: int | None = _KEY_HOURS
    held: dict[str, Held] = field(default_factory=dict)
    taken: dict[str, Taken] = field(default_factory=dict)
    refunds: dict[str, tuple[str, int]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    history: list[Entry] = field(default_factory=list)
    notifications: list[PaymentNews] = field(default_factory=list)
    undelivered: set[str] = field(default_factory=set)
    troubles: list[str] = field(default_factory=list)
    meanwhile: list[Callable[[], None]] = field(default_factory=list)
    tell: Callable[[PaymentNews], None] = lambda news: None

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """Once per key, for as long as it is remembered."""
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "down":
            raise Retryable("the bank cannot be reached")
        known = self.entries.get(what.key)
        if known is None or later(known.what.at, hours=_KEY_HOURS) <= clock.stamp():
            known = self._take_up(what, payment, trouble == "decline")
        if self.meanwhile:
            self.meanwhile.pop(0)()
        if trouble == "told first":
            self._decide(known)
            self.tell(self.notifications[-1])
        if trouble == "lost":
            raise Retryable("the bank's answer was lost")
        return self._decide(known)

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """By our key, however old."""
        if self.troubles and self.troubles[0] == "down":
            self.troubles.pop(0)
            raise Retryable("the bank cannot be reached")
        known = self.entries.get(what.key)
        return self._decide(known) if known else None

    def total(self, payment_id: str, kind: str) -> int:
        """What really moved for a tender."""
        if kind == "refund":
            return sum(each.refunded for each in self.taken.values() if each.payment_id == payment_id)
        if kind == "charged_back":
            return sum(each.charged_back for each in self.taken.values() if each.payment_id == payment_id)
        if kind == "capture":
            return sum(each.amount for each in self.taken.values() if each.payment_id == payment_id)
        return sum(each.amount if kind == "authorization" else each.voided for each in self.held.values() if each.payment_id == payment_id)

    def succeeded(self) -> Iterator[Entry]:
        """Instructions that moved money, each time they did."""
        return (entry for entry in self.history if entry.outcome.state == "succeeded")

    def given(self, reference: str, payment_id: str, amount: int, *, captured: str = "", part: int = 0, expires_at: str | None = None) -> None:
        """What was authorized, and perhaps captured, before we came."""
        if amount:
            self.held[reference] = Held(payment_id, amount, expires_at=expires_at, captured=part)
        if captured:
            self.taken[captured] = Taken(payment_id, part, reference if amount else None)

    def charge_back(self, reference: str, amount: int) -> None:
        """The cardholder's bank takes money back."""
        self.taken[reference].charged_back += amount
        self._outside("chargeback", f"{reference}:dispute:{len(self.notifications)}", amount, reference)

    def send_back(self, reference: str, amount: int) -> None:
        """A refund does not arrive: the money is ours again."""
        of, _ = self.refunds[reference]
        self.taken[of].refunded -= amount
        self.refunds[reference] = (of, self.refunds[reference][1] - amount)
        self._outside("refund_reversal", f"{reference}:back:{len(self.notifications)}", amount, of)

    def _outside(self, kind: str, reference: str, amount: int, of: str) -> None:
        self._note(kind, "succeeded", reference, amount, self.taken[of].payment_id, None, self.taken[of].of)
        self.undelivered.add(reference)

    def _take_up(self, what: Instruction, payment: Payment, declines: bool) -> Entry:
        token = self._token(what, payment)
        reference = f"{what.kind}-{len(self.history)}.{token}"
        waits = token.startswith("async") and token.removeprefix("async").split("_")[1:2] in ([what.kind], [] if what.kind == "authorization" else None, ["decline"] if what.kind == "authorization" else None)
        outcome = Outcome("requested", what.amount, clock.stamp(), reference)
        entry = Entry(what, payment.id, outcome)
        entry.decides_at = later(clock.stamp(), seconds=_THINKS_SECONDS) if waits and not declines else ""
        self.entries[what.key] = entry
        self.history.append(entry)
        if declines:
            self._answer(entry, "failed", "declined")
        else:
            self._decide(entry)
        return entry
