"""Orders that are kept although something is wrong with them (`on_problem: hold`): their money was taken elsewhere, so that refusing them
would leave a customer who paid for nothing.

Each problem is a hold on allocation and, once the order is captured, an exception that says what can be done about it. Whoever ends one of
the two ends the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oms.money.currencies import show
from oms.orders.hold_request import HoldRequest
from oms.orders.holds import place_hold, release_hold
from oms.orders.order import Order
from oms.service.opening import put_before_somebody

SHORT, OFF = "stock_short", "total_off"
_LONGEST = 500
"""Characters of a reason."""
_ABOUT: Mapping[str, tuple[str, str, Sequence[str]]] = {
    SHORT: (
        "allocation",
        "Put stock, then retry; or resolve it: what has no place is cancelled and not charged.",
        ["retry", "resolve:cancel_and_refund", "abandon"],
    ),
    OFF: (
        "payment",
        "Resolve it with accept: what was captured beyond the total goes back. What is missing is still owed: take another tender for it "
        "(POST /v1/orders/{id}/payments), or lower a price (POST /v1/orders/{id}/adjustments).",
        ["resolve:accept", "abandon"],
    ),
}
"""Kind of the exception, what to do, and which actions there are."""


def hold_short(order: Order, reasons: Sequence[str]) -> None:
    """Stock is short for lines that may not wait; once, however many parts of a large order find it out."""
    _hold(order, SHORT, "stock is short: " + "; ".join(reasons))


def hold_off(order: Order, off: int) -> None:
    """The payments come to so much more (or, negative, less) than the grand total."""
    words = f"the payments come to {show(abs(off), order.placed.currency)} {'more' if off > 0 else 'less'} than the grand total"
    _hold(order, OFF, words)


def withdraw(order: Order) -> None:
    """The order is submitted again: what was wrong with it is looked at afresh."""
    for hold in order.summary.holds:
        if hold.kind in _ABOUT and not hold.released_at:
            release_hold(order, hold.id, "another submit", lambda _: True)
    for state in order.summary.lines.values():
        state.short = False


def open_problems(order: Order) -> None:
    """The order is captured: its problems are put before somebody."""
    for hold in order.summary.holds:
        exception_id = hold.id.replace("hold_", "exc_", 1)
        if hold.kind in _ABOUT and not hold.released_at:
            kind, hint, actions = _ABOUT[hold.kind]
            put_before_somebody(
                order, exception_id, kind=kind, step="Capture", cause=hold.reason, hint=hint, actions=actions, subject=hold.id
            )


def _hold(order: Order, kind: str, reason: str) -> None:
    if not any(hold.kind == kind and not hold.released_at for hold in order.summary.holds):
        place_hold(order, HoldRequest(kind=kind, reason=reason[:_LONGEST], blocks=["allocate"]))
