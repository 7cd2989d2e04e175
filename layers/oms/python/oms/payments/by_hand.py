"""Money that people moved, or know not to have moved, outside the gateway's answers."""

from __future__ import annotations

from collections.abc import Sequence

from oms.errors import Conflict
from oms.ids import invoice_of, invoice_of_change, invoice_of_return, memo_of, memo_of_change
from oms.money.currencies import show
from oms.orders.order import Order
from oms.payments import ledger
from oms.payments.funds import paid, unapplied
from oms.payments.records import BY_HAND, COLLECTION, DECLINE, Payment, PaymentEvent
from oms.payments.releases import release_id


def note_by_hand(order: Order, subject: str, *, done: bool, note: str) -> None:
    """Settle the last instructions for an order's capture, work, a return or a change that were never answered, or declined: done by hand,
    or not done at all. What a gateway has taken and thinks about, it will tell itself.

    Conflict if there is nothing of the kind, or a tender of a declined refund has not that much left: others were paid back from it since,
    and a retry plans anew. An instruction that was not done is given again under a new key.
    """
    rows = _unsettled(order, _documents(order, subject))
    if not rows:
        raise Conflict("there is no instruction to a gateway that has failed or is open for it now; retry instead")
    if done:
        _must_be_there(order, rows)
    for payment, event in rows:
        state = "succeeded" if done else "failed"
        reference = f"{BY_HAND}{event.key}"
        what = PaymentEvent.model_validate(
            {**event.model_dump(), "state": state, "at": order.now, "reference": reference, "reason": note or "by hand"}
        )
        ledger.add(payment, what)
        if done:
            verb = {"capture": "captured", "refund": "refunded", "void": "voided"}.get(event.kind, "authorized")
            order.record(f"payment.{verb}", payment_id=payment.id, amount=event.amount, document_id=event.document, by="hand")


def _must_be_there(order: Order, rows: Sequence[tuple[Payment, PaymentEvent]]) -> None:
    """Conflict unless each tender still has what its declined refunds give back: of goods what paid for them, else what no invoice uses."""
    for payment in {payment.id: payment for payment, _ in rows}.values():
        declined = [event for mine, event in rows if mine is payment and event.kind == "refund" and event.state == "failed"]
        of_goods = sum(event.amount for event in declined if (event.document or "").startswith("cm_"))
        all_, left = sum(event.amount for event in declined), ledger.fold(payment).refundable
        needs = ((of_goods, paid(order, payment)), (all_ - of_goods, unapplied(order, payment)), (all_, left))
        for amount, there in needs:
            if amount > min(left, there):
                most, asked = (show(each, order.placed.currency) for each in (min(left, there), amount))
                raise Conflict(f"only {most} of {payment.id} can be paid back now, not {asked}; retry instead")


def _unsettled(order: Order, documents: Sequence[str]) -> list[tuple[Payment, PaymentEvent]]:
    """Of the instructions that were given last, together, per kind and document, those that were never answered, else those that were
    declined. What was declined before that was planned anew since."""
    rounds: dict[tuple[str, str], list[tuple[Payment, PaymentEvent]]] = {}
    for payment in order.payments.values():
        for event in ledger.newest(payment.events):
            document = event.document or ""
            if event.key and document in documents:
                rounds.setdefault((event.kind, document), []).append((payment, event))
    last = {name: max(event.asked_at or "" for _, event in rows) for name, rows in rounds.items()}
    found = [row for name, rows in rounds.items() for row in rows if (row[1].asked_at or "") == last[name]]
    unanswered = [(payment, event) for payment, event in found if event.state == "requested" and not event.reference]
    unanswered = unanswered or _along_with(order, documents)
    return unanswered or [(payment, event) for payment, event in found if event.state == "failed" and not _lapses(event)]


def _along_with(order: Order, documents: Sequence[str]) -> list[tuple[Payment, PaymentEvent]]:
    """What a step asks for along with what it is for: that spare authorizations are given back, and, with a tender that came later, that
    open invoices are paid."""
    also = {release_id(order)}
    if any(order.changes[document].kind == "payment" for document in documents if document in order.changes):
        also |= set(order.invoices)
    facts = [(payment, fact) for payment in order.payments.values() for fact in ledger.newest(payment.events)]
    return [row for row in facts if row[1].document in also and row[1].state == "requested" and row[1].key and not row[1].reference]


def _lapses(event: PaymentEvent) -> bool:
    """Whether nobody has to do anything: an authorization that its gateway did not give back when the order was declined ends by itself."""
    return event.kind == "void" and event.document == DECLINE


def _documents(order: Order, subject: str) -> list[str]:
    """What money is moved for on behalf of a fulfillment order, a return or a change; the authorizations of capture are for none."""
    if subject in order.fulfillment_orders:
        return [subject, *(invoice_of(parcel.id) for parcel in order.shipments_of(subject))]
    if subject in order.returns:
        rounds = range(sum(line.settled for line in order.returns[subject].lines) + 1)
        return [document(subject, settled) for settled in rounds for document in (invoice_of_return, memo_of)]
    if subject in order.changes:
        owed = order.invoices if order.changes[subject].kind == COLLECTION else ()
        return [subject, invoice_of_change(subject), memo_of_change(subject), *owed]
    return ["", DECLINE] if subject == order.id else [subject]
