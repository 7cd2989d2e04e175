"""Money that a document needs moved, one instruction per tender: what is on record is asked again as it is, what is missing is added.

Plan, intend, ask, conclude: repeated at any point it comes to the same, because instructions are found again by the document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oms.orders.order import Order
from oms.payments import ledger
from oms.payments.funds import Part
from oms.payments.gateway import RAN_OUT, Instruction, Kind, Outcome
from oms.payments.payouts import EXCHANGE, account_for
from oms.payments.records import Payment, PaymentEvent
from oms.payments.requests import conclude, intend

_VERBS = {"authorization": "authorized", "capture": "captured", "refund": "refunded", "void": "voided"}


@dataclass(frozen=True)
class Transfer:
    """Money taken for, paid back for or no longer held because of a document (an invoice, a credit memo, a change). `into`: where it is
    paid back to, if not to the tenders."""

    kind: Kind
    document: str
    into: str | None = None


@dataclass(frozen=True)
class Move:
    """One instruction to one tender."""

    payment_id: str
    what: Instruction


@dataclass(frozen=True)
class Answer:
    """What the gateway said to a move."""

    move: Move
    outcome: Outcome


def under_way(order: Order, transfer: Transfer) -> list[Move]:
    """Instructions that were given, or were about to be, and have no answer on record."""
    return [
        Move(payment.id, _instruction(order, payment, transfer, event.key, event.amount, event.of))
        for payment in order.payments.values()
        for event in _of(order, payment, transfer)
        if event.state == "requested" and event.key
    ]


def settled(order: Order, transfer: Transfer) -> list[dict[str, Any]]:
    """What has been moved for the document, per tender."""
    return [
        {"payment_id": payment.id, "amount": event.amount, "reference": event.reference, **({"into": event.into} if event.into else {})}
        for payment in order.payments.values()
        for event in _of(order, payment, transfer)
        if event.state == "succeeded"
    ]


def moved(order: Order, transfer: Transfer) -> int:
    """How much has been moved for the document."""
    return sum(row["amount"] for row in settled(order, transfer))


def add_moves(order: Order, transfer: Transfer, parts: Sequence[Part], *, final: bool = False) -> list[Move]:
    """Note what will be asked of which tender. A key is made of order, kind, document, destination, tender and attempt: it is
    used once."""
    moves: list[Move] = []
    for part in parts:
        into = _into(order, part.payment, transfer)
        document = f"{transfer.document}/{into}" if into else transfer.document
        tender = part.payment.id + _which(part)
        key = ledger.attempt_key(part.payment, f"{order.id}/{transfer.kind}/{document}/{tender}")
        what = _instruction(order, part.payment, transfer, key, part.amount, part.of, final=final)
        if intend(part.payment, what, transfer.document):
            moves.append(Move(part.payment.id, what))
    return moves


def record(order: Order, transfer: Transfer, answers: Sequence[Answer]) -> None:
    """Put the answers in place of the intents; each that is news is an event. What an authorization that allows one capture only still
    has, lapses with it; so does one that has run out, which its gateway may be the first to say: it is not asked for anything again."""
    for answer in answers:
        payment, what, outcome = order.payments[answer.move.payment_id], answer.move.what, answer.outcome
        if not conclude(payment, what, outcome):
            continue
        verb = {"succeeded": _VERBS[what.kind], "failed": f"{what.kind}_declined", "requested": f"{what.kind}_pending"}[outcome.state]
        order.record(
            f"payment.{verb}",
            payment_id=payment.id,
            amount=outcome.amount,
            document_id=transfer.document,
            into=what.into,
            reason=outcome.reason,
        )
        if what.kind == "capture" and outcome.state == "succeeded":
            _lapse(order, payment, what.of)
        if what.kind == "capture" and outcome.reason == RAN_OUT and (gone := lapse(order, payment, what.of or "", "it ran out")):
            order.record("payment.authorization_expired", payment_id=payment.id, amount=gone)


def lapse(order: Order, payment: Payment, reference: str, why: str) -> int:
    """Note that what an authorization still has can no longer be captured. Returns how much that was."""
    for each in ledger.authorizations(payment):
        if each.reference == reference and each.free > 0:
            before = sum(event.kind == "expiry" and event.of == reference for event in ledger.newest(payment.events))
            # What was being captured when it ran out, and was not captured in the end, lapses after the rest.
            key = f"{order.id}/expiry/{payment.id}/{reference}" + (f"/{before + 1}" if before else "")
            lapsed = PaymentEvent(kind="expiry", state="succeeded", amount=each.free, at=order.now, key=key, of=reference, reason=why)
            return each.free if ledger.add(payment, lapsed) else 0
    return 0


def _lapse(order: Order, payment: Payment, reference: str | None) -> None:
    for each in ledger.authorizations(payment):
        if each.once and each.reference == reference:
            lapse(order, payment, each.reference, "it allowed one capture")


def _of(order: Order, payment: Payment, transfer: Transfer) -> list[PaymentEvent]:
    about = (transfer.kind, transfer.document, _into(order, payment, transfer))
    return [event for event in ledger.newest(payment.events) if (event.kind, event.document, event.into) == about]


def _into(order: Order, payment: Payment, transfer: Transfer) -> str | None:
    """Where a tender's money goes. What an exchange brought came from no card of this order: it is given back as store credit."""
    if transfer.into is None and transfer.kind == "refund" and payment.method == EXCHANGE:
        return account_for(order)
    return transfer.into


def _instruction(
    order: Order, payment: Payment, transfer: Transfer, key: str, amount: int, of: str | None, *, final: bool = False
) -> Instruction:
    into = _into(order, payment, transfer)
    owner = order.placed.customer_id if into else None
    return Instruction(transfer.kind, key, amount, order.placed.currency, order.now, of, final, into, owner)


def _which(part: Part) -> str:
    """Tells a tender's later authorizations apart; the first needs no name."""
    known = [each.reference for each in ledger.authorizations(part.payment)]
    place = known.index(part.of) if part.of in known else 0
    return f".{place + 1}" if place else ""
