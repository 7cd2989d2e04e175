"""Large orders: a body with as many lines as wanted, shelves for them, and the books that must balance whatever happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from oms.orders.order import Order
from oms.storage.clients import client
from oms.storage.codec import decode, encode
from oms.storage.effects import row_key
from oms.storage.environment import environment
from oms.storage.orders import load
from tests.support.orders import a_line, an_order
from tests.support.world import FIRST_COUNT, JSON, World

BATCH = 25


def skus_of(count: int) -> list[str]:
    """Names of so many SKUs."""
    return [f"S{number:05d}" for number in range(count)]


def a_large_order(lines: int, *, skus: int | None = None, quantity: int = 2, **more: Any) -> JSON:
    """An order with so many lines, each of a SKU of its own unless `skus` says of how many."""
    names = skus_of(skus or lines)
    return an_order(*(a_line(str(n + 1), names[n % len(names)], quantity, 100, "20") for n in range(lines)), charge=600, **more)


def put_on_shelves(skus: Iterable[str], *places: str, units: int = 10) -> None:
    """Rows as counts leave them, written at once: counting thousands of places one by one would be all that a test does."""
    figures = {"on_hand": units, "spare": units, "available": units, "reserved": 0, "queued": 0, "moves": 1, "v": 1}
    items = [{**row_key(sku, at), **figures, "place": at, "effective_at": FIRST_COUNT} for sku in skus for at in places]
    for start in range(0, len(items), BATCH):
        puts = [{"PutRequest": {"Item": encode(item)}} for item in items[start : start + BATCH]]
        client("dynamodb").batch_write_item(RequestItems={environment().inventory_table: puts})


def reserved_in_rows(world: World) -> Counter[tuple[str, str]]:
    """What the stock rows say is reserved, per SKU and place."""
    rows = [decode(item) for item in world.items()[environment().inventory_table] if item["sk"]["S"].startswith("stock#")]
    return +Counter({(row["pk"].split("#")[1], row["sk"].removeprefix("stock#")): row.get("reserved", 0) for row in rows})


def reserved_in_items(world: World) -> Counter[tuple[str, str]]:
    """What the reserved items say, over all owners."""
    found: Counter[tuple[str, str]] = Counter()
    for row in (decode(item) for item in world.items()[environment().inventory_table] if item["pk"]["S"].startswith("reserved#")):
        found.update({(sku, row["pk"].split("#")[1]): units for sku, units in row["units"].items()})
    return found


def held_by(*orders: Order) -> Counter[tuple[str, str]]:
    """What these orders say they hold."""
    found: Counter[tuple[str, str]] = Counter()
    for order in orders:
        found.update({(sku, place): units for place, at in order.held().items() for sku, units in at.items()})
    return found


def check_books(world: World, *order_ids: str) -> None:
    """Law 1: the rows, the reserved items and the orders say the same."""
    rows = reserved_in_rows(world)
    assert reserved_in_items(world) == rows
    assert held_by(*(load(order_id) for order_id in order_ids)) == rows


def until_over(world: World, function: str, step: str, order_id: str) -> str:
    """Run a step until it routes to another state; the key of that one."""
    for _ in range(100):
        next_ = str(world.step(function, step, order_id)["next"])
        if next_ != step.lower():
            return next_
    raise AssertionError(f"{step} is never over")


def pages(world: World, path: str) -> list[JSON]:
    """All rows of a list that comes in pages."""
    rows, cursor = list[JSON](), None
    while True:
        page = world.done("GET", path, query={"cursor": cursor} if cursor else None)
        rows += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows
