"""Which tender pays or is paid back, exact to the cent: in the order they were given."""

from __future__ import annotations

from oms.errors import Conflict
from oms.money.currencies import show
from oms.orders.order import Order
from oms.orders.records import Payment
from oms.payments.ledger import fold

Part = tuple[Payment, int]


def ensure_funds(order: Order, amount: int) -> list[Part]:
    """Tenders to capture `amount` from. Conflict if the open authorizations do not cover it; an expired one is never captured."""
    usable = [payment for payment in order.payments.values() if not payment.expires_at or payment.expires_at > order.now]
    return _take(usable, [fold(payment).open_authorization for payment in usable], amount, order, "authorized")


def ensure_refunds(order: Order, amount: int) -> list[Part]:
    """Tenders to refund `amount` to. Conflict if more than what they captured."""
    payments = list(order.payments.values())
    return _take(payments, [fold(payment).refundable for payment in payments], amount, order, "captured")


def _take(payments: list[Payment], available: list[int], amount: int, order: Order, what: str) -> list[Part]:
    parts: list[Part] = []
    missing = amount
    for payment, limit in zip(payments, available, strict=True):
        part = min(missing, max(0, limit))
        if part > 0:
            parts.append((payment, part))
            missing -= part
    if missing > 0:
        currency = order.placed.currency
        raise Conflict(f"{show(amount, currency)} is needed and only {show(amount - missing, currency)} is {what}", kind="funds-missing")
    return parts
