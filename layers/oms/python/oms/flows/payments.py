"""Gateway news: folded into the tender it names."""

from __future__ import annotations

from oms.errors import NotFound
from oms.ids import order_of
from oms.orders.order import Order
from oms.payments.ledger import add, newest
from oms.payments.news import PaymentNews
from oms.payments.records import PaymentEvent
from oms.storage.orders import Cause, update


def note(news: PaymentNews, gateway: str, cause: str) -> bool:
    """Add the fact. False when it is known, or about a tender that is not ours (acknowledged all the same)."""
    order_id = order_of(news.payment_id)
    if order_id is None:
        return False
    changed = False

    def fold_in(order: Order) -> None:
        nonlocal changed
        payment = order.payments.get(news.payment_id)
        changed = False
        if payment is None or payment.gateway != gateway:
            return
        before = newest(payment.events)
        event = PaymentEvent(kind=news.kind, state=news.state, amount=news.amount, at=news.occurred_at, reference=news.reference)
        known = any(e.model_copy(update={"key": None, "reason": None}) == event for e in payment.events)
        if not known and add(payment, event):
            changed = newest(payment.events) != before
            order.record(f"payment.{news.kind}_{news.state}", payment_id=payment.id, amount=news.amount, reference=news.reference)

    try:
        update(order_id, fold_in, Cause(f"gateway:{gateway}", cause))
    except NotFound:
        return False
    return changed
