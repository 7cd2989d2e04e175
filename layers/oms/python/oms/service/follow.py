"""What follows from a change to an order: work that lost or found its cover, exceptions about what is no longer there."""

from __future__ import annotations

from oms.fulfillment.unfillable import why_unfillable
from oms.orders.order import Order
from oms.payments.cover import hold_uncovered
from oms.service.closing import close_exception, is_unsure, release_paid


def follow_change(order: Order) -> None:
    """Hold what is not covered any more, release what is, and close exceptions that have no object any more."""
    release_paid(order)
    hold_uncovered(order)
    for problem in list(order.exceptions.values()):
        if problem.status != "open":
            continue
        fo = order.fulfillment_orders.get(problem.subject)
        unneeded_place = problem.kind == "allocation" and problem.subject == order.id and not why_unfillable(order)
        given_up = fo and fo.status == "cancelled" and not order.shipments_of(fo.id) and not is_unsure(problem)
        if unneeded_place or given_up:
            close_exception(order, problem, "resolved", "cancelled", None)
