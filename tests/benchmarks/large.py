"""A large order from the order to its first parcels, in memory: `python -m tests.benchmarks.large [lines]`.

Seconds are mostly moto's; calls, writes in a transaction and sizes are ours and the same on AWS.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TypeVar

import moto  # noqa: F401 it must be there before the product's clients are made
import pytest

from oms.fulfillment.records import FulfillmentOrder
from oms.storage.codec import item_bytes
from oms.storage.orders import load
from tests.support.large import a_large_order, check_books, put_on_shelves, skus_of, until_over
from tests.support.world import World, a_world

LINES, PARCELS = 10_000, 3
T = TypeVar("T")


def main() -> int:
    """Measure and print; fails if the books do not balance."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"
    with pytest.MonkeyPatch.context() as monkeypatch, a_world(monkeypatch) as world:
        measure(world, lines)
    return 0


def measure(world: World, lines: int) -> None:
    """Half of the lines are in Berlin, the rest in Lyon, some in both."""
    skus, body = skus_of(lines), a_large_order(lines)
    put_on_shelves(skus[: lines * 6 // 10], "berlin")
    put_on_shelves(skus[lines // 2 :], "lyon")
    print(f"{lines:,} lines", flush=True)
    answer = timed(world, "placed", lambda: world.call("POST", "/v1/orders", body))
    assert answer.status == 202, answer
    order_id = str(answer.body["id"])
    assert timed(world, "captured", lambda: until_over(world, "capture", "Capture", order_id)) == "allocate"
    assert timed(world, "allocated", lambda: until_over(world, "allocate", "Allocate", order_id)) == "allocated"
    order = timed(world, "loaded", lambda: load(order_id))
    timed(world, "shown", lambda: world.order(order_id))
    for fo in list(order.fulfillment_orders.values())[:PARCELS]:
        timed(world, f"shipped {len(fo.lines)} lines", partial(ship_and_capture, world, order_id, fo))
    check_books(world, order_id)
    sizes = sorted(((item_bytes(item), item["sk"]["S"]) for items in world.items().values() for item in items), reverse=True)
    print(f"{len(order.fulfillment_orders)} fulfillment orders; largest item {sizes[0][0]:,} bytes ({sizes[0][1]}); the books balance")


def ship_and_capture(world: World, order_id: str, fo: FulfillmentOrder) -> None:
    """One parcel with all of it, invoiced and paid."""
    world.ship(fo.id, {line_id: row.quantity for line_id, row in fo.lines.items()}, f"T-{fo.id}")
    world.step("capture_payment", "Capture payment", order_id, fulfillment_order_id=fo.id)


def timed(world: World, what: str, act: Callable[[], T]) -> T:
    """Do it; print seconds, AWS calls and the largest transaction."""
    before, start = len(world.wire.made), perf_counter()
    result = act()
    calls = world.wire.made[before:]
    most = max((len(call.given.get("TransactItems", ())) for call in calls), default=0)
    print(f"{what:<20}{perf_counter() - start:>8.1f} s{len(calls):>7} calls, {most:>3} writes at once", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
