"""Replacements get their place, by what stock and capacity are now."""

from __future__ import annotations

from collections.abc import Callable

from oms.errors import Fault
from oms.flows.capacity import capacity_ahead, capacity_left
from oms.fulfillment.replacements import place_replacements
from oms.orders.order import Order
from oms.storage.inventory import stock_of
from oms.storage.settings import settings


def send_again(order: Order, cause_id: str, pointer: Callable[[str], str] = lambda line_id: "") -> list[Fault]:
    """Reserve and hand out what is to be replaced for a change or a return, as a part of the commit that comes. Returns what has no place:
    it is refused, or `reopen` (oms.fulfillment.work) leaves it to Allocate."""
    skus = {line.sku for line, state in order.lines() if cause_id in state.to_replace}
    if not skus:
        return []
    stock, picture = stock_of(skus), settings()
    return place_replacements(
        order, stock, picture, capacity_left(picture, stock, order.now), capacity_ahead, cause_id=cause_id, pointer=pointer
    )
