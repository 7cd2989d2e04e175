"""Invoices and credit memos as people read them: lines with names and taxes, a tax summary, seller and buyer, what is still open.

The stored document is small; what it leaves out is read off the order as it was placed, which never changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oms.money.units import count, minus
from oms.orders.order import Order
from oms.orders.records import Personal
from oms.payments.funds import open_amount
from oms.payments.invoices import overdue, row_taxes, whole_value
from oms.payments.ledger import newest
from oms.payments.records import CreditMemo, Invoice

PAGE, ALL = 200, 10**6
"""Lines of a document in one answer, the rest following by cursor; and on a page to print."""
Fields = dict[str, Any]


def invoice_view(order: Order, invoice: Invoice, begin: int = 0, most: int = PAGE) -> Fields:
    """An invoice with at most so many of its lines, from position `begin` on."""
    return {
        **_document(order, invoice, "invoice"),
        "shipment_id": invoice.shipment_id,
        "fulfillment_order_id": invoice.fulfillment_order_id,
        "supplied_at": invoice.supplied_at,
        **_paid(order, invoice),
        "payments": _payments(order, invoice),
        "credits": [
            {"credit_memo_id": memo.id, "number": memo.number, "amount": row["amount"]}
            for memo in order.credit_memos.values()
            for row in memo.offsets
            if row["invoice_id"] == invoice.id
        ],
        "receivables": invoice.receivables,
        **_lines(order, invoice, begin, most),
    }


def credit_memo_view(order: Order, memo: CreditMemo, begin: int = 0, most: int = PAGE) -> Fields:
    """A credit memo with at most so many of its lines; `invoices` are those that had invoiced what it gives back."""
    return {
        **_document(order, memo, "credit_memo"),
        "invoices": [{"id": each.id, "number": each.number} for each in order.invoices.values() if _share_units(each, memo)],
        "refunds": memo.refunds,
        "offsets": memo.offsets,
        **_lines(order, memo, begin, most),
    }


def short_view(order: Order, document: Invoice | CreditMemo) -> Fields:
    """A document as a row of a list."""
    kind = "invoice" if isinstance(document, Invoice) else "credit_memo"
    head = _document(order, document, kind)
    kept = {name: head[name] for name in head if name not in ("seller", "buyer", "tax_summary")}
    return {**kept, **(_paid(order, document) if isinstance(document, Invoice) else {})}


def tax_summary(order: Order, document: Invoice | CreditMemo) -> list[Fields]:
    """Tax by name and rate: the net amounts it was computed on, and the tax, which add up to the document's tax exactly."""
    sums: dict[tuple[str, str, str | None], list[int]] = {}
    for amounts, taxes in _taxed(order, document):
        for tax in taxes:
            row = sums.setdefault((tax["name"], tax["rate"], tax.get("exempt_reason")), [0, 0])
            row[0] += amounts["net_amount"]
            row[1] += tax["amount"]
    return [
        {"name": name, "rate": rate, "base": base, "amount": amount, **({"exempt_reason": reason} if reason else {})}
        for (name, rate, reason), (base, amount) in sums.items()
    ]


def _document(order: Order, document: Invoice | CreditMemo, kind: str) -> Fields:
    placed = order.placed
    return {
        "id": document.id,
        "kind": kind,
        "number": document.number,
        "order_id": order.id,
        "order_number": placed.order_number,
        "channel": placed.channel,
        "po_number": placed.po_number,
        "currency": placed.currency,
        "tax_mode": placed.tax_mode,
        "issued_at": document.issued_at,
        "change_id": document.change_id,
        "return_id": document.return_id,
        "seller": document.seller,
        "buyer": _buyer(order.personal or Personal()),
        "net_amount": document.net_amount,
        "tax_amount": document.tax_amount,
        "total_amount": document.total_amount,
        "tax_summary": tax_summary(order, document),
    }


def _buyer(personal: Personal) -> Fields | None:
    """Who buys: the billing address, else where the first group goes; None once personal data is erased."""
    group = next(iter(personal.groups.values()), {})
    address = personal.billing_address or group.get("address")
    name = personal.customer.get("name") or group.get("recipient", {}).get("name")
    if not address and not name:
        return None
    shown = {key: content for key, content in (address or {}).items() if key not in ("latitude", "longitude")}
    return {"name": name, "address": shown or None, "vat_id": personal.customer.get("vat_id")}


def _paid(order: Order, invoice: Invoice) -> Fields:
    left = open_amount(order, invoice)
    late = overdue(order, invoice)
    status = "overdue" if late else "open" if left > 0 else "paid"
    due = min((row["due_at"] for row in invoice.receivables), default=None) if left > 0 else None
    return {"status": status, "open_amount": left, "overdue": late, "due_at": due}


def _payments(order: Order, invoice: Invoice) -> list[Fields]:
    """What paid it: captured for it, then or later, or captured before and applied to it."""
    captured = [
        {"payment_id": payment.id, "method": payment.method, "amount": event.amount, "reference": event.reference, "at": event.at}
        for payment in order.payments.values()
        for event in newest(payment.events)
        if event.kind == "capture" and event.state == "succeeded" and event.document == invoice.id
    ]
    applied = [{**row, "method": order.payments[row["payment_id"]].method, "at": invoice.issued_at} for row in invoice.applied]
    return captured + applied


def _lines(order: Order, document: Invoice | CreditMemo, begin: int, most: int) -> Fields:
    rows = list(_shown(order, document))
    end = begin + most
    return {"lines": rows[begin:end], "more_from": end if end < len(rows) else None}


def _shown(order: Order, document: Invoice | CreditMemo) -> Iterator[Fields]:
    """Goods line by line, then delivery group by group, then fees."""
    deliveries: dict[str, Fields] = {}
    for row in document.lines:
        goods = _goods(order, document, row)
        if goods["total_amount"] or goods["kind"] == "product" or "delivery" not in row:
            yield goods
        if "delivery" in row:
            line, _ = order.line(row["line_id"])
            group, taxes = order.group_of(line), row_taxes(order, row, delivery=True)
            shown = _amounts(row["delivery"], taxes)
            known = deliveries.get(group.id)
            same = {"kind": "delivery", "delivery_group": group.id, "method": group.method}
            deliveries[group.id] = {**same, **(_sum(known, shown) if known else shown)}
    yield from deliveries.values()
    for row in document.fees:
        amounts = _amounts(row, row_taxes(order, row))
        if row.get("delivery_group"):
            yield {
                "kind": "delivery",
                "delivery_group": row["delivery_group"],
                "method": order.group(row["delivery_group"]).method,
                **amounts,
            }
        else:
            yield {"kind": "fee", "code": row["code"], **amounts}


def _goods(order: Order, document: Invoice | CreditMemo, row: Mapping[str, Any]) -> Fields:
    """A line's units. Price and adjustments are told where the row is their whole value; else it is an adjustment of them."""
    line, _ = order.line(row["line_id"])
    named = {"line_id": line.id, "sku": line.sku, "name": line.name, "quantity": row["quantity"]}
    amounts = _amounts(row, row_taxes(order, row))
    share = whole_value(order, document, row)
    if share is None:
        return {"kind": "adjustment", **named, **amounts}
    parts = {
        "unit_price": line.unit_price,
        "price_amount": share.price,
        "adjustment_amount": share.adjustment,
        "order_adjustment_amount": share.order_adjustment,
    }
    return {"kind": "product", **named, **parts, **amounts}


def _amounts(row: Mapping[str, Any], taxes: Sequence[Fields]) -> Fields:
    return {
        "net_amount": row["net_amount"],
        "tax_amount": row["total_amount"] - row["net_amount"],
        "total_amount": row["total_amount"],
        "taxes": list(taxes),
    }


def _sum(one: Mapping[str, Any], other: Mapping[str, Any]) -> Fields:
    taxes = [{**mine, "amount": mine["amount"] + its["amount"]} for mine, its in zip(one["taxes"], other["taxes"], strict=True)]
    return {**{name: one[name] + other[name] for name in ("net_amount", "tax_amount", "total_amount")}, "taxes": taxes}


def _taxed(order: Order, document: Invoice | CreditMemo) -> Iterator[tuple[Mapping[str, Any], list[Fields]]]:
    for row in document.lines:
        yield row, row_taxes(order, row)
        if "delivery" in row:
            yield row["delivery"], row_taxes(order, row, delivery=True)
    for row in document.fees:
        yield row, row_taxes(order, row)


def _share_units(invoice: Invoice, memo: CreditMemo) -> bool:
    invoiced = {row["line_id"]: row["units"] for row in invoice.lines}
    credited = [(row["line_id"], row["units"]) for row in memo.lines if row.get("units")]
    return any(count(minus(units, invoiced[line_id])) < count(units) for line_id, units in credited if line_id in invoiced)
