"""A credit memo's money: what is still owed for the goods is lowered by it, the rest goes back to the tenders that paid, or into what the
memo says instead (see oms.payments.payouts)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oms.flows.money import move
from oms.flows.patience import pause
from oms.orders.order import Order
from oms.payments.funds import Part, ensure_refunds
from oms.payments.gateway import StillPending
from oms.payments.gift_cards import sells_cards
from oms.payments.offsets import offsets, waits_for
from oms.payments.payouts import destination
from oms.payments.records import CreditMemo
from oms.payments.transfers import Transfer, moved, settled
from oms.service.closing import close_paid
from oms.storage.orders import Cause


def give_back(
    order: Order, memo: CreditMemo, book: Callable[[Order, CreditMemo], None], cause: Cause, *, since: str, most: int | None = None
) -> Order:
    """Credit what is still owed for the goods, give the rest back, and put the memo on record. `most`: of a memo that goes into something,
    how much of it (None: all); what is beyond that goes back to the tenders. StillPending while what it credits is not all invoiced,
    or is being collected; `since`: from when on it may have waited for that. Gift cards that it pays back die first: Conflict where one
    has been spent from."""
    if sells_cards(order):
        from oms.flows.gift_cards import close_cards  # noqa: PLC0415 few orders sell any, and every cold start would pay for it

        close_cards(order, memo)
    back = Transfer("refund", memo.id)
    away = Transfer("refund", memo.id, destination(order, memo.into)) if memo.into else None

    def left(fresh: Order) -> int:
        return memo.total_amount - moved(fresh, back) - (moved(fresh, away) if away else 0)

    def owed(fresh: Order) -> list[dict[str, Any]]:
        return offsets(fresh, left(fresh))

    def open_(fresh: Order) -> int:
        if left(fresh) and (waiting := waits_for(fresh, memo)):
            raise StillPending(f"{', '.join(waiting)} is not settled yet", seconds=pause(since, fresh.now))
        taken_off: int = sum(row["amount"] for row in owed(fresh))
        return left(fresh) - taken_off

    def put(fresh: Order) -> None:
        if memo.id not in fresh.credit_memos:
            refunds = settled(fresh, back) + (settled(fresh, away) if away else [])
            book(fresh, memo.model_copy(update={"refunds": refunds, "offsets": owed(fresh)}))
            close_paid(fresh)

    if away is not None:

        def into(fresh: Order) -> list[Part]:
            room = open_(fresh) if most is None else min(open_(fresh), most - moved(fresh, away))
            return ensure_refunds(fresh, max(0, room))

        order = move(order, away, into, lambda fresh: None if open_(fresh) else put(fresh), cause)
        if memo.id in order.credit_memos:
            return order  # what it takes off invoices is on record now, and not to be reckoned again
    return move(order, back, lambda fresh: ensure_refunds(fresh, open_(fresh)), put, cause)
