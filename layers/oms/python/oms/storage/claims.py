"""Unique names, each held by one record: order numbers, tracking numbers, idempotency keys. One item a name, found by the name alone.

Apart from the orders, because every edge looks for its key and not every edge knows orders.
"""

from __future__ import annotations

from typing import Any

from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.lists import listed
from oms.storage.table import Cancelled, Lost, Write, get, write

NUMBERS = "number#"
"""What the names of order numbers begin with."""


def claim_of(name: str) -> dict[str, Any] | None:
    """Who holds a unique name: its record, or None."""
    return get(environment().orders_table, name, "claim")


def numbered(order_number: str) -> list[str]:
    """Ids of the orders with this number, at most one of each channel and ten in all; those just placed a moment later."""
    return [row["at"] for row in listed(f"{NUMBERS}{order_number}", limit=10)]


def keep_answer(record: dict[str, Any] | None) -> None:
    """Keep what an Idempotency-Key was answered, where that is not part of the effect's transaction; an answer that came first stays."""
    if record:
        try:
            write([Write(environment().orders_table, encode(record), "attribute_not_exists(pk)")])
        except Cancelled:
            return


def keep_for_later(name: str, known: dict[str, Any] | None, data: dict[str, Any], ttl: int) -> None:
    """Put (or extend) a claim that no record holds yet. Lost if it changed since it was read."""
    seen = int(known["v"]) if known else 0
    try:
        write([claim_write(environment().orders_table, name, {**data, "ttl": ttl}, seen, release=False)])
    except Cancelled as error:
        raise Lost(f"{name} changed meanwhile") from error


def claim_write(table: str, key: str, data: dict[str, Any], seen: int, release: bool) -> Write:
    """The write that takes a name, changes what is kept under it since version `seen`, or lets it go."""
    item = encode({"pk": key, "sk": "claim", "v": seen + 1, **data, **_number_index(key, data)})
    if release:
        return Write(table, item, "order_id = :mine", encode({":mine": data["order_id"]}), delete=True)
    if seen:
        return Write(table, item, "v = :v", encode({":v": seen}))
    return Write(table, item, "attribute_not_exists(pk)")


def _number_index(key: str, data: dict[str, Any]) -> dict[str, str]:
    """The list that an order number stands in: customers know their number, not the channel."""
    kind, _, rest = key.partition("#")
    return {"list": f"{NUMBERS}{rest.partition('#')[2]}", "at": data["order_id"]} if kind == "number" else {}
