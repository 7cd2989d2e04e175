"""Counters of how often something was asked for, in the orders table: limit#<name> / count, forgotten by its `ttl`."""

from __future__ import annotations

from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Write, write


def count(name: str, most: int, forget_at: int) -> bool:
    """Count one more of `name`, unless there have been `most`: False then, and nothing is written. `forget_at`: seconds since 1970.

    One conditional update: however many ask at the same moment, no more than `most` are counted.
    """
    item = encode({"pk": f"limit#{name}", "sk": "count"})
    values = encode({":one": 1, ":most": most, ":until": forget_at})
    expression, condition = "SET #ttl = :until ADD asked :one", "attribute_not_exists(pk) OR asked < :most"
    try:
        write([Write(environment().orders_table, item, condition, values, expression, {"#ttl": "ttl"})])  # a reserved word
    except Cancelled:
        return False
    return True
