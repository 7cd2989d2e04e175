"""The return machine's Expire."""

from __future__ import annotations

from typing import Any

from oms.machines.outcomes import after_goods, go
from oms.returns import returns
from oms.storage.orders import Cause, update


def expire_step(order_id: str, return_id: str, execution: str) -> dict[str, Any]:
    """End the wait for goods that never came; what did come is still settled."""
    order = update(order_id, lambda o: returns.expire(o, returns.find(o, return_id)), Cause("return_order", execution))
    return (after_goods(order, returns.find(order, return_id)) or go("expired")).output or {}
