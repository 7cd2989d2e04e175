"""Money that arrived for an invoice by some other way than a gateway: a bank transfer, a cheque, cash."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from oms.errors import Conflict, Fault, NotFound, invalid
from oms.money.currencies import show
from oms.orders.order import Order
from oms.payments import ledger
from oms.payments.funds import being_collected, open_amount
from oms.payments.records import TERMS, Invoice, Payment, PaymentEvent
from oms.service.closing import close_paid
from oms.wire import MAX_AMOUNT, Key, Moment, Number, Wire

MANUAL = "manual"


class ReceivedPayment(Wire):
    """`POST /v1/invoices/{id}/payments`: what came in. A `reference` counts once per invoice."""

    amount: Annotated[int, Strict(), Field(ge=1, le=MAX_AMOUNT)]
    reference: Number
    received_at: Moment | None = None
    method: Key | None = None


def find_invoice(order: Order, invoice_id: str) -> Invoice:
    """One invoice, or NotFound."""
    if invoice_id not in order.invoices:
        raise NotFound(f"there is no invoice '{invoice_id}'")
    return order.invoices[invoice_id]


def receive_payment(order: Order, invoice_id: str, request: ReceivedPayment) -> None:
    """Count the money for the invoice, on the terms that it was sold on, else on a tender of its own. The same again changes nothing.

    Conflict for a reference that counts for another amount; Invalid for more than is open, or money that has not come yet.
    """
    invoice = find_invoice(order, invoice_id)
    key = f"{order.id}/received/{invoice.id}/{request.reference}"
    known = next((event for payment in order.payments.values() if (event := ledger.find(payment, key))), None)
    currency = order.placed.currency
    if known:
        if known.amount != request.amount:
            raise Conflict(f"reference '{request.reference}' counts for {show(known.amount, currency)} already", kind="reference-used")
        return
    open_, asked = open_amount(order, invoice), being_collected(order).get(invoice.id, 0)
    faults = []
    if request.amount > open_ - asked:
        less = f", of which {show(asked, currency)} is being collected" if asked else ""
        faults.append(
            Fault(f"{show(request.amount, currency)} is more than the {show(max(0, open_), currency)} that is open{less}", "/amount")
        )
    if request.received_at and request.received_at > order.now:
        faults.append(Fault("this time has not come yet", "/received_at"))
    if faults:
        raise invalid(*faults)
    payment = _tender(order, invoice, request)
    event = PaymentEvent(
        kind="capture",
        state="succeeded",
        amount=request.amount,
        at=request.received_at or order.now,
        key=key,
        reference=f"{invoice.id}/{request.reference}",
        document=invoice.id,
    )
    ledger.add(payment, event)
    order.record(
        "payment.captured",
        payment_id=payment.id,
        amount=request.amount,
        document_id=invoice.id,
        reference=request.reference,
        method=request.method,
    )
    if request.amount == open_:
        order.record("invoice.paid", invoice_id=invoice.id, open_amount=0)
        close_paid(order)


def _tender(order: Order, invoice: Invoice, request: ReceivedPayment) -> Payment:
    for row in invoice.receivables:
        owed_by = order.payments.get(row["payment_id"] or "")
        if owed_by and owed_by.method == TERMS:
            return owed_by
    payment = Payment(id=order.next_id("pay"), method=request.method or MANUAL, gateway=MANUAL, amount=request.amount)
    order.payments[payment.id] = payment
    return payment
