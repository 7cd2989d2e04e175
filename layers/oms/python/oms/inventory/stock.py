"""Stock of one SKU at one location.

    spare     = on_hand - reserved - safety_stock      what is neither promised nor kept back
    available = spare - queued                         what a sale may take: the waiting queue comes first

Both are kept with the figures, so that a sale is one condition. A backordered unit is a debt (`queued`) on one row: `available` may be
negative, and what arrives there belongs to the queue before a new sale can have it.
"""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from typing import Any

from oms.errors import Stale, expect_version
from oms.stored import Stored


class Stock(Stored):
    """Figures of one SKU at one location, in whole units. `available` may be negative: after a low count, or while orders wait.

    `parts`: what is available in each row of a hot item (one entry for every other); a sale read only some of them if `sampled`.
    `shards`: rows that new sales share; `width`: rows that there are, more for a while when a hot item gets fewer.
    `moves` counts the changes of on_hand: a count is written only if nothing moved since it was worked out.
    `blocked`: why nothing is sold from here until the next count; the figures stay what they are.
    """

    sku: str
    location_id: str
    on_hand: int = 0
    reserved: int = 0
    safety_stock: int = 0
    queued: int = 0
    spare: int = 0
    available: int = 0
    futures: list[dict[str, Any]] = []
    target: int | None = None
    effective_at: str = ""
    shards: int = 1
    width: int = 1
    moves: int = 0
    blocked: str = ""
    blocked_at: str = ""
    v: int = 0
    parts: dict[int, int] = {}
    sampled: bool = False

    def expect(self, if_match: str | None) -> None:
        """Stale unless If-Match is absent, or names the present version; "*" is any that was counted."""
        what = f"{self.sku} at {self.location_id}"
        if if_match and not self.v:
            raise Stale(f"{what} was never counted (If-Match was {if_match})")
        expect_version(what, self.v, if_match)

    @property
    def available_to_fulfill(self) -> int:
        """What a sale may take now."""
        return 0 if self.blocked else max(0, self.available)

    @property
    def available_to_order(self) -> int:
        """That and what is expected to arrive, less what is promised of it to those who wait."""
        return max(
            0, (min(0, self.available) if self.blocked else self.available) + sum(int(arrival["quantity"]) for arrival in self.futures)
        )

    @property
    def overstock(self) -> int:
        """Units above the target level; 0 where no level is set."""
        return max(0, self.available - self.target) if self.target is not None and not self.blocked else 0


def view(stock: Stock) -> dict[str, Any]:
    """A stock row as the API shows it."""
    return {
        "sku": stock.sku,
        "location_id": stock.location_id,
        "on_hand": stock.on_hand,
        "reserved": stock.reserved,
        "safety_stock": stock.safety_stock,
        "available_to_fulfill": stock.available_to_fulfill,
        "available_to_order": stock.available_to_order,
        "queued": stock.queued,
        "futures": stock.futures,
        "target": stock.target,
        "shards": stock.shards,
        "effective_at": stock.effective_at or None,
        "blocked": bool(stock.blocked),
    }


def group_view(sku: str, group_id: str, rows: list[Stock]) -> dict[str, Any]:
    """A group's figures: sums over its locations made when read."""
    return {
        "sku": sku,
        "group_id": group_id,
        "on_hand": sum(row.on_hand for row in rows),
        "reserved": sum(row.reserved for row in rows),
        "safety_stock": sum(row.safety_stock for row in rows),
        "available_to_fulfill": sum(row.available_to_fulfill for row in rows),
        "available_to_order": sum(row.available_to_order for row in rows),
        "queued": sum(row.queued for row in rows),
        "futures": sorted((arrival for row in rows for arrival in row.futures), key=lambda arrival: arrival["expected_at"]),
    }
