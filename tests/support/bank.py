"""A payment provider that is not ours, for properties: it has a memory, its own book of what really moved, and every kind of trouble.

It remembers our keys for 24 hours: asked once more after that, it moves money once more. With a key it remembers its own faults too, as
Stripe does: whoever asks again hears of the same fault. Whatever moved it tells by notification, and
whoever plays it may hand these over at any time, in any order and any number of times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from oms import clock
from oms.clock import later
from oms.errors import Retryable
from oms.payments.gateway import Instruction, Kind, Outcome
from oms.payments.news import PaymentNews
from oms.payments.records import Payment

_REFUSES: dict[tuple[Kind, str], str] = {
    ("authorization", "decline"): "always",
    ("authorization", "reauthorization_decline"): "again",
    ("authorization", "async_decline"): "always",
    ("capture", "capture_decline_once"): "first",
    ("refund", "refund_decline_once"): "first",
    ("refund", "async_refund_decline"): "first",
}
_THINKS: set[tuple[Kind, str]] = {
    ("authorization", "async"),
    ("authorization", "async_decline"),
    ("capture", "async_capture"),
    ("refund", "async_refund"),
    ("refund", "async_refund_decline"),
    ("void", "async_void"),
}
TOKENS = ("approve", "single_capture", "short", *sorted({token for _, token in [*_REFUSES, *_THINKS]}))
"""What a card does is in its token's name, as with the sandbox."""
TROUBLES = ("down", "lost", "decline", "told first", "fault before", "fault after", "down for a day", "lost for a day")
"""Not reached; reached, and the answer lost; a definitive no; the notification comes before the answer; a fault of its own before or after
the money moved, for as long as it remembers the key; not reached, or the answer lost, until it has forgotten the key."""
AT_THE_DOOR = ("down", "lost", "decline", "told first")
"""Those that are over while somebody waits for the answer to an order."""
_THINKS_SECONDS, _KEY_HOURS, _GOOD_HOURS = 60, 24, 168


@dataclass
class Held:
    """An authorization. `drawn`: captured or given back, or about to be."""

    payment_id: str
    amount: int
    token: str = "approve"
    expires_at: str | None = None
    drawn: int = 0
    uses: int = 0


@dataclass
class Taken:
    """A capture, of an authorization or made elsewhere without one. `back`: refunded or charged back, or about to be."""

    payment_id: str
    amount: int
    of: str | None
    back: int = 0


@dataclass
class Entry:
    """One instruction, each time it was taken up, and what came of it."""

    what: Instruction
    payment_id: str
    outcome: Outcome
    parts: list[tuple[str, int]] = field(default_factory=list)
    decides_at: str = ""


