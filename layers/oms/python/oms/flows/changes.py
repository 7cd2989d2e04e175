"""The delta feed: which places changed since a cursor, with their figures now."""

from __future__ import annotations

import time
from typing import Any

from oms.inventory import changes
from oms.inventory.stock import Stock, view
from oms.storage.changes import pages, shards
from oms.storage.inventory import stock_of

_SECONDS = 8.0
"""After that an answer is given with what was found, for the caller to ask on."""


def changed_since(cursor: str, limit: int) -> dict[str, Any]:
    """Up to `limit` (SKU, location) that changed since the cursor, each once with its figures now; without a cursor in the last 24 hours.

    `next_cursor` is always given; `more` tells whether to go on at once. Invalid for what is no cursor, 410 for one that is too old.
    """
    known = shards()
    at = changes.positions(cursor, known) if cursor else changes.begin(known)
    end = time.monotonic() + _SECONDS
    found: dict[tuple[str, str], None] = {}
    left, more = list(at), False
    while left and not more:
        shard = left.pop()
        for records, ended in pages(shard, at[shard]):
            for number, place in records:
                if place and place not in found and len(found) == limit:
                    more = True
                    break
                at[shard] = number
                if place:
                    found[place] = None
            more = more or time.monotonic() > end
            if ended and not more:
                before = set(at)
                at = changes.after_end(at, shard, known)
                left += sorted(set(at) - before)
            if more:
                break
    rows = {(row.sku, row.location_id): row for each in stock_of({sku for sku, _ in found}, certain=False).values() for row in each}
    data = [view(rows.get(place) or Stock(sku=place[0], location_id=place[1])) for place in found]
    return {"data": data, "next_cursor": changes.cursor(at), "more": more}
