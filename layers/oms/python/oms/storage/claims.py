"""Unique names, each held by one record: order numbers, tracking numbers, idempotency keys. One item a name, found by the name alone.

pk                  sk             what
tracking#T1, key#.. claim          who holds the name
number#W-1001       claim#web      an order number, which is unique in its channel: customers know their number, not the channel

Apart from the orders, because every edge looks for its key and not every edge knows orders.
"""

from __future__ import annotations

from typing import Any

from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Lost, Write, get, query, write

_NUMBERS = "number"
_MOST_CHANNELS = 10


def claim_of(name: str, *, consistent: bool = True) -> dict[str, Any] | None:
    """Who holds a unique name: its record, or None. Without `consistent` it may be old by a moment, at half the price: for whoever then
    writes under a condition on what was found."""
    return get(environment().orders_table, **_key(name), consistent=consistent)


def numbered(order_number: str) -> list[str]:
    """Ids of the orders with this number, at most one of each channel and ten in all."""
    values = {":pk": f"{_NUMBERS}#{order_number}", ":claims": "claim#"}
    rows = query(environment().orders_table, "pk = :pk AND begins_with(sk, :claims)", values, Limit=_MOST_CHANNELS)
    return [row["order_id"] for row in rows]


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
    item = encode({**_key(key), "v": seen + 1, **data})
    if release:
        return Write(table, item, "order_id = :mine", encode({":mine": data["order_id"]}), delete=True)
    if seen:
        return Write(table, item, "v = :v", encode({":v": seen}))
    return Write(table, item, "attribute_not_exists(pk)")


def _key(name: str) -> dict[str, Any]:
    """Where the claim of a name lies."""
    kind, _, rest = name.partition("#")
    channel, _, number = rest.partition("#")
    return {"pk": f"{kind}#{number}", "sk": f"claim#{channel}"} if kind == _NUMBERS else {"pk": name, "sk": "claim"}
