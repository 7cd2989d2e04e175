"""What is given back of goods that are not paid yet is first taken off what is owed for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from oms.ids import invoice_of_change
from oms.money.units import Units, both
from oms.orders.order import Order
from oms.payments.funds import being_collected, open_amount
from oms.payments.records import Change, CreditMemo, Invoice


def offsets(order: Order, amount: int) -> list[dict[str, Any]]:
    """How much of `amount` comes off which invoice with something open that nobody collects, the newest first: {invoice_id, amount}."""
    rows: list[dict[str, Any]] = []
    asked = being_collected(order)
    for invoice in sorted(order.invoices.values(), key=lambda each: (each.issued_at, each.id), reverse=True):
        part = min(amount, max(0, open_amount(order, invoice) - asked.get(invoice.id, 0)))
        if part > 0:
            rows.append({"invoice_id": invoice.id, "amount": part})
            amount -= part
    return rows


def waits_for(order: Order, memo: CreditMemo) -> list[str]:
    """What has to be known before a memo can be settled: invoices whose open amount is being collected; parcels, and changes that raised a
    price, with units of the memo that are not invoiced yet. What these come to is part of what it credits: it is owed, or paid, before.
    Nobody waits for what was abandoned: there the memo says what is missing."""
    units: dict[str, Units] = {row["line_id"]: row["units"] for row in memo.lines}
    given_up = order.given_up
    parcels = [parcel for parcel in order.uninvoiced if parcel.fulfillment_order_id not in given_up]
    changes = [change for change in order.changes.values() if change.status == "pending" and change.id not in (memo.change_id, *given_up)]
    return [
        *(invoice_id for invoice_id in being_collected(order) if not _is_given_up(order, order.invoices[invoice_id], given_up)),
        *(parcel.id for parcel in parcels if any(both(units.get(line_id, []), mine) for line_id, mine in parcel.lines.items())),
        *(change.id for change in changes if invoice_of_change(change.id) not in order.invoices and _raises(change, units)),
    ]


def _is_given_up(order: Order, invoice: Invoice, given_up: Collection[str]) -> bool:
    """Whether nobody asks any more what became of a capture for an invoice: its own record was abandoned, and so were tenders that came for
    it since."""
    tenders = [change.id for change in order.changes.values() if change.payment_id and change.status == "pending"]
    return bool({invoice.change_id, invoice.fulfillment_order_id, *tenders} & set(given_up))


def _raises(change: Change, units: Mapping[str, Units]) -> bool:
    """Whether a change put something on units after they had left."""
    return any(
        layer.apart and band.share.total > 0 and both(units.get(layer.line_id, []), [[band.first, band.last]])
        for layer in change.layers
        for band in layer.bands
    )
