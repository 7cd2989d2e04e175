"""What becomes of an exchange: its change goes on whenever something of the old goods has come, and when nothing more will.

Whoever settles, rejects, cancels or lets the return expire knows nothing of the exchange: each commit of the old order looks whether there
is something that the new order has not been told.
"""

from __future__ import annotations

from oms.money.units import count
from oms.orders.order import Order
from oms.orders.quantities import available_to_cancel
from oms.payments.cover import surplus
from oms.payments.funds import open_to_pay
from oms.payments.payouts import EXCHANGE
from oms.payments.records import COLLECTION, Change, Exchange
from oms.payments.releases import unneeded
from oms.service.cancellations import CancelRequest, cancel, take_back
from oms.service.changes import close_change, open_change
from oms.settings import Settings

_OVER = ("settled", "rejected", "cancelled", "expired")


def go_on(order: Order) -> None:
    """Let the change machine tell the new orders what has come, and that nothing more will."""
    for change in order.changes.values():
        about = change.exchange
        if about is None or change.status != "pending" or change.moves:
            continue
        if sum(amount for _, amount in moved_over(order, about)) != about.told or is_over(order, about):
            change.moves = True
            change.run += change.started
            change.started = True
            order.record("change.settling", change_id=change.id, kind=change.kind)


def exchange_of(order: Order, record_id: str) -> Change | None:
    """The open exchange that a return or a cancellation belongs to."""
    return next(
        (
            change
            for change in order.changes.values()
            if change.exchange and change.status == "pending" and record_id in (change.exchange.return_id, change.exchange.cancellation_id)
        ),
        None,
    )


def moved_over(order: Order, about: Exchange) -> list[tuple[str, int]]:
    """What has been paid into the exchange and is on record: the reference of each refund, and its amount."""
    rows = [row for memo in order.credit_memos.values() if about.return_id and memo.return_id == about.return_id for row in memo.refunds]
    if about.cancellation_id:
        rows += order.changes[about.cancellation_id].refunds
    return [(str(row["reference"]), int(row["amount"])) for row in rows if row.get("into") == EXCHANGE]


def is_over(order: Order, about: Exchange) -> bool:
    """Whether nothing more can come."""
    if about.cancellation_id and order.changes[about.cancellation_id].status == "pending":
        return False
    if about.return_id is None:
        return True
    ret = order.returns[about.return_id]
    return ret.status in _OVER and not any(line.received > line.settled for line in ret.lines)


def outcome(order: Order, about: Exchange) -> str:
    """How the exchange ends: done, partial, or refused when none of the old goods came, nor was stopped. What came unannounced makes up for
    nothing that was announced."""
    came = wanted = anything = 0
    if about.return_id:
        rows = order.returns[about.return_id].lines
        anything += sum(line.settled for line in rows)
        came += sum(line.settled for line in rows if not line.extra)
        wanted += sum(line.quantity for line in rows if not line.extra)
    if about.cancellation_id:
        lines = order.changes[about.cancellation_id].lines
        came += sum(count(line.units) for line in lines)
        wanted += sum(count(line.units) + count(line.held) + line.refused for line in lines)
    return "refused" if not came + anything else "done" if came >= wanted else "partial"


def told(order: Order, change_id: str, run: int, amount: int) -> None:
    """The new order knows of that much; when nothing more can come, the exchange is over. What has come meanwhile is told next."""
    change = order.changes[change_id]
    if change.exchange is None or change.status != "pending" or change.run != run:
        return
    about = change.exchange.model_copy(update={"told": amount})
    order.changes[change_id] = change = change.model_copy(update={"exchange": about, "moves": False})
    if is_over(order, about) and sum(moved for _, moved in moved_over(order, about)) == amount:
        close_change(order, change, outcome(order, about))


def refuse(order: Order, change_id: str) -> None:
    """The new order was declined: what comes back is paid back like any return, and what was not to leave for it is ordered as before, as
    far as that can still be (see take_back)."""
    change = order.changes[change_id]
    cancellation = order.changes.get(change.exchange.cancellation_id or "") if change.exchange else None
    close_change(order, change, "refused")
    if cancellation and change.status == "pending" and cancellation.status == "pending":
        take_back(order, cancellation)


def give_up(order: Order, settings: Settings) -> None:
    """Nothing comes for the new order, and nothing of it has left: it is cancelled, by recall where a location works on it."""
    if any(available_to_cancel(state) for state in order.summary.lines.values()):
        request = CancelRequest(all=True, reason="the old goods of the exchange did not come back")
        cancel(order, request, settings.model_copy(update={"reasons": {}}), EXCHANGE)


def nothing_left(order: Order) -> bool:
    """Whether none of the order has left."""
    return not any(state.shipped for state in order.summary.lines.values())


def collect_rest(order: Order) -> None:
    """Nothing more comes: what went out on the strength of the exchange, and is not paid by it, is taken from the tenders that secured it,
    and what they hold beyond that is given back. By a change of this order, of which there is one, so that whatever its gateways say of it
    is decided here."""
    if any(change.kind == COLLECTION for change in order.changes.values()):
        return
    released_otherwise = any(change.status == "pending" and change.moves for change in order.changes.values())
    if open_to_pay(order) or (unneeded(order, lambda payment: True) and not released_otherwise):
        open_change(order, COLLECTION, reason="nothing more comes of the exchange")


def give_back_surplus(order: Order) -> None:
    """More has come than the order needs: a part of it was cancelled on the way. It goes back by a change of its own, once."""
    left = surplus(order)
    if left > 0 and not any(change.status == "pending" and change.moves for change in order.changes.values()):
        open_change(order, "refund", worth=left, reason="the exchange brought more than the order needs")
