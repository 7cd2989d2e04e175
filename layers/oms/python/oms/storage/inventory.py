"""Stock items: pk sku#<sku>, sk stock#<location>. Orders change them inside their own transactions; here are reads and counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oms.inventory.stock import Stock
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Lost, Write, get, query, write


def stock_of(skus: Iterable[str]) -> dict[str, list[Stock]]:
    """Every location's stock of each SKU, strongly consistent: one query per SKU."""
    return {sku: [_stock(row) for row in _rows(sku)] for sku in sorted(set(skus))}


def stock_at(sku: str, location_id: str) -> Stock | None:
    """One SKU at one location, or None if it was never counted there."""
    row = get(environment().inventory_table, f"sku#{sku}", f"stock#{location_id}")
    return _stock(row) if row else None


def put_count(stock: Stock | None, sku: str, location_id: str, figures: dict[str, Any], key: dict[str, Any] | None = None) -> Stock:
    """Replace the counted figures (on_hand, safety_stock, futures, effective_at); reservations stay. Lost if it changed since it was read.

    `key` is an idempotency record that must not exist yet; it is written in the same transaction.
    """
    before = stock or Stock(sku=sku, location_id=location_id)
    after = before.model_copy(update=figures)
    after.available = after.on_hand - after.reserved - after.safety_stock
    after.v = before.v + 1
    item = encode({"pk": f"sku#{sku}", "sk": f"stock#{location_id}", **after.model_dump(exclude={"sku", "location_id"})})
    condition, values = ("v = :v", encode({":v": before.v})) if before.v else ("attribute_not_exists(pk)", {})
    writes = [Write(environment().inventory_table, item, condition, values)]
    if key:
        writes.append(Write(environment().orders_table, encode(key), "attribute_not_exists(pk)"))
    try:
        write(writes)
    except Cancelled as error:
        raise Lost(f"stock of {sku} at {location_id} changed meanwhile") from error
    return after


def _rows(sku: str) -> Iterable[dict[str, Any]]:
    return query(environment().inventory_table, "pk = :pk AND begins_with(sk, :prefix)", {":pk": f"sku#{sku}", ":prefix": "stock#"})


def _stock(row: dict[str, Any]) -> Stock:
    return Stock(sku=row["pk"].removeprefix("sku#"), location_id=row["sk"].removeprefix("stock#"), **_known(row))


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in Stock.model_fields if name in row}
