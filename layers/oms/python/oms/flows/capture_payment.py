"""Capture payment: invoice everything that left, paid by exactly its share, and give back what nothing needs any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from oms.clock import later
from oms.flows.money import move
from oms.flows.patience import patiently
from oms.flows.secure_payment import renew
from oms.machines.outcomes import after_shipping, go, uninvoiced
from oms.money.currencies import show
from oms.orders.order import Order
from oms.payments.cover import OPEN, hold_uncovered, uncovered
from oms.payments.funds import Funds, FundsMissing, Part, ensure_funds, open_amount, open_to_pay, unsecured
from oms.payments.gateway import PaymentDeclined
from oms.payments.invoices import invoice_for
from oms.payments.records import Invoice
from oms.payments.releases import after_release, is_last, release_id, to_release
from oms.payments.transfers import Transfer, settled, under_way
from oms.service.closing import HeldForCapture
from oms.storage.orders import Cause, load, update


def capture_payment_step(order_id: str, fulfillment_order_id: str, execution: str) -> dict[str, Any]:
    """Invoice everything that left and is not invoiced yet, and capture exactly its share.

    FundsMissing when the tenders do not cover it, PaymentDeclined when a gateway says no: both become a process exception.
    """
    return patiently("capture_payment", lambda: _capture_payment(order_id, fulfillment_order_id, Cause("capture_payment", execution)))


def _capture_payment(order_id: str, fulfillment_order_id: str, cause: Cause) -> dict[str, Any]:
    order = load(order_id)
    while uninvoiced(order, order.fulfillment_order(fulfillment_order_id)):
        if order.open_holds("capture"):
            return go("hold").output or {}
        shipment = next(parcel for parcel in order.shipments_of(fulfillment_order_id) if parcel.to_invoice)
        trusted = order.fulfillment_order(fulfillment_order_id).trusted_by is not None
        order = pay(order, invoice_for(order, shipment), partial(_of_parcel, shipment.id), cause, trusted=trusted)
    order = release(order, cause)
    if any(fo.status in OPEN for fo in order.fulfillment_orders.values()):
        order = _hold_again(order, cause)
    return (after_shipping(order, order.fulfillment_order(fulfillment_order_id)) or go("ship")).output or {}


def release_payment_step(order_id: str, execution: str) -> dict[str, Any]:
    """Give back what is authorized and no unit needs any more: the rest of the order was cancelled. Without such nothing is done."""
    order = release(load(order_id), Cause("release_payment", execution))
    return go(after_release(order)).output or {}


def pay(
    order: Order, invoice: Invoice, issue: Callable[[Order], Invoice | None], cause: Cause, *, trusted: bool = False, netted: int = 0
) -> Order:
    """Pay an invoice and put it on record: what was captured before is applied, the rest captured, or owed where terms say so.

    `issue`: the invoice as of now, None once it is on record: then what is still open of it is paid. What has run out is authorized once
    more. FundsMissing where that is not enough, unless the work was released on somebody's word (`trusted`): then the customer owes the
    rest; PaymentDeclined where a gateway says no. `netted` of it stays open for a credit memo that comes next.
    """
    transfer = Transfer("capture", invoice.id)

    def to_pay(fresh: Order) -> int:
        known = fresh.invoices.get(invoice.id)
        return max(0, (unsecured(fresh, known) if known else open_amount(fresh, invoice)) - netted)

    def lack(fresh: Order) -> int:
        if trusted or under_way(fresh, transfer):
            return 0
        return ensure_funds(fresh, to_pay(fresh), document=invoice.id).missing

    def plan(fresh: Order) -> list[Part]:
        funds = ensure_funds(fresh, to_pay(fresh), document=invoice.id)
        if funds.missing and not trusted:
            raise FundsMissing(f"{show(funds.missing, fresh.placed.currency)} of invoice {invoice.id} is not authorized")
        return funds.captures

    def book(fresh: Order) -> None:
        funds = ensure_funds(fresh, to_pay(fresh))
        if issued := issue(fresh):
            _put_on_record(fresh, issued, funds, owed=funds.missing + netted)
        elif invoice.id in fresh.invoices:
            _note_paid(fresh, invoice.id, funds)

    order = renew(order, lack, order.now, invoice.id, cause)
    return move(order, transfer, plan, book, cause, final=is_last(order, invoice))


def owe(order: Order, issue: Callable[[Order], Invoice | None], cause: Cause) -> Order:
    """Put an invoice on record that nobody pays now: the customer owes what was neither captured for it nor before."""

    def book(fresh: Order) -> None:
        if issued := issue(fresh):
            funds = ensure_funds(fresh, open_amount(fresh, issued), document=issued.id)
            _put_on_record(fresh, issued, funds, owed=funds.missing + sum(part.amount for part in funds.captures))

    return update(order.id, book, cause)


def _put_on_record(order: Order, invoice: Invoice, funds: Funds, *, owed: int) -> None:
    invoice.captures = settled(order, Transfer("capture", invoice.id))
    invoice.applied = _rows(funds.applied)
    invoice.receivables = _by_terms(order, funds)
    if owed:
        invoice.receivables.append({"payment_id": None, "amount": owed, "due_at": order.now})
    order.invoices[invoice.id] = invoice
    if invoice.shipment_id:
        order.shipments[invoice.shipment_id].invoice_id = invoice.id
    order.record(
        "invoice.created",
        invoice_id=invoice.id,
        shipment_id=invoice.shipment_id,
        change_id=invoice.change_id,
        return_id=invoice.return_id,
        total_amount=invoice.total_amount,
        applied=sum(row["amount"] for row in invoice.applied) or None,
        receivable=sum(row["amount"] for row in invoice.receivables) or None,
    )


def _note_paid(order: Order, invoice_id: str, funds: Funds) -> None:
    """What was captured for an invoice, applied to it, or is owed by terms, since it was put on record."""
    invoice, captures = order.invoices[invoice_id], settled(order, Transfer("capture", invoice_id))
    if captures == invoice.captures and not funds.applied and not funds.receivables:
        return
    by_terms = _by_terms(order, funds)
    paid = {
        "captures": captures,
        "applied": [*invoice.applied, *_rows(funds.applied)],
        "receivables": [*_less(invoice.receivables, sum(row["amount"] for row in by_terms)), *by_terms],
    }
    order.invoices[invoice_id] = invoice.model_copy(update=paid)
    order.record("invoice.paid", invoice_id=invoice_id, open_amount=open_amount(order, order.invoices[invoice_id]))


def _by_terms(order: Order, funds: Funds) -> list[dict[str, Any]]:
    return [
        {"payment_id": part.payment.id, "amount": part.amount, "due_at": later(order.now, days=part.payment.net_days or 0)}
        for part in funds.receivables
    ]


def _less(rows: Sequence[dict[str, Any]], amount: int) -> list[dict[str, Any]]:
    """What is owed, when so much of what nobody had agreed to owe is owed by terms now."""
    out = []
    for row in rows:
        part = 0 if row["payment_id"] else min(amount, row["amount"])
        amount -= part
        if row["amount"] > part:
            out.append({**row, "amount": row["amount"] - part})
    return out


def _rows(parts: Sequence[Part]) -> list[dict[str, Any]]:
    return [{"payment_id": part.payment.id, "amount": part.amount} for part in parts]


def _of_parcel(shipment_id: str, order: Order) -> Invoice | None:
    parcel = order.shipments[shipment_id]
    return None if parcel.invoice_id else invoice_for(order, parcel)


def release(order: Order, cause: Cause) -> Order:
    """Void what is still authorized and nothing needs."""
    transfer = Transfer("void", release_id(order))
    if not to_release(order) and not under_way(order, transfer):
        return order
    return move(order, transfer, to_release, lambda fresh: None, cause)


def _hold_again(order: Order, cause: Cause) -> Order:
    """An authorization that allowed one capture is gone with it: work that lost its cover waits until the payment is secured."""
    if not uncovered(order):
        return order
    return update(order.id, hold_uncovered, cause)


def collect(order: Order, cause: Cause) -> Order:
    """Capture what is owed on invoices that nobody paid when they were made, from tenders that came since. PaymentDeclined, once all have
    been tried, where a gateway says no; HeldForCapture while the order is."""
    declined: PaymentDeclined | None = None
    if open_to_pay(order) and order.open_holds("capture"):
        raise HeldForCapture(f"order {order.placed.order_number} is held for capture")
    for invoice_id in sorted(order.invoices):
        transfer = Transfer("capture", invoice_id)

        def plan(fresh: Order, invoice_id: str = invoice_id) -> list[Part]:
            return ensure_funds(fresh, unsecured(fresh, fresh.invoices[invoice_id]), document=invoice_id).captures

        def book(fresh: Order, invoice_id: str = invoice_id) -> None:
            _note_paid(fresh, invoice_id, ensure_funds(fresh, unsecured(fresh, fresh.invoices[invoice_id])))

        if unsecured(order, order.invoices[invoice_id]) > 0 or under_way(order, transfer):
            try:
                order = move(order, transfer, plan, book, cause)
            except PaymentDeclined as error:
                declined, order = error, load(order.id)
    if declined:
        raise declined
    return order
