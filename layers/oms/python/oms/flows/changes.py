"""The delta feed: which places changed since a cursor, with their figures now."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from oms.inventory import changes
from oms.inventory.stock import Stock, view
from oms.storage.changes import Record, pages, shards
from oms.storage.inventory import stock_of

_SECONDS = 8.0
"""After that an answer is given with what was found, for the caller to ask on."""


@dataclass
class Reading:
    """One answer in the making: positions in the stream, places found so far, whether there is more than it can hold."""

    at: changes.Positions
    limit: int
    found: dict[tuple[str, str], None] = field(default_factory=dict)
    more: bool = False

    def read(self, known: Sequence[changes.Shard]) -> None:
        """Read every shard from its position on, and those that follow one that ends."""
        end = time.monotonic() + _SECONDS
        left = list(self.at)
        while left and not self.more:
            shard = left.pop()
            for records, ended in pages(shard, self.at[shard]):
                self._take(shard, records)
                self.more = self.more or time.monotonic() > end
                if ended and not self.more:
                    before = set(self.at)
                    self.at = changes.after_end(self.at, shard, known)
                    left += sorted(set(self.at) - before)
                if self.more:
                    break

    def _take(self, shard: str, records: Sequence[Record]) -> None:
        for number, place in records:
            if place and place not in self.found and len(self.found) == self.limit:
                self.more = True
                return
            self.at[shard] = number
            if place:
                self.found[place] = None


def changed_since(cursor: str, limit: int) -> dict[str, Any]:
    """Up to `limit` (SKU, location) that changed since the cursor, each once with its figures now; without a cursor in the last 24 hours.

    `next_cursor` is always given; `more` tells whether to go on at once. Invalid for what is no cursor, 410 for one that is too old.
    """
    known = shards()
    reading = Reading(changes.positions(cursor, known) if cursor else changes.begin(known), limit)
    reading.read(known)
    rows = {(row.sku, row.location_id): row for each in stock_of({sku for sku, _ in reading.found}, certain=False).values() for row in each}
    data = [view(rows.get(place) or Stock(sku=place[0], location_id=place[1])) for place in reading.found]
    return {"data": data, "next_cursor": changes.cursor(reading.at), "more": reading.more}
