"""A customer at a glance (features: X17): what an agent wants to know before saying hello."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oms.orders import statuses
from oms.orders.order import Order
from oms.orders.view import exception_view, return_view
from oms.payments.credit import CreditAccount
from oms.payments.shown import masked

_CONTACTS = ("email", "name", "phone")


def customer_view(customer_id: str, orders: Sequence[Order], accounts: Sequence[CreditAccount], now: str) -> dict[str, Any]:
    """These orders of the customer, each as a short row, and what belongs to them; and the customer's credit accounts."""
    return {
        "id": customer_id,
        "orders": [_row(order) for order in orders],
        "returns": [return_view(order, ret) for order in orders for ret in order.returns.values()],
        "credit_accounts": [_credit(account, now) for account in accounts],
        "notes": [{"order_id": order.id, **note.model_dump()} for order in orders for note in order.summary.notes],
        "exceptions": [
            exception_view(order, key) for order in orders for key, problem in order.exceptions.items() if problem.status == "open"
        ],
        "contacts": _contacts(orders),
    }


def _row(order: Order) -> dict[str, Any]:
    placed, summary = order.placed, order.summary
    return {
        "id": order.id,
        "channel": placed.channel,
        "order_number": placed.order_number,
        "placed_at": placed.placed_at,
        "status": summary.status,
        "payment_status": statuses.payment_status(order),
        "money_owed": statuses.money_owed(order) if summary.status not in ("received", "declined") else "none",
        "fulfillment_status": statuses.fulfillment_status(order),
        "delivery_status": statuses.delivery_status(order),
        "return_status": statuses.return_status(order),
        "attention": statuses.attention(order),
        "currency": placed.currency,
        "totals": statuses.totals(order).model_dump(),
    }


def _credit(account: CreditAccount, now: str) -> dict[str, Any]:
    """A credit account. Of a gift card only the end of its number: who knows the whole can spend it."""
    return {
        "id": masked(account.id) if account.kind == "gift_card" else account.id,
        "kind": account.kind,
        "currency": account.currency,
        "balance": account.balance,
        "available": account.available(now),
        "status": account.status(now),
        "expires_at": account.expires_at,
    }


def _contacts(orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Each e-mail, name and phone number that the customer gave, as they were given together, the latest first; none after erasure."""
    given = [(order.personal.customer if order.personal else {}, order) for order in orders]
    contacts: dict[tuple[Any, ...], dict[str, Any]] = {}
    for customer, order in given:
        fields = {name: customer[name] for name in _CONTACTS if customer.get(name)}
        if fields:
            contacts.setdefault(tuple(fields.items()), {**fields, "last_order_id": order.id})
    return list(contacts.values())
