"""Capture payment: invoice everything that left, paid by exactly its share, and give back what nothing needs any more."""

from __future__ import annotations

from typing import Any

from oms.clock import later
from oms.errors import Conflict
from oms.flows.money import move
from oms.machines.outcomes import after_shipping, go, uninvoiced
from oms.money.currencies import show
from oms.orders.order import Order
from oms.payments.funds import Part, ensure_funds, open_amount
from oms.payments.invoices import invoice_for
from oms.payments.records import Invoice
from oms.payments.releases import after_release, is_last, release_id, to_release
from oms.payments.transfers import Transfer, settled
from oms.storage.orders import Cause, load


def capture_payment_step(order_id: str, fulfillment_order_id: str, execution: str) -> dict[str, Any]:
    """Invoice everything that left and is not invoiced yet, and capture exactly its share.

    Conflict when the tenders do not cover it, PaymentDeclined when a gateway says no: both become a process exception.
    """
    cause = Cause("capture_payment", execution)
    order = load(order_id)
    while uninvoiced(order, order.fulfillment_order(fulfillment_order_id)):
        if order.open_holds("capture"):
            raise Conflict(f"order {order.placed.order_number} is held for capture; release the hold, then retry")
        shipment = next(parcel for parcel in order.shipments_of(fulfillment_order_id) if not parcel.invoice_id)
        order = pay(order, invoice_for(order, shipment), cause)
    order = release(order, cause)
    return (after_shipping(order, order.fulfillment_order(fulfillment_order_id)) or go("ship")).output or {}


def release_payment_step(order_id: str, execution: str) -> dict[str, Any]:
    """Give back what is authorized and no unit needs any more: the rest of the order was cancelled. Without such nothing is done."""
    order = release(load(order_id), Cause("release_payment", execution))
    return go(after_release(order)).output or {}


def pay(order: Order, invoice: Invoice, cause: Cause) -> Order:
    """Pay an invoice and put it on record: what was captured before is applied, the rest captured, or owed where terms say so."""
    transfer = Transfer("capture", invoice.id)

    def plan(fresh: Order) -> list[Part]:
        missing = open_amount(fresh, invoice)
        funds = ensure_funds(fresh, missing)
        if funds.missing:
            currency = fresh.placed.currency
            raise Conflict(
                f"{show(missing, currency)} is needed and only {show(missing - funds.missing, currency)} is authorized",
                kind="funds-missing",
            )
        return funds.captures

    def book(fresh: Order) -> None:
        parcel = fresh.shipments[invoice.shipment_id or ""]
        if parcel.invoice_id:
            return
        issued = invoice_for(fresh, parcel)
        funds = ensure_funds(fresh, open_amount(fresh, issued))
        issued.captures = settled(fresh, transfer)
        issued.applied = [{"payment_id": part.payment.id, "amount": part.amount} for part in funds.applied]
        issued.receivables = [
            {"payment_id": part.payment.id, "amount": part.amount, "due_at": later(fresh.now, days=part.payment.net_days or 0)}
            for part in funds.receivables
        ]
        fresh.invoices[issued.id], parcel.invoice_id = issued, issued.id
        fresh.record("invoice.created", invoice_id=issued.id, shipment_id=parcel.id, total_amount=issued.total_amount)

    return move(order, transfer, plan, book, cause, final=is_last(order, invoice))


def release(order: Order, cause: Cause) -> Order:
    """Void what is still authorized and nothing needs."""
    if not to_release(order):
        return order
    return move(order, Transfer("void", release_id(order)), to_release, lambda fresh: None, cause)
