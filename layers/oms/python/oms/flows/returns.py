"""The return machine's steps: Return settles what has arrived, Expire ends the wait for what never came."""

from __future__ import annotations

from typing import Any

from oms.flows.capture_payment import pay
from oms.flows.give_back import give_back
from oms.flows.patience import patiently
from oms.machines.outcomes import after_goods, go
from oms.orders.order import Order
from oms.payments.payouts import EXCHANGE
from oms.payments.records import CreditMemo, Invoice
from oms.returns.lifecycle import expire
from oms.returns.settling import charge, credit, next_round, settle
from oms.returns.states import find
from oms.storage.orders import Cause, load, update


def settle_return_step(order_id: str, return_id: str, execution: str) -> dict[str, Any]:
    """Settle what has arrived, a round for each kind of payout: credit memo, refund to the tenders that paid or store credit, replacement,
    restock; and say what comes next. NoReplacement and FundsMissing become a process exception."""
    return patiently("return", lambda: _settle_return(order_id, return_id, Cause("return_order", execution)))


def _settle_return(order_id: str, return_id: str, cause: Cause) -> dict[str, Any]:
    order = load(order_id)
    while round_ := next_round(find(order, return_id)):
        order = (_replace if round_.kind == "replace" else _pay_back)(order, return_id, cause)
    return (after_goods(order, find(order, return_id)) or go("wait_for_goods")).output or {}


def _pay_back(order: Order, return_id: str, cause: Cause) -> Order:
    """Fees first, which stay open for the memo to be taken off it: what goes back is the difference."""
    memo, invoice = _documents(order, return_id)
    if invoice and invoice.id not in order.invoices:
        # What the round covers has to be on record before its first document is.
        order = update(order.id, lambda fresh: next_round(find(fresh, return_id)), cause)
        memo, invoice = _documents(order, return_id)
        if invoice:
            order = pay(order, invoice, lambda fresh: _unless_known(fresh, return_id), cause, netted=invoice.total_amount)
    if memo is None:
        return order

    def book(fresh: Order, final: CreditMemo) -> None:
        settle(fresh, find(fresh, return_id), final)

    most = None
    if any(change.exchange for change in order.changes.values()):
        from oms.flows.exchanges import room_for  # noqa: PLC0415 few returns belong to an exchange

        most = room_for(order, return_id, memo.id)
        memo.into = EXCHANGE if most else memo.into
    return give_back(order, memo, book, cause, since=find(order, return_id).receipts[-1].at, most=most)


def _documents(order: Order, return_id: str) -> tuple[CreditMemo | None, Invoice | None]:
    """What the round gives back, and what is charged for it."""
    ret = find(order, return_id)
    memo = credit(order, ret)
    return memo, charge(order, ret, memo) if memo else None


def _unless_known(fresh: Order, return_id: str) -> Invoice | None:
    """The fees' invoice as of now; None once it is on record, or the round is over."""
    _, invoice = _documents(fresh, return_id)
    return None if invoice is None or invoice.id in fresh.invoices else invoice


def _replace(order: Order, return_id: str, cause: Cause) -> Order:
    from oms.returns.replacing import replace  # noqa: PLC0415 most goods are paid back, and every cold start would pay for it
    from oms.storage.inventory import stock_of  # noqa: PLC0415
    from oms.storage.settings import settings  # noqa: PLC0415

    def act(fresh: Order) -> None:
        ret = find(fresh, return_id)
        replace(fresh, ret, stock_of({fresh.line(line.line_id)[0].sku for line in ret.lines}), settings())

    return update(order.id, act, cause)


def expire_step(order_id: str, return_id: str, execution: str) -> dict[str, Any]:
    """End the wait for goods that never came; what did come is still settled."""
    order = update(order_id, lambda o: expire(o, find(o, return_id)), Cause("return_order", execution))
    return (after_goods(order, find(order, return_id)) or go("expired")).output or {}
