"""Marks beside an order's records that no commit of the order writes: the task tokens of what waits, and how far the relay is.

pk            sk                         what
ord_...       state#wait#fo_...          the newest task token of a waiting execution
ord_...       state#relayed              published up to, tokens used, books told up to
"""

from __future__ import annotations

from oms.orders.records import Relayed
from oms.service.records import Wait
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Write, write


def store_wait(order_id: str, wait: Wait) -> bool:
    """Keep a task token unless a newer one is kept already (entered time, then retry count). False if it was too late."""
    item = encode({"pk": order_id, "sk": f"state#wait#{wait.id}", **wait.model_dump(exclude={"id"}), "v": 1})
    condition = "attribute_not_exists(pk) OR entered <= :entered"
    try:
        write([Write(environment().orders_table, item, condition, encode({":entered": wait.entered}))])
    except Cancelled:
        return False
    return True


def advance(order_id: str, relayed: Relayed) -> None:
    """Note what the relay has done for the order; never backwards."""
    key = encode({"pk": order_id, "sk": "state#relayed"})
    values = encode({":published": relayed.published, ":resumed": relayed.resumed, ":books": relayed.books})
    condition = "attribute_not_exists(pk) OR published <= :published"
    change = "SET published = :published, resumed = :resumed, books = :books"
    try:
        write([Write(environment().orders_table, key, condition, values, change)])
    except Cancelled:
        return
