"""A return's way from the request to the goods: approve, reject, cancel, close, expire."""

from __future__ import annotations

from oms.orders.order import Order
from oms.returns.records import Return
from oms.returns.states import COMING, expect, free_rest, unsettled, want_no_label


def approve(order: Order, ret: Return) -> None:
    """The goods may come."""
    expect(ret, "approve", "requested")
    ret.status = "approved"
    order.record("return.approved", return_id=ret.id)


def reject(order: Order, ret: Return, reason: str | None) -> None:
    """The goods may not come; their units are free again."""
    expect(ret, "reject", "requested")
    free_rest(order, ret)
    ret.status, ret.reason = "rejected", reason
    want_no_label(ret)
    order.record("return.rejected", return_id=ret.id, reason=reason)


def cancel(order: Order, ret: Return) -> None:
    """Nothing comes after all; possible until something is received."""
    expect(ret, "cancel", "requested", "approved", "in_transit")
    free_rest(order, ret)
    ret.status = "cancelled"
    want_no_label(ret)
    order.record("return.cancelled", return_id=ret.id)


def close(order: Order, ret: Return) -> None:
    """Nothing more is expected: what has not arrived is free again."""
    expect(ret, "close", *COMING)
    free_rest(order, ret)
    ret.status = _without_rest(ret, "cancelled")
    want_no_label(ret)
    order.record("return.closed", return_id=ret.id)


def expire(order: Order, ret: Return) -> None:
    """The goods, or the rest of them, did not come in time."""
    if ret.status in ("requested", *COMING):
        free_rest(order, ret)
        ret.status = _without_rest(ret, "expired")
        want_no_label(ret)
        order.record("return.expired", return_id=ret.id)


def _without_rest(ret: Return, nothing: str) -> str:
    """The status of a return that nothing more is expected of: by what has come, `nothing` if that is nothing."""
    return "received" if unsettled(ret) else "settled" if any(line.settled for line in ret.lines) else nothing
