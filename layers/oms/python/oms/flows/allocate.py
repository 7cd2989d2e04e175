"""Allocate: the order's work goes out to locations."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from oms.flows.capacity import capacity_ahead, capacity_left
from oms.fulfillment.allocate import allocate, needs_stock
from oms.storage.inventory import stock_of
from oms.storage.orders import Cause, StockShort, commit, load
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
        # To hand out what has its place, stock may be old by a moment: the commit's conditions are the truth. Nobody waits or is given up
        # for it.
        certain = attempt > 0 or order.summary.gives_up
        stock = stock_of(skus, consistent=certain) if skus else {}
        next_ = allocate(order, stock, picture, capacity_left(picture, stock, order.now), capacity_ahead, entered)
        gives_up = any(not change.v for change in order.changes.values())  # a change that this very visit made
        if not certain and (next_ in ("unfillable", "wait_for_stock") or gives_up):
            continue
        try:
            commit(order, Cause("allocate", execution))
        except (Lost, StockShort):
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
            continue
        return {"next": next_}
    raise AssertionError("unreachable")
