"""What is given back of goods that are not paid yet is first taken off what is owed for them."""

from __future__ import annotations

from typing import Any

from oms.orders.order import Order
from oms.payments.funds import open_amount


def offsets(order: Order, amount: int) -> list[dict[str, Any]]:
    """How much of `amount` comes off which invoice with something open, the newest first: {invoice_id, amount}."""
    rows: list[dict[str, Any]] = []
    for invoice in sorted(order.invoices.values(), key=lambda each: (each.issued_at, each.id), reverse=True):
        part = min(amount, max(0, open_amount(order, invoice)))
        if part > 0:
            rows.append({"invoice_id": invoice.id, "amount": part})
            amount -= part
    return rows
