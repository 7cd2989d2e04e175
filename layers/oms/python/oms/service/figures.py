"""What a change comes to: the preview's figures, computed by the same rules that later move the money.

A preview is the command itself, run on a copy that nobody stores; where a location is to be asked, as if it could stop everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from oms.errors import Conflict
from oms.money.units import count
from oms.orders.order import Order
from oms.orders.statuses import buckets, to_come, totals
from oms.orders.worth import worth
from oms.payments.cover import surplus
from oms.payments.funds import Part, ensure_excess, ensure_refunds
from oms.payments.invoices import change_invoice, change_memo
from oms.payments.offsets import offsets
from oms.payments.payouts import EXCHANGE, STORE_CREDIT
from oms.payments.records import Change
from oms.service import recalls

Figures = dict[str, Any]
Command = Callable[[Order], Sequence[Change]]
"""What is done to an order; returns the changes that it made."""


def foresee(order: Order, command: Command) -> tuple[Order, list[Change]]:
    """A copy of the order as the command, and every answer it asks for, would leave it; and its changes."""
    copy = deepcopy(order)
    changes = list(command(copy))
    for change in changes:
        if change.exchange:
            continue  # it goes on as its return and its cancellation do
        for line in change.lines:
            if line.held:
                recalls.stop(copy, change, line, count(line.held))
        recalls.decide(copy, change)
    return copy, changes


def figures(before: Order, after: Order, changes: Sequence[Change]) -> Figures:
    """`balances` of a preview (contract: Service): new totals minus old ones, and what is paid back or still to be paid."""
    if after.born:
        from oms.service.exchange_figures import exchange_figures  # noqa: PLC0415 few changes are exchanges

        return exchange_figures(before, after, changes)
    old, new = totals(before).model_dump(), totals(after).model_dump()
    return {
        **{name: new[name] - old[name] for name in new},
        "amount_due": max(0, _missing(after) - _missing(before)),
        **paid_back(refunds(after, changes)),
    }


def paid_back(parts: Sequence[tuple[Part, str | None]]) -> Figures:
    """What goes back, in all and to which tender."""
    back: dict[tuple[str, str], int] = {}
    for part, into in parts:
        place = (part.payment.id, into or (STORE_CREDIT if part.payment.method == EXCHANGE else ""))
        back[place] = back.get(place, 0) + part.amount
    return {
        "refund_due": sum(back.values()),
        "refunds": [
            {"payment_id": payment_id, "amount": amount, **({"into": into} if into else {})}
            for (payment_id, into), amount in sorted(back.items())
        ],
    }


def refunds(order: Order, changes: Sequence[Change]) -> list[tuple[Part, str | None]]:
    """What the change machine will pay back for these changes, as things stand, and into what if not to the tender: credit memos less their
    invoices and what is still owed, and captured money that nothing will use any more."""
    parts: list[tuple[Part, str | None]] = []
    excess = surplus(order)
    for change in changes:
        memo, invoice = change_memo(order, change), change_invoice(order, change)
        net = (memo.total_amount if memo else 0) - (invoice.total_amount if invoice else 0)
        if net > 0:
            paid = if_there(ensure_refunds, order, net - sum(row["amount"] for row in offsets(order, net)))
            parts += [(part, change.into) for part in paid]
        part = max(0, min(change.worth - (memo.total_amount if memo else 0), excess))
        parts += [(each, None) for each in if_there(ensure_excess, order, part)]
        excess -= part
    return parts


def goods_sent_again(order: Order, changes: Sequence[Change]) -> int:
    """What the units are worth that these changes send once more for nothing, without their delivery: whole minor units, with tax."""
    causes = {change.id for change in changes}
    again = [fo for fo in order.fulfillment_orders.values() if fo.replaces in causes]
    return sum(max(0, worth(order, line_id, line.units).total) for fo in again for line_id, line in fo.lines.items())


def if_there(ensure: Callable[[Order, int], list[Part]], order: Order, amount: int) -> list[Part]:
    """The tenders that the money goes back to; none where it is not captured yet."""
    try:
        return ensure(order, amount) if amount > 0 else []
    except Conflict:
        return []  # captured by then perhaps, at the moment it is not: nothing can be promised


def _missing(order: Order) -> int:
    """What the customer still has to come up with: neither paid, nor authorized, nor owed by terms."""
    sums = buckets(order)
    held = sums.captured - sums.refunded - sums.charged_back
    return max(0, totals(order).grand_total - held - to_come(order))
