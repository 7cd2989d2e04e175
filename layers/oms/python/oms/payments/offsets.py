"""What is given back of goods that are not paid yet is first taken off what is owed for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oms.ids import invoice_of_change
from oms.money.units import Units, both
from oms.orders.order import Order
from oms.payments.funds import being_collected, open_amount
from oms.payments.records import Change, CreditMemo


def offsets(order: Order, amount: int) -> list[dict[str, Any]]:
    """How much of `amount` comes off which invoice with something open, the newest first: {invoice_id, amount}."""
    rows: list[dict[str, Any]] = []
    for invoice in sorted(order.invoices.values(), key=lambda each: (each.issued_at, each.id), reverse=True):
        part = min(amount, max(0, open_amount(order, invoice)))
        if part > 0:
            rows.append({"invoice_id": invoice.id, "amount": part})
            amount -= part
    return rows


def waits_for(order: Order, memo: CreditMemo) -> list[str]:
    """What has to be known before a memo can be settled: invoices whose open amount is being collected; parcels, and changes that raised a
    price, with units of the memo that are not invoiced yet. What these come to is part of what it credits: it is owed, or paid, before."""
    units: dict[str, Units] = {row["line_id"]: row["units"] for row in memo.lines}
    coming = [change for change in order.changes.values() if change.status == "pending" and change.id != memo.change_id]
    return [
        *being_collected(order),
        *(parcel.id for parcel in order.uninvoiced if any(both(units.get(line, []), mine) for line, mine in parcel.lines.items())),
        *(change.id for change in coming if invoice_of_change(change.id) not in order.invoices and _raises(change, units)),
    ]


def _raises(change: Change, units: Mapping[str, Units]) -> bool:
    """Whether a change put something on units after they had left."""
    return any(
        layer.apart and band.share.total > 0 and both(units.get(layer.line_id, []), [[band.first, band.last]])
        for layer in change.layers
        for band in layer.bands
    )
