"""What a return comes to when everything arrives and is settled: the same rounds as the return machine's, on a copy of the order."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from oms.errors import Conflict
from oms.orders.order import Order
from oms.orders.statuses import totals
from oms.payments.funds import ensure_refunds
from oms.payments.offsets import offsets
from oms.payments.records import CreditMemo, Invoice
from oms.returns import settling
from oms.returns.records import Return
from oms.service.figures import Figures


def foresee(order: Order, announce: Callable[[Order], Return]) -> tuple[Order, Return, Figures]:
    """A copy of the order with the return announced, arrived and settled; the return; and `balances` (contract: Service)."""
    copy = deepcopy(order)
    ret = announce(copy)
    for line in ret.lines:
        line.received = line.quantity - line.closed
    back: dict[tuple[str, str], int] = {}
    fees: list[dict[str, Any]] = []
    while round_ := settling.next_round(ret):
        memo = settling.credit(copy, ret)
        if memo is None:
            for line in ret.lines:
                line.settled = line.settling = line.received if line.resolution == round_.kind else line.settled
            continue
        invoice = settling.charge(copy, ret, memo)
        if invoice:
            _issue(copy, invoice)
            fees += invoice.fees
        _pay_back(copy, memo, back)
        settling.settle(copy, ret, memo)
    old, new = totals(order).model_dump(), totals(copy).model_dump()
    refunds = [
        {"payment_id": payment_id, "amount": amount, **({"into": into} if into else {})}
        for (payment_id, into), amount in sorted(back.items())
    ]
    figures: Figures = {
        **{name: new[name] - old[name] for name in new},
        "refund_due": sum(back.values()),
        "amount_due": 0,
        "refunds": refunds,
        "fees": [{name: row[name] for name in ("code", "total_amount", "promotion_id", "line_id") if name in row} for row in fees],
    }
    return copy, ret, figures


def _issue(order: Order, invoice: Invoice) -> None:
    """The fees stay open for the credit memo that comes next."""
    invoice.receivables = [{"payment_id": None, "amount": invoice.total_amount, "due_at": order.now}]
    order.invoices[invoice.id] = invoice


def _pay_back(order: Order, memo: CreditMemo, back: dict[tuple[str, str], int]) -> None:
    memo.offsets = offsets(order, memo.total_amount)
    left = memo.total_amount - sum(row["amount"] for row in memo.offsets)
    try:
        parts = ensure_refunds(order, left + sum(back.values())) if left else []
    except Conflict:
        return  # captured by then perhaps, at the moment it is not: nothing can be promised
    # Earlier rounds have their parts first: the tenders give in the same order.
    taken = dict[str, int]()
    for (payment_id, _), amount in back.items():
        taken[payment_id] = taken.get(payment_id, 0) + amount
    for part in parts:
        mine = part.amount - min(part.amount, taken.get(part.payment.id, 0))
        taken[part.payment.id] = taken.get(part.payment.id, 0) - (part.amount - mine)
        if mine:
            place = (part.payment.id, memo.into or "")
            back[place] = back.get(place, 0) + mine
