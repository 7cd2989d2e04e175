"""Ship and Deliver: what ends work by the clock."""

from __future__ import annotations

from typing import Any

from oms.fulfillment.arrivals import arrive
from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.work import expire
from oms.machines.outcomes import after_shipping, go, seconds_left
from oms.orders.order import Order
from oms.storage.orders import Cause, update


def expire_step(order_id: str, fulfillment_order_id: str, execution: str) -> dict[str, Any]:
    """The Expire state: what nobody shipped in time goes back to be routed again."""
    order = update(order_id, lambda o: expire(o, o.fulfillment_order(fulfillment_order_id)), Cause("ship", execution))
    return (after_shipping(order, order.fulfillment_order(fulfillment_order_id)) or go("expired")).output or {}


def clock_has_run_out(order: Order, fo: FulfillmentOrder) -> bool:
    """Whether nobody confirms this delivery and its time has come."""
    return fo.assume_delivered_after_days is not None and bool(order.under_way(fo.id)) and not seconds_left(order, fo)


def deliver_by_clock(order_id: str, fulfillment_order_id: str, execution: str) -> None:
    """The parcels count as delivered."""

    def assume(order: Order) -> None:
        fo = order.fulfillment_order(fulfillment_order_id)
        if clock_has_run_out(order, fo):
            arrive(order, order.under_way(fo.id), order.now, assumed=True)

    update(order_id, assume, Cause("deliver", execution))
