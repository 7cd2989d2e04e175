"""What a waiting state waits for, as a pure function of the record.

A step that wants to wait stores its token and then reads the record; whoever commits a change to the record then reads the token. Both
sides ask this one function, so whichever comes second resumes the execution, and it does not matter how often.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any

from oms.clock import parse
from oms.fulfillment.records import FulfillmentOrder
from oms.orders.order import Order
from oms.orders.quantities import kept, needs_place, open_units
from oms.payments.ledger import newest
from oms.returns.records import Return
from oms.returns.states import unsettled, wants_label
from oms.service.records import Wait


@dataclass(frozen=True)
class Resume:
    """How to resume: with an outcome, or with a named error."""

    output: dict[str, Any] | None = None
    error: str | None = None
    cause: str = ""


def go(next_: str, **more: Any) -> Resume:
    """Resume and go to the state of that key."""
    return Resume({"next": next_, **more})


def state_key(state: str) -> str:
    """The key of a state in outcomes: "Capture payment" is capture_payment."""
    return state.lower().replace(" ", "_")


def outcome(order: Order, wait: Wait) -> Resume | None:
    """What the wait is to be resumed with, or None while its time has not come."""
    if wait.id in order.exceptions:
        return _exception(order, wait)
    if wait.id in order.fulfillment_orders:
        return _FULFILLMENT[wait.state](order, order.fulfillment_orders[wait.id])
    if wait.id in order.returns:
        return _RETURN[wait.state](order, order.returns[wait.id])
    return _ORDER[wait.state](order)


def after_shipping(order: Order, fo: FulfillmentOrder) -> Resume | None:
    """Where a fulfillment order goes from Ship, and again from Capture payment: invoice what left, then the rest, then delivery. While its
    order is held for capture, what left waits for the release."""
    if uninvoiced(order, fo):
        return go("hold" if order.open_holds("capture") else "capture_payment")
    if fo.status in ("rejected", "cancelled", "expired"):
        return go("secure_payment" if is_asking(order, fo) else fo.status)
    if fo.status == "on_hold":
        return go("secure_payment" if fo.held_by == "payment" else "hold")
    if fo.status in ("shipped", "delivered"):
        left = seconds_left(order, fo)
        return go("wait_for_clock", seconds=left) if left else go("deliver")
    return None


def is_asking(order: Order, fo: FulfillmentOrder) -> bool:
    """Whether a gateway was asked for money for it and has not answered: work may be given up meanwhile."""
    facts = [fact for payment in order.payments.values() for fact in newest(payment.events)]
    return any(fact.document == fo.id and fact.state == "requested" for fact in facts)


def seconds_left(order: Order, fo: FulfillmentOrder) -> int:
    """Where nobody confirms delivery: seconds until it may be assumed. 0 when that time has come, or somebody does confirm."""
    parcels = order.under_way(fo.id)
    if fo.assume_delivered_after_days is None or not parcels:
        return 0
    due = parse(max(parcel.shipped_at for parcel in parcels)) + timedelta(days=fo.assume_delivered_after_days)
    return max(0, ceil((due - parse(order.now)).total_seconds()))


def uninvoiced(order: Order, fo: FulfillmentOrder) -> bool:
    """Whether something left that is not invoiced yet."""
    return any(shipment.to_invoice for shipment in order.shipments_of(fo.id))


def _delivery(order: Order, fo: FulfillmentOrder) -> Resume | None:
    under_way = order.under_way(fo.id)
    if not under_way:
        return go("delivered")
    back = [shipment.tracking_number or shipment.id for shipment in under_way if shipment.status == "return_to_sender"]
    if back:
        return Resume(error="ReturnedToSender", cause=f"the carrier returns {', '.join(back)} to the sender")
    return None


def _hold_over(order: Order, fo: FulfillmentOrder) -> Resume | None:
    if uninvoiced(order, fo):
        return None if order.open_holds("capture") else go("capture_payment")
    if fo.status != "on_hold":
        return go("ship")
    return go("secure_payment") if fo.held_by == "payment" else None


def _release(order: Order) -> Resume | None:
    states = order.summary.lines.values()
    if order.summary.status == "cancelled" or not any(kept(state) for state in states):
        return go("cancelled")
    if not any(needs_place(state) or state.backordered for state in states):
        return go("allocated")  # what it was to place has been cancelled
    return None if order.open_holds("allocate") else go("allocate")


def _stock(order: Order) -> Resume | None:
    """Until every unit has come, or some that need not wait for the others."""
    ready = [group for group in order.groups if not order.waits_for_all(group)]
    if any(open_units(state) for group in ready for _, state in order.lines_of(group)):
        return go("allocate")
    if any(state.to_replace for state in order.summary.lines.values()):
        return go("allocate")
    return None if any(state.backordered for state in order.summary.lines.values()) else go("allocate")


def _approval(order: Order, ret: Return) -> Resume | None:
    on = go("buy_label") if wants_label(ret) else go("wait_for_goods")
    return {"requested": None, "rejected": go("rejected"), "cancelled": go("cancelled")}.get(ret.status, on)


def after_goods(order: Order, ret: Return) -> Resume | None:
    """Where a return goes from Wait for goods, and again from Return and Buy label."""
    if unsettled(ret):
        return go("return")
    if wants_label(ret):
        return go("buy_label")
    return go(ret.status) if ret.status in ("settled", "cancelled", "expired", "rejected") else None


def _exception(order: Order, wait: Wait) -> Resume | None:
    problem = order.exceptions[wait.id]
    if problem.status == "open":
        return None
    if problem.status == "abandoned":
        return go("abandoned")
    return go(state_key(problem.step))


_ORDER = {"Wait for release": _release, "Wait for stock": _stock}
_FULFILLMENT = {"Ship": after_shipping, "Wait for release": _hold_over, "Deliver": _delivery}
_RETURN = {"Approve": _approval, "Wait for goods": after_goods}
