"""A credit memo's money: what is still owed for the goods is lowered by it, the rest goes back to the tenders that paid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oms.flows.money import move
from oms.orders.order import Order
from oms.payments.funds import Part, ensure_refunds
from oms.payments.offsets import offsets
from oms.payments.records import CreditMemo
from oms.payments.transfers import Transfer, moved, settled
from oms.storage.orders import Cause


def give_back(order: Order, memo: CreditMemo, book: Callable[[Order, CreditMemo], None], cause: Cause) -> Order:
    """Credit what is still owed for the goods, pay the rest back to the tenders that paid, and put the memo on record."""
    transfer = Transfer("refund", memo.id)

    def owed(fresh: Order) -> list[dict[str, Any]]:
        return offsets(fresh, memo.total_amount - moved(fresh, transfer))

    def plan(fresh: Order) -> list[Part]:
        left = memo.total_amount - moved(fresh, transfer) - sum(row["amount"] for row in owed(fresh))
        return ensure_refunds(fresh, left)

    def put(fresh: Order) -> None:
        if memo.id not in fresh.credit_memos:
            book(fresh, memo.model_copy(update={"refunds": settled(fresh, transfer), "offsets": owed(fresh)}))

    return move(order, transfer, plan, put, cause)
