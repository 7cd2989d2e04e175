"""What a shipment is invoiced for and what a return is credited for: the shares of exactly its units; and the documents of changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oms.fulfillment.records import Shipment
from oms.ids import invoice_of, invoice_of_change, memo_of_change, part_id
from oms.money.shares import Share
from oms.money.units import Units, count, union
from oms.orders.order import Order
from oms.orders.records import Layer, PlacedTax
from oms.orders.worth import delivery_worth, worth
from oms.payments.funds import open_amount
from oms.payments.records import Change, CreditMemo, Invoice


def invoice_for(order: Order, shipment: Shipment) -> Invoice:
    """The invoice of one shipment, not yet paid. Fees ride on that of the order's first shipment.

    It depends on nothing but the shipment, so that two of them invoiced at the same moment, or one again after a crash, come to the same.
    """
    rows = [_row(order, line_id, units, delivery=True, apart=False) for line_id, units in sorted(shipment.lines.items())]
    fees = []
    if shipment.id == part_id("shp", order.id, 1):
        fees = [fee_row(fee.code, fee.frozen.all_units(), fee.taxes) for fee in order.placed.fees]
    return Invoice(
        id=invoice_of(shipment.id),
        shipment_id=shipment.id,
        fulfillment_order_id=shipment.fulfillment_order_id,
        issued_at=order.now,
        supplied_at=shipment.shipped_at or None,
        lines=rows,
        fees=fees,
        **_sums([*rows, *(row["delivery"] for row in rows if "delivery" in row), *fees]),
    )


def credit_memo_for(order: Order, memo_id: str, return_id: str, units: Mapping[str, Units], reduce_shipping: bool) -> CreditMemo:
    """The credit memo of returned units, not yet refunded; with `reduce_shipping` their shares of the delivery charge go back too."""
    rows = [_row(order, line_id, line_units, delivery=reduce_shipping) for line_id, line_units in sorted(units.items())]
    return CreditMemo(
        id=memo_id,
        return_id=return_id,
        issued_at=order.now,
        lines=rows,
        **_sums([*rows, *(row["delivery"] for row in rows if "delivery" in row)]),
    )


def change_invoice(order: Order, change: Change) -> Invoice | None:
    """The invoice of what a change adds to units that had left, and of its fees; None if it adds nothing."""
    rows = [_layer_row(order, layer, value) for layer, value in _apart(change) if value.total > 0]
    fees = [
        {**fee_row(fee.code, fee.frozen.all_units(), fee.taxes), **({"delivery_group": fee.delivery_group} if fee.delivery_group else {})}
        for fee in change.fees
        if fee.frozen.total
    ]
    if not rows and not fees:
        return None
    return Invoice(
        id=invoice_of_change(change.id),
        change_id=change.id,
        issued_at=order.now,
        supplied_at=order.now,
        lines=rows,
        fees=fees,
        **_sums([*rows, *(row["delivery"] for row in rows if "delivery" in row), *fees]),
    )


def change_memo(order: Order, change: Change) -> CreditMemo | None:
    """The credit memo of what a change takes off units that had left, not yet refunded; None if it takes nothing off."""
    rows = [_layer_row(order, layer, -value) for layer, value in _apart(change) if value.total < 0]
    if not rows:
        return None
    return CreditMemo(
        id=memo_of_change(change.id),
        change_id=change.id,
        into=change.into,
        issued_at=order.now,
        lines=rows,
        **_sums([*rows, *(row["delivery"] for row in rows if "delivery" in row)]),
    )


def lowered(change: Change) -> int:
    """What a change takes off units that had left: what its credit memo is worth, as a negative amount."""
    return sum(min(0, value.total) for _, value in _apart(change))


def fee_row(code: str, share: Share, taxes: Sequence[PlacedTax]) -> dict[str, Any]:
    """A fee on a document. It names its taxes itself: it may be of the order, or of a change."""
    return {"code": code, **_amounts(share), "tax_names": [tax.model_dump(exclude_none=True) for tax in taxes]}


def row_taxes(order: Order, row: Mapping[str, Any], *, delivery: bool = False) -> list[dict[str, Any]]:
    """The taxes of a document's row (or of its share of the delivery charge) by name: {name, rate, amount, exempt_reason?}."""
    if "tax_names" in row:
        names = list(row["tax_names"])
    else:
        line, _ = order.line(row["line_id"])
        names = [tax.model_dump(exclude_none=True) for tax in (order.group_of(line).taxes if delivery else line.taxes)]
    amounts = (row["delivery"] if delivery else row)["taxes"]
    return [{**name, "amount": amount} for name, amount in zip(names, amounts, strict=True)]


def whole_value(order: Order, document: Invoice | CreditMemo, row: Mapping[str, Any]) -> Share | None:
    """The share of a row's units where the row is their whole value; None where a change put it on them or took it off."""
    share = worth(order, row["line_id"], row.get("units", ()), apart=isinstance(document, CreditMemo))
    whole = not document.change_id and (share.net, share.total) == (row["net_amount"], row["total_amount"])
    return share if whole else None


def overdue(order: Order, invoice: Invoice) -> bool:
    """Whether more of an invoice is open than is not due yet."""
    left = open_amount(order, invoice)
    return left > 0 and left > sum(row["amount"] for row in invoice.receivables if row["due_at"] >= order.now)


def _row(order: Order, line_id: str, units: Units, *, delivery: bool, apart: bool = True) -> dict[str, Any]:
    line, _ = order.line(line_id)
    value = worth(order, line_id, units, apart=apart)
    row = {"line_id": line_id, "quantity": count(units), "units": [list(run) for run in units], **_amounts(value)}
    share = delivery_worth(order, line_id, units, apart=apart) if delivery else Share()
    if delivery and (line.delivery or share.total or share.tax):
        row["delivery"] = _amounts(share)
    return row


def _apart(change: Change) -> list[tuple[Layer, Share]]:
    """The layers that stand in documents of the change, and what each comes to."""
    apart = [layer for layer in change.layers if layer.apart]
    return [(layer, sum((band.share * (band.last - band.first + 1) for band in layer.bands), Share())) for layer in apart]


def _layer_row(order: Order, layer: Layer, value: Share) -> dict[str, Any]:
    line, _ = order.line(layer.line_id)
    units = union([[band.first, band.last] for band in layer.bands])
    nothing = Share(taxes=(0,) * len(line.taxes))
    row = {"line_id": line.id, "quantity": count(units), "units": units, **_amounts(nothing if layer.delivery else value)}
    return {**row, "delivery": _amounts(value)} if layer.delivery else row


def _amounts(share: Share) -> dict[str, Any]:
    return {"net_amount": share.net, "taxes": list(share.taxes), "total_amount": share.total}


def _sums(rows: list[dict[str, Any]]) -> dict[str, int]:
    net, total = (sum(row[name] for row in rows) for name in ("net_amount", "total_amount"))
    return {"net_amount": net, "tax_amount": total - net, "total_amount": total}
