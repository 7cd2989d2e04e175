"""The return machine's steps: Return pays for what has arrived, Expire ends the wait for what never came."""

from __future__ import annotations

from typing import Any

from oms.flows.give_back import give_back
from oms.flows.patience import patiently
from oms.machines.outcomes import after_goods, go
from oms.orders.order import Order
from oms.payments.gift_cards import sells_cards
from oms.payments.records import CreditMemo
from oms.returns import returns
from oms.storage.orders import Cause, load, update


def settle_return_step(order_id: str, return_id: str, execution: str) -> dict[str, Any]:
    """Pay for what has arrived: credit memo, refund to the tenders that paid, restock; and say what comes next."""
    return patiently("return", lambda: _settle_return(order_id, return_id, Cause("return_order", execution)))


def _settle_return(order_id: str, return_id: str, cause: Cause) -> dict[str, Any]:
    order = load(order_id)
    memo = returns.credit(order, returns.find(order, return_id))
    if memo:

        def book(fresh: Order, final: CreditMemo) -> None:
            returns.settle(fresh, returns.find(fresh, return_id), final)

        if sells_cards(order):
            from oms.flows.gift_cards import close_cards  # noqa: PLC0415 few orders sell any, and every cold start would pay for it

            close_cards(order, memo)
        most = None
        if any(change.exchange for change in order.changes.values()):
            from oms.flows.exchanges import room_for  # noqa: PLC0415 few returns belong to an exchange

            most = room_for(order, return_id, memo.id)
            memo.into = "exchange" if most else memo.into
        order = give_back(order, memo, book, cause, most=most)
    return (after_goods(order, returns.find(order, return_id)) or go("wait_for_goods")).output or {}


def expire_step(order_id: str, return_id: str, execution: str) -> dict[str, Any]:
    """End the wait for goods that never came; what did come is still settled."""
    order = update(order_id, lambda o: returns.expire(o, returns.find(o, return_id)), Cause("return_order", execution))
    return (after_goods(order, returns.find(order, return_id)) or go("expired")).output or {}
