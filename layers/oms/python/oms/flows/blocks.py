"""What follows when a location says that its shelf is not what the books say.

From that commit on nothing more is sold of the SKU there. "recount": until the next count. "zero": what is not reserved by others is
written off, and sales may take what comes in later.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from oms.clock import stamp
from oms.inventory.counts import Movement
from oms.storage.inventory import rows_of, stock_at, write_off
from oms.storage.table import Lost

_ATTEMPTS = 8


def blocked(data: Mapping[str, Any], _: Callable[[], float]) -> None:
    """Act on a block. A second time, or after a count has opened the place again, there is nothing to do."""
    if data["effect"] != "zero":
        return
    for attempt in range(_ATTEMPTS):
        stock = stock_at(data["sku"], data["location_id"])
        if stock is None or stock.blocked != data["cause"]:
            return
        rows = rows_of(stock)
        lost = max(0, sum(row.on_hand - row.reserved for row in rows.values()))
        move = Movement(
            sku=stock.sku, location_id=stock.location_id, at=stamp(), kind="lost", delta=-lost, cause=data["cause"], actor="stockkeeper"
        )
        try:
            write_off(stock, rows, move)
            return
        except Lost:
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
