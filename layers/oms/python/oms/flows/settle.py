"""Settle: the money of a change. What a cancellation frees is given back, a new tender is authorized, an authorization is renewed.

Nothing is paid back for a change but what it was worth, and of that nothing that other changes pay back already.
"""

from __future__ import annotations

from typing import Any

from oms.flows.capture_payment import collect, owe, pay
from oms.flows.gateways import GATEWAYS
from oms.flows.give_back import give_back
from oms.flows.money import move
from oms.flows.patience import patiently, pause
from oms.flows.secure_payment import renew
from oms.ids import memo_of_change
from oms.machines.outcomes import go
from oms.orders.order import Order
from oms.payments.cover import surplus
from oms.payments.funds import FundsMissing, Part, Unpaid, ensure_excess, unsecured, was_declined
from oms.payments.gateway import PaymentDeclined, StillPending, gateway_for
from oms.payments.invoices import change_invoice, change_memo, lowered
from oms.payments.payouts import EXCHANGE
from oms.payments.records import COLLECTION, Change, CreditMemo, Invoice
from oms.payments.releases import unneeded
from oms.payments.renewal import missing_in_all, renew_until
from oms.payments.transfers import Transfer, moved, settled, under_way
from oms.service.changes import find, settled_change, uninvoiced_parcels
from oms.service.closing import HeldForCapture, release_paid
from oms.storage.orders import Cause, load, update


def settle_step(order_id: str, change_id: str, execution: str) -> dict[str, Any]:
    """Move the money of one change. PaymentDeclined, FundsMissing and Unpaid become a process exception, but for a tender that is declined:
    its change is refused, and the order stays as it was."""
    return patiently("settle", lambda: _settle(order_id, change_id, Cause("settle", execution)))


def _settle(order_id: str, change_id: str, cause: Cause) -> dict[str, Any]:
    order = load(order_id)
    change = find(order, change_id)
    if change.status == "pending" and change.exchange:
        from oms.flows.exchanges import settle_exchange  # noqa: PLC0415 few changes are exchanges

        settle_exchange(order, change, cause)
    elif change.status == "pending":
        status = "done"
        if change.kind == "payment":
            order, status = _new_tender(order, change, cause)
        elif change.kind == "renewal":
            until = renew_until(order)
            order = renew(order, lambda fresh: missing_in_all(fresh, until), until, change.id, cause)
        elif change.kind == COLLECTION:
            from oms.flows.exchanges import collect_owed  # noqa: PLC0415 few changes are exchanges

            collect_owed(order, change, cause)
        else:
            if change.into == EXCHANGE:
                from oms.flows.exchanges import captured  # noqa: PLC0415 few changes are exchanges

                captured(order, change.id)  # or it waits: a declined exchange takes its cancellation back
            order, unpaid = _document(order, change, cause)
            order = _give_back(order, change, cause)
            if unpaid:
                raise unpaid
        update(order_id, lambda fresh: settled_change(fresh, find(fresh, change_id), change.run, status), cause)
    return go("settled").output or {}


def _document(order: Order, change: Change, cause: Cause) -> tuple[Order, Unpaid | None]:
    """Invoice what the change adds to units that had left, with its fees; credit what it takes off them. Both together are netted. Returns
    what keeps the invoice from being paid, too: its credit comes off it all the same. StillPending while a parcel of theirs is not invoiced
    itself; HeldForCapture for an invoice while the order is held for capture."""
    waits_for = uninvoiced_parcels(order, change)
    if waits_for:
        raise StillPending(f"{', '.join(waits_for)} is not invoiced yet", seconds=pause(change.requested_at, order.now))
    memo = None if memo_of_change(change.id) in order.credit_memos else change_memo(order, change)
    invoice = None if change.asks else change_invoice(order, change)
    unpaid = None
    if invoice:
        try:
            order = _invoice(order, invoice, min(invoice.total_amount, memo.total_amount) if memo else 0, cause)
        except Unpaid as error:
            order, unpaid = load(order.id), error
    if memo:
        order = give_back(order, memo, _book_memo, cause, since=change.requested_at)
    return order, unpaid


def _invoice(order: Order, invoice: Invoice, netted: int, cause: Cause) -> Order:
    """Pay the change's invoice, or what is still open of it. Unpaid where nobody does: it is on record then all the same, so that money may
    come for it in any way, and what is credited next comes off it. HeldForCapture while the order is."""
    known = order.invoices.get(invoice.id)
    if known and unsecured(order, known) <= netted and not under_way(order, Transfer("capture", known.id)):
        return order
    if order.open_holds("capture"):
        raise HeldForCapture(f"order {order.placed.order_number} is held for capture")

    def issue(fresh: Order) -> Invoice | None:
        return None if invoice.id in fresh.invoices else change_invoice(fresh, find(fresh, invoice.change_id or ""))

    try:
        return pay(order, invoice, issue, cause, netted=netted)
    except (PaymentDeclined, FundsMissing) as error:
        owe(order, issue, cause)
        raise Unpaid(f"invoice {invoice.id} is open: {error.detail}") from error


def _book_memo(order: Order, memo: CreditMemo) -> None:
    order.credit_memos[memo.id] = memo
    order.record("credit_memo.created", credit_memo_id=memo.id, change_id=memo.change_id, total_amount=memo.total_amount)


def _give_back(order: Order, change: Change, cause: Cause) -> Order:
    """Captured money that nothing will use any more is refunded, up to the change's worth; authorizations that nothing needs are voided."""
    refund, away = Transfer("refund", change.id), Transfer("refund", change.id, EXCHANGE)
    if change.into == EXCHANGE:
        from oms.flows.exchanges import carry  # noqa: PLC0415 few changes are exchanges

        order = carry(order, change, cause)

    def excess(fresh: Order) -> list[Part]:
        left = change.worth + lowered(change) - moved(fresh, refund) - moved(fresh, away)
        return ensure_excess(fresh, min(left, surplus(fresh)))

    def book(fresh: Order) -> None:
        rows = settled(fresh, away) + settled(fresh, refund)
        fresh.changes[change.id] = find(fresh, change.id).model_copy(update={"refunds": rows})

    order = move(order, refund, excess, book, cause)

    def spare(fresh: Order) -> list[Part]:
        return unneeded(fresh, lambda payment: gateway_for(GATEWAYS, payment.gateway).voids_parts)

    try:
        return move(order, Transfer("void", change.id), spare, lambda fresh: None, cause)
    except PaymentDeclined:
        return load(order.id)  # what a gateway does not give back in parts goes with the last capture, or by itself


def _new_tender(order: Order, change: Change, cause: Cause) -> tuple[Order, str]:
    """Authorize the tender that the change brought, then pay with it what is owed and release what was held for want of money. Unpaid where
    it says no to that itself; where another tender does, the invoice has an exception of its own. HeldForCapture while the order is."""
    try:
        order = move(order, Transfer("authorization", change.id), lambda fresh: [], lambda fresh: None, cause)
    except PaymentDeclined:
        return order, "refused"
    try:
        order = collect(order, cause)
    except (PaymentDeclined, HeldForCapture) as error:
        order = update(order.id, release_paid, cause)
        if isinstance(error, HeldForCapture):
            raise
        if any(was_declined(order.payments[change.payment_id or ""], invoice_id) for invoice_id in order.invoices):
            raise Unpaid(error.detail) from error
        return order, "done"
    return update(order.id, release_paid, cause), "done"
