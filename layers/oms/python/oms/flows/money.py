"""The steps that move money: Capture payment, Release payment and the refund of a return.

One document (invoice, credit memo) after the other: note the intents, ask the gateways with their keys, record document and outcomes in one
commit. Killed at any point and run again, it finds the intents and asks with the same keys, so money moves once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from oms.errors import Conflict
from oms.flows.gateways import GATEWAYS
from oms.machines.outcomes import after_goods, after_shipping, go, uninvoiced
from oms.orders.order import Order
from oms.payments import ledger
from oms.payments.funds import Part, ensure_funds, ensure_refunds
from oms.payments.gateway import Outcome, PaymentDeclined, gateway_for
from oms.payments.invoices import invoice_for
from oms.payments.releases import after_release, release_id, to_release
from oms.payments.requests import ask, conclude, intend
from oms.returns import returns
from oms.storage.orders import Cause, StockShort, commit, load, update
from oms.storage.table import Lost


@dataclass(frozen=True)
class Transfer:
    """Money that a document needs moved: captured from, refunded to or no longer held on the tenders, keyed by the document."""

    kind: Literal["capture", "refund", "void"]
    document_id: str
    amount: int


@dataclass(frozen=True)
class Answer:
    """What a gateway said to one part of a transfer."""

    payment_id: str
    key: str
    outcome: Outcome


def capture_payment_step(order_id: str, fulfillment_order_id: str, execution: str) -> dict[str, Any]:
    """Invoice everything that left and is not invoiced yet, and capture exactly its share.

    Conflict when the authorizations do not cover it, PaymentDeclined when a gateway says no: both become a process exception.
    """
    cause = Cause("capture_payment", execution)
    order = load(order_id)
    fo = order.fulfillment_order(fulfillment_order_id)
    while uninvoiced(order, fo):
        if order.open_holds("capture"):
            raise Conflict(f"order {order.placed.order_number} is held for capture; release the hold, then retry")
        shipment = next(parcel for parcel in order.shipments_of(fo.id) if not parcel.invoice_id)
        invoice = invoice_for(order, shipment)

        def book(fresh: Order, captures: list[dict[str, Any]], shipment_id: str = shipment.id) -> None:
            parcel = fresh.shipments[shipment_id]
            if parcel.invoice_id:
                return
            issued = invoice_for(fresh, parcel)
            issued.captures = captures
            fresh.invoices[issued.id], parcel.invoice_id = issued, issued.id
            fresh.record("invoice.created", invoice_id=issued.id, shipment_id=parcel.id, total_amount=issued.total_amount)

        order = _move(order, Transfer("capture", invoice.id, invoice.total_amount), book, cause)
        fo = order.fulfillment_order(fulfillment_order_id)
    order = _release(order, cause)
    fo = order.fulfillment_order(fulfillment_order_id)
    return (after_shipping(order, fo) or go("ship")).output or {}


def release_payment_step(order_id: str, execution: str) -> dict[str, Any]:
    """Give back what is authorized and no unit needs any more: the rest of the order was cancelled. Without such nothing is done."""
    order = _release(load(order_id), Cause("release_payment", execution))
    return go(after_release(order)).output or {}


def _release(order: Order, cause: Cause) -> Order:
    parts = to_release(order)
    if not parts:
        return order
    amount = sum(part for _, part in parts)
    return _move(order, Transfer("void", release_id(order), amount), lambda fresh, released: None, cause)


def settle_return_step(order_id: str, return_id: str, execution: str) -> dict[str, Any]:
    """Pay for what has arrived: credit memo, refund to the tenders that paid, restock; and say what comes next."""
    cause = Cause("return_order", execution)
    order = load(order_id)
    memo = returns.credit(order, returns.find(order, return_id))
    if memo:

        def book(fresh: Order, refunds: list[dict[str, Any]]) -> None:
            ret = returns.find(fresh, return_id)
            if memo.id not in fresh.credit_memos:
                returns.settle(fresh, ret, memo.model_copy(update={"refunds": refunds}))

        order = _move(order, Transfer("refund", memo.id, memo.total_amount), book, cause)
    return (after_goods(order, returns.find(order, return_id)) or go("wait_for_goods")).output or {}


def _move(order: Order, transfer: Transfer, book: Callable[[Order, list[dict[str, Any]]], None], cause: Cause) -> Order:
    """Move the money, then book the document with it. PaymentDeclined after a definitive no, which is recorded first."""
    parts = _intend(order, transfer)
    commit(order, cause)
    answers = [_ask(order, transfer, payment_id, key, amount) for payment_id, key, amount in parts]
    declined = [answer for answer in answers if answer.outcome.state == "failed"]

    def record(fresh: Order) -> None:
        _conclude(fresh, transfer, answers)
        if not declined:
            book(fresh, _settled(fresh, transfer))

    record(order)
    try:
        commit(order, cause)
    except (Lost, StockShort):
        order = update(order.id, record, cause)
    if declined:
        reasons = ", ".join(sorted({answer.outcome.reason or "no reason given" for answer in declined}))
        what = f"the {transfer.kind} of {transfer.amount} for {transfer.document_id}"
        raise PaymentDeclined(f"{what} was declined: {reasons}", kind="payment-declined")
    return order


def _intend(order: Order, transfer: Transfer) -> list[tuple[str, str, int]]:
    """Note what will be asked of which tender; what was moved for this document before is not asked again."""
    done = sum(part["amount"] for part in _settled(order, transfer))
    if transfer.amount == done:
        return []
    missing = transfer.amount - done
    ways: dict[str, Callable[[], list[Part]]] = {
        "capture": lambda: ensure_funds(order, missing),
        "refund": lambda: ensure_refunds(order, missing),
        "void": lambda: to_release(order),
    }
    noted: list[tuple[str, str, int]] = []
    for payment, amount in ways[transfer.kind]():
        key = ledger.attempt_key(payment, f"{order.id}/{transfer.kind}/{transfer.document_id}/{payment.id}")
        intend(payment, transfer.kind, key, amount, order.now)
        noted.append((payment.id, key, amount))
    return noted


def _ask(order: Order, transfer: Transfer, payment_id: str, key: str, amount: int) -> Answer:
    payment = order.payments[payment_id]
    gateway = gateway_for(GATEWAYS, payment.gateway)
    return Answer(payment_id, key, ask(gateway, payment, transfer.kind, key, amount, order.placed.currency, order.now))


def _conclude(order: Order, transfer: Transfer, answers: list[Answer]) -> None:
    verbs = {
        "succeeded": {"capture": "captured", "refund": "refunded", "void": "voided"}[transfer.kind],
        "failed": f"{transfer.kind}_declined",
    }
    for answer in answers:
        if conclude(order.payments[answer.payment_id], transfer.kind, answer.key, answer.outcome):
            verb = verbs.get(answer.outcome.state, f"{transfer.kind}_pending")
            order.record(f"payment.{verb}", payment_id=answer.payment_id, amount=answer.outcome.amount, document_id=transfer.document_id)


def _settled(order: Order, transfer: Transfer) -> list[dict[str, Any]]:
    """What has been moved for this document, per tender."""
    prefix = f"{order.id}/{transfer.kind}/{transfer.document_id}/"
    return [
        {"payment_id": payment.id, "amount": event.amount, "reference": event.reference}
        for payment in order.payments.values()
        for event in payment.events
        if event.state == "succeeded" and event.key and event.key.startswith(prefix)
    ]