@dataclass
class Bank:
    """The gateway. `troubles` befall the next instructions, one each (which, `befell` tells); `meanwhile` happens in the middle of the next
    one. `wait`: time goes by until our keys are forgotten. `faults`: keys with the time until which they are answered with a fault."""

    voids_parts: bool = True
    key_hours: int | None = _KEY_HOURS
    held: dict[str, Held] = field(default_factory=dict)
    taken: dict[str, Taken] = field(default_factory=dict)
    known: dict[str, Entry] = field(default_factory=dict)
    history: list[Entry] = field(default_factory=list)
    strangers: dict[str, tuple[Kind, int]] = field(default_factory=dict)
    outside: Counter[tuple[str, str]] = field(default_factory=Counter)
    notifications: list[PaymentNews] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    meanwhile: list[Callable[[], None]] = field(default_factory=list)
    tell: Callable[[PaymentNews], None] = lambda news: None
    wait: Callable[[], None] = lambda: None
    faults: dict[str, str] = field(default_factory=dict)
    befell: list[tuple[Kind, str]] = field(default_factory=list)

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """Once per key, for as long as it is remembered."""
        self.adopt(payment)
        trouble = self._trouble(what)
        if self.faults.get(what.key, "") > clock.stamp():
            raise Retryable("the bank has a fault of its own, and remembers it with the key")
        if trouble.startswith("fault"):
            self.faults[what.key] = later(clock.stamp(), hours=_KEY_HOURS)
        if trouble == "fault before":
            raise Retryable("the bank has a fault of its own")
        entry = self.known.get(what.key)
        if entry is None or later(entry.what.at, hours=_KEY_HOURS) <= clock.stamp():
            entry = self._take_up(what, payment, declines=trouble == "decline")
        return self._answer(entry, trouble)

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """By our key, however old."""
        trouble = self._trouble(what)
        if trouble == "fault before":
            raise Retryable("the bank has a fault of its own")
        entry = self.known.get(what.key)
        return self._answer(entry, trouble) if entry else None

    def total(self, payment_id: str, kind: str) -> int:
        """What really moved for a tender, here and outside of what we asked for."""
        done = [e for e in self.history if (e.payment_id, e.what.kind, e.outcome.state) == (payment_id, kind, "succeeded")]
        return sum(entry.outcome.amount for entry in done) + self.outside[payment_id, kind]

    def decide(self) -> None:
        """Whatever it has thought about for long enough is decided."""
        for entry in self.history:
            if entry.outcome.state == "requested" and entry.decides_at <= clock.stamp():
                self._conclude(entry, self._refuses(entry.what, entry.payment_id, entry.outcome.reference.partition(".")[2]))

    def given(self, reference: str, amount: int, kind: Kind, *, of: str | None = None, expires_at: str | None = None) -> None:
        """What was authorized or captured before we came, for a tender that we will know by its reference."""
        self.strangers[reference] = (kind, amount)
        if kind == "authorization":
            self.held[reference] = Held("", amount, expires_at=expires_at)
        else:
            self.taken[reference] = Taken("", amount, of)
            if of:
                self.held[of].drawn += amount

    def adopt(self, payment: Payment) -> None:
        """Learn whose the strangers are."""
        for reference in [e.reference for e in payment.events if e.reference in self.strangers]:
            kind, amount = self.strangers.pop(reference or "")
            self.outside[payment.id, kind] += amount
            owner: Held | Taken = self.held[reference or ""] if kind == "authorization" else self.taken[reference or ""]
            owner.payment_id = payment.id

    def charge_back(self, reference: str, amount: int) -> None:
        """A cardholder's bank takes back money of one capture."""
        self.taken[reference].back += amount
        self._happens("chargeback", amount, reference)

    def send_back(self, entry: Entry, amount: int) -> None:
        """A refund does not arrive: the money is here again."""
        reference, part = entry.parts[0]
        amount = min(amount, part)
        entry.parts[0] = (reference, part - amount)
        self.taken[reference].back -= amount
        self._happens("refund_reversal", amount, reference)

    def _happens(self, kind: str, amount: int, reference: str) -> None:
        capture = self.taken[reference]
        self.outside[capture.payment_id, kind] += amount
        name = f"{kind}-{len(self.notifications)}"
        self._tell(kind, Outcome("succeeded", amount, clock.stamp(), name), capture.payment_id, capture.of or reference, None)

    def _trouble(self, what: Instruction) -> str:
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble:
            self.befell.append((what.kind, trouble))
        if trouble == "down for a day":
            self.wait()
        if trouble.startswith("down"):
            raise Retryable("the bank cannot be reached")
        return trouble

    def _take_up(self, what: Instruction, payment: Payment, *, declines: bool) -> Entry:
        token = (payment.token or payment.source or "").removeprefix("tok_")
        if what.kind != "authorization":
            token = self.held[what.of].token if what.of in self.held else "approve"
        outcome = Outcome("requested", what.amount, clock.stamp(), f"{what.kind}-{len(self.history)}.{token}")
        entry = Entry(what, payment.id, outcome, decides_at=later(outcome.at, seconds=_THINKS_SECONDS))
        self.known[what.key] = entry
        self.history.append(entry)
        refusal = "declined" if declines else self._impossible(what, payment.id)
        if not refusal:
            self._draw(entry)
        if refusal or (what.kind, token) not in _THINKS:
            self._conclude(entry, refusal or self._refuses(what, payment.id, token))
        return entry

    def _answer(self, entry: Entry, trouble: str) -> Outcome:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        self.decide()
        if trouble == "told first":
            self.tell(next((n for n in self.notifications if n.reference == entry.outcome.reference), self._pending(entry)))
        if trouble == "lost for a day":
            self.wait()
        if trouble.startswith(("lost", "fault")):
            raise Retryable("the bank's answer was lost")
        return entry.outcome

    def _pending(self, entry: Entry) -> PaymentNews:
        return self._news(entry.what.kind, entry.outcome, entry.payment_id, entry.what.of, entry.what.key)

    def _impossible(self, what: Instruction, payment_id: str) -> str | None:
        """What no bank does, whatever it is asked."""
        if what.kind == "refund":
            return "amount_too_large" if what.amount > sum(t.amount - t.back for t in self._paid_by(what, payment_id)) else None
        if what.kind == "authorization":
            return None
        granted = self.held.get(what.of or "")
        if granted is None or granted.payment_id != payment_id:
            return "unknown_reference"
        if what.amount > granted.amount - granted.drawn:
            return "amount_too_large"
        if what.kind == "void":
            return "partial_void" if not self.voids_parts and what.amount < granted.amount - granted.drawn else None
        if granted.expires_at and granted.expires_at <= clock.stamp():
            return "authorization_expired"
        return "already_captured" if granted.token == "single_capture" and granted.uses else None

    def _refuses(self, what: Instruction, payment_id: str, token: str) -> str | None:
        when = _REFUSES.get((what.kind, token))
        again = any(held.payment_id == payment_id for held in self.held.values())
        refuses = when == "always" or (when == "first" and what.key.endswith("/1")) or (when == "again" and again)
        return "card_declined" if refuses else None

    def _paid_by(self, what: Instruction, payment_id: str) -> list[Taken]:
        mine = [taken for taken in self.taken.values() if taken.payment_id == payment_id]
        named = [taken for name, taken in self.taken.items() if taken in mine and what.of in (name, taken.of)]
        return mine if what.of is None else named

    def _draw(self, entry: Entry) -> None:
        """Set apart what the instruction needs, so that nothing else can have it."""
        what = entry.what
        if what.kind in ("capture", "void"):
            granted = self.held[what.of or ""]
            granted.drawn += what.amount
            granted.uses += what.kind == "capture"
        if what.kind == "refund":
            left, names = what.amount, {id(taken): name for name, taken in self.taken.items()}
            for taken in self._paid_by(what, entry.payment_id):
                part = min(left, taken.amount - taken.back)
                taken.back, left = taken.back + part, left - part
                entry.parts += [(names[id(taken)], part)] if part else []

    def _conclude(self, entry: Entry, refusal: str | None) -> None:
        what, outcome = entry.what, entry.outcome
        token, reference, at = outcome.reference.partition(".")[2], outcome.reference, clock.stamp()
        entry.outcome = Outcome("failed" if refusal else "succeeded", what.amount, at, reference, refusal)
        if refusal:
            if what.kind in ("capture", "void") and refusal == "card_declined":
                self.held[what.of or ""].drawn -= what.amount
                self.held[what.of or ""].uses -= 1
            for name, part in entry.parts:
                self.taken[name].back -= part
            entry.parts = []
        elif what.kind == "authorization":
            expires_at = later(at, hours=1 if token == "short" else _GOOD_HOURS)
            once = token == "single_capture"
            entry.outcome = Outcome("succeeded", what.amount, at, reference, expires_at=expires_at, once=once, source=f"tok_{token}")
            self.held[reference] = Held(entry.payment_id, what.amount, token, expires_at)
        elif what.kind == "capture":
            self.taken[reference] = Taken(entry.payment_id, what.amount, what.of)
        self._tell(what.kind, entry.outcome, entry.payment_id, what.of, what.key)

    def _tell(self, kind: str, outcome: Outcome, payment_id: str, of: str | None, key: str | None) -> None:
        self.notifications.append(self._news(kind, outcome, payment_id, of, key))

    def _news(self, kind: str, outcome: Outcome, payment_id: str, of: str | None, key: str | None) -> PaymentNews:
        fields = {"payment_id": payment_id, "kind": kind, "state": outcome.state, "reference": outcome.reference, "amount": outcome.amount}
        named = key if len(self.history) % 2 else None  # some of its notifications name our key
        return PaymentNews.model_validate({**fields, "occurred_at": outcome.at, "of": of, "key": named, "reason": outcome.reason})
