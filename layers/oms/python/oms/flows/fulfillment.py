"""The steps of an order's fulfillment: Allocate, Expire, Deliver."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from oms.flows.capacity import capacity_ahead, capacity_left
from oms.fulfillment.allocate import allocate, needs_stock
from oms.fulfillment.arrivals import arrive
from oms.fulfillment.work import expire
from oms.machines.outcomes import after_shipping, go, seconds_left
from oms.orders.order import Order
from oms.orders.records import FulfillmentOrder
from oms.storage.inventory import stock_of
from oms.storage.orders import Cause, StockShort, commit, load, update
from oms.storage.settings import settings
from oms.storage.table import Lost

_ATTEMPTS = 6


def allocate_step(order_id: str, execution: str, entered: str = "", seconds_left: Callable[[], float] = lambda: 25) -> dict[str, Any]:
    """The Allocate state: hand out all that can be handed out, and say what comes next."""
    for attempt in range(_ATTEMPTS):
        order = load(order_id)
        if order.placed.chunks:
            from oms.flows.large_work import allocate_large  # noqa: PLC0415 most orders are small: they do not pay for it

            return {"next": allocate_large(order, execution, entered, seconds_left)}
        skus, picture = needs_stock(order), settings()
        stock = stock_of(skus) if skus else {}
        next_ = allocate(order, stock, picture, capacity_left(picture, stock, order.now), capacity_ahead, entered)
        try:
            commit(order, Cause("allocate", execution))
        except (Lost, StockShort):
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
            continue
        return {"next": next_}
    raise AssertionError("unreachable")


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
