"""Money that people moved, or know not to have moved, outside the gateway's answers."""

from __future__ import annotations

from collections.abc import Sequence

from oms.errors import Conflict
from oms.ids import invoice_of, invoice_of_change, memo_of, memo_of_change
from oms.money.currencies import show
from oms.orders.order import Order
from oms.payments import ledger
from oms.payments.funds import unapplied
from oms.payments.records import Payment, PaymentEvent


def note_by_hand(order: Order, subject: str, *, done: bool, note: str) -> None:
    """Settle the last instructions for work, a return or a change that are open or were declined: done by hand, or not done at all.

    Conflict if there is nothing of the kind, or a tender of a declined refund has not that much left: others were paid back from it since,
    and a retry plans anew. An instruction that was not done is given again under a new key.
    """
    rows = _unsettled(order, _documents(order, subject))
    if not rows:
        raise Conflict("there is no instruction to a gateway that has failed or is open for it")
    for payment, event in rows if done else ():
        left = ledger.fold(payment).refundable
        if not (event.document or "").startswith("cm_"):
            left = min(left, unapplied(order, payment))  # an invoice may have used it since
        if event.kind == "refund" and event.state == "failed" and event.amount > left:
            currency = order.placed.currency
            raise Conflict(
                f"only {show(left, currency)} of {payment.id} can be paid back now, not {show(event.amount, currency)}; retry instead"
            )
    for payment, event in rows:
        state = "succeeded" if done else "failed"
        reference = f"by-hand:{event.key}"
        what = PaymentEvent.model_validate(
            {**event.model_dump(), "state": state, "at": order.now, "reference": reference, "reason": note or "by hand"}
        )
        ledger.add(payment, what)
        if done:
            verb = {"capture": "captured", "refund": "refunded", "void": "voided"}.get(event.kind, "authorized")
            order.record(f"payment.{verb}", payment_id=payment.id, amount=event.amount, document_id=event.document, by="hand")


def _unsettled(order: Order, documents: Sequence[str]) -> list[tuple[Payment, PaymentEvent]]:
    """The instructions that were given last, together, per kind and document, but those that succeeded. What was declined before that was
    planned anew since."""
    rounds: dict[tuple[str, str], list[tuple[Payment, PaymentEvent]]] = {}
    for payment in order.payments.values():
        for event in ledger.newest(payment.events):
            document = event.document or order.id  # what its capture asked for, is for the whole order
            if event.key and document in documents:
                rounds.setdefault((event.kind, document), []).append((payment, event))
    last = {name: max(event.asked_at or "" for _, event in rows) for name, rows in rounds.items()}
    found = [row for name, rows in rounds.items() for row in rows if (row[1].asked_at or "") == last[name]]
    return [(payment, event) for payment, event in found if event.state != "succeeded"]


def _documents(order: Order, subject: str) -> list[str]:
    """What money is moved for on behalf of a fulfillment order, a return or a change."""
    if subject in order.fulfillment_orders:
        return [subject, *(invoice_of(parcel.id) for parcel in order.shipments_of(subject))]
    if subject in order.returns:
        return [memo_of(subject, settled) for settled in range(sum(line.settled for line in order.returns[subject].lines) + 1)]
    if subject in order.changes:
        return [subject, invoice_of_change(subject), memo_of_change(subject)]
    return [subject]
