"""What an exchange comes to, over both orders: what the old goods bring less what the new ones cost, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oms.orders.order import Order
from oms.orders.statuses import totals
from oms.payments.cover import surplus
from oms.payments.funds import Part, ensure_excess, ensure_refunds
from oms.payments.offsets import offsets
from oms.payments.records import Change
from oms.service.exchanges import decided
from oms.service.figures import if_there, paid_back


def exchange_figures(before: Order, after: Order, changes: Sequence[Change]) -> dict[str, Any]:
    """`balances` of an exchange: the new totals of the old order less its old ones, with those of the new order. What the old goods bring
    beyond the new ones' price goes back to the tenders that paid; what the new ones cost more is due."""
    about = next(change.exchange for change in changes if change.exchange)
    ret = after.returns.get(about.return_id or "")
    cancellation = after.changes.get(about.cancellation_id or "")
    done, memo = decided(after, ret, cancellation)
    parts: list[Part] = []
    if cancellation:
        spare = max(0, min(done.changes[cancellation.id].worth, surplus(done)))
        parts += if_there(ensure_excess, done, spare)
    if memo:
        net = memo.total_amount - sum(row["amount"] for row in offsets(done, memo.total_amount))
        parts += if_there(ensure_refunds, done, net)
        done.credit_memos[memo.id] = memo
    old, new, made = (totals(order).model_dump() for order in (before, done, after.born[0]))
    taken = min(about.expected, about.price)
    return {
        **{name: new[name] - old[name] + made[name] for name in new},
        "amount_due": about.price - taken,
        **paid_back([(part, None) for part in _beyond(parts, taken)]),
    }


def _beyond(parts: Sequence[Part], taken: int) -> list[Part]:
    """What is left of the refunds when the first of them have gone into the new order."""
    left: list[Part] = []
    for part in parts:
        mine = min(part.amount, taken)
        taken -= mine
        if part.amount > mine:
            left.append(Part(part.payment, part.amount - mine, part.of))
    return left
