"""A large order before anybody can see it: its lines are written first, then all the rest in one transaction.

pk       sk         what
ord_...  unplaced   its lines are being written; in the list unplaced, by time. The order's own transaction removes it

Whoever dies in between leaves lines without an order, which nothing reads. `reconcile` finds them by that list and removes them; what is
marked `given_up` can become an order no more, so it never removes the lines of one.
"""

from __future__ import annotations

from collections.abc import Iterator

from oms.orders.order import Order
from oms.storage.chunks import chunk_sk, cut, kept, packed
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.lists import listed
from oms.storage.table import Cancelled, Write, query, write

_SK, _LIST = "unplaced", "unplaced"
_PAGE = 100


def write_lines(order: Order) -> Write:
    """Write the lines of a new order apart. Returns what its own transaction must contain: it fails if they were given up meanwhile."""
    table, parts = environment().orders_table, packed(order.placed.lines)
    key = {"pk": order.id, "sk": _SK}
    write([Write(table, encode({**key, "list": _LIST, "at": f"{order.now}#{order.id}"}))])
    for number, part in enumerate(parts):
        write([Write(table, encode({"pk": order.id, "sk": chunk_sk(number), "packed": part}))])
    order.placed.chunks = len(parts)
    cut(order)
    order.loaded |= {f"state#lines#{number}": kept(chunk) for number, chunk in order.chunks.items()}
    return Write(table, encode(key), "attribute_exists(pk) AND attribute_not_exists(given_up)", delete=True)


def give_up(order_id: str) -> bool:
    """Remove the lines of an order that was not placed. False if it was, or if they are gone already."""
    table, key = environment().orders_table, encode({"pk": order_id, "sk": _SK})
    try:
        write([Write(table, key, "attribute_exists(pk)", encode({":yes": True}), "SET given_up = :yes")])
    except Cancelled:
        return False
    values = {":pk": order_id, ":lines": "doc#lines#"}
    for row in query(table, "pk = :pk AND begins_with(sk, :lines)", values, ProjectionExpression="pk, sk"):
        write([Write(table, encode(row), delete=True)])
    write([Write(table, key, delete=True)])
    return True


def left_behind(until: str) -> Iterator[str]:
    """Orders whose lines were begun before that time and that are not placed yet."""
    after = ""
    while page := listed(_LIST, newest_first=False, limit=_PAGE, after=after, until=until):
        after = page[-1]["at"]
        yield from (row["pk"] for row in page)
