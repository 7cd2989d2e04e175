"""Facts from outside: what a gateway tells of a tender is kept whatever it says; what cannot be, by our books, is put before a person."""

from __future__ import annotations

from oms.errors import Fault, invalid
from oms.money.currencies import show
from oms.orders.order import Order
from oms.payments import ledger
from oms.payments.news import PaymentNews
from oms.payments.records import Payment, PaymentEvent
from oms.service.closing import release_paid
from oms.service.opening import exception_about, put_before_somebody


def take_in(order: Order, payment: Payment, news: PaymentNews) -> bool:
    """Fold a gateway's news into the tender; True if its amounts changed. Invalid for money of another currency: nothing moves then."""
    if news.currency and news.currency != order.placed.currency:
        raise invalid(Fault(f"the news is in {news.currency} and the order in {order.placed.currency}", "/currency"))
    event = _event(payment, news)
    if event is None or _is_known(payment, event):
        return False
    before = _said(payment)
    ledger.add(payment, event)
    if event.kind == "authorization" and event.state != "requested" and order.summary.status != "received":
        payment.token = None  # while the order is being captured, the token marks the tenders that are still to be decided on
    if _said(payment) == before:
        return False
    order.record(f"payment.{event.kind}_{event.state}", payment_id=payment.id, amount=event.amount, reference=event.reference)
    _object(order, payment, event)
    if event.state == "succeeded" and event.kind in ("authorization", "adjustment", "capture"):
        release_paid(order)
    if event.state == "succeeded" and event.kind == "authorization" and order.summary.status == "declined":
        from oms.service.changes import open_change  # noqa: PLC0415 it is seldom that a gateway decides so late

        open_change(order, "release", payment_id=payment.id, reason="the order was declined before its gateway had decided")
    return True


def _event(payment: Payment, news: PaymentNews) -> PaymentEvent | None:
    """The news as a fact of the tender; None if it tells nothing that is not known, or known better by the answer that we wait for."""
    fact = PaymentEvent(
        kind=news.kind,
        state=news.state,
        amount=news.amount,
        at=news.occurred_at,
        reference=news.reference,
        of=news.of if news.of != news.reference else None,
        reason=news.reason,
    )
    if news.total:
        return _beyond(payment, news, fact)
    asked = next((e for e in payment.events if news.key and e.key == news.key and e.kind == news.kind and not e.reference), None)
    if asked:
        return fact.model_copy(update={"key": asked.key, "of": asked.of, "document": asked.document, "asked_at": asked.asked_at})
    if news.kind == "authorization" and not any(e.reference == news.reference for e in payment.events):
        # The answer to our own request, which has yet to be recorded, knows how long the authorization is good.
        return None if any(e.kind == "authorization" and not e.reference for e in payment.events) else fact
    return fact


def _beyond(payment: Payment, news: PaymentNews, fact: PaymentEvent) -> PaymentEvent | None:
    """What was captured of an authorization beyond what we know, by the sum that the gateway tells; None if nothing was."""
    mine = [e for e in ledger.newest(payment.events) if e.kind == "capture" and e.of in (news.of, None)]
    done = sum(e.amount for e in mine if e.state == "succeeded")
    sums = {done}
    for pending in (e.amount for e in mine if e.state == "requested"):
        sums |= {each + pending for each in sums}  # an answer on its way may be part of it
    if news.amount <= done or news.amount in sums:
        return None
    return fact.model_copy(update={"amount": news.amount - done, "reference": f"{news.reference}:{news.amount}"})


def _is_known(payment: Payment, event: PaymentEvent) -> bool:
    ours = {"key": None, "reason": None, "of": None, "document": None, "asked_at": None, "expires_at": None, "once": False}
    told = event.model_copy(update=ours)
    return not event.key and any(e.model_copy(update=ours) == told for e in payment.events)


def _said(payment: Payment) -> set[tuple[str, str | None, str, int]]:
    """What is known of each fact, whenever and by whomever it was told."""
    return {(e.kind, e.reference, e.state, e.amount) for e in ledger.newest(payment.events)}


def _object(order: Order, payment: Payment, event: PaymentEvent) -> None:
    """An exception where the gateway has captured more than was authorized, or given back more than was captured; once per fact."""
    sums, currency = ledger.fold(payment), order.placed.currency
    back = sums.refunded + sums.charged_back
    broken = {
        f"{show(sums.captured, currency)} is captured and only {show(sums.authorized, currency)} was authorized": (
            event.kind == "capture" and 0 < sums.authorized < sums.captured
        ),
        f"{show(back, currency)} went back and only {show(sums.captured, currency)} was captured": (
            event.kind in ("refund", "chargeback") and back > sums.captured
        ),
    }
    cause = next((text for text, is_so in broken.items() if is_so and event.state == "succeeded"), None)
    if cause:
        put_before_somebody(
            order,
            exception_about(order, f"{payment.id}/{event.kind}/{event.reference}"),
            kind="payment",
            step="Payment news",
            cause=f"{payment.gateway} says of {payment.id}: {cause} ({event.kind} {event.reference})",
            hint="Look at the gateway: who moved this money, and what for. Put it right there, then resolve this with accept.",
            actions=["resolve:accept", "abandon"],
            subject=payment.id,
        )
