"""What the orders of an account owe or will owe on terms, kept beside them: no order needs to read the others.

pk             sk             what
account_<id>   exposure#EUR   `exposure`, changed in the transaction of each order whose part changes
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oms.orders.order import Order
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Write, get, query

_BEGIN = "exposure#"


def exposed(account_id: str, currency: str) -> int:
    """What an account's orders in a currency owe or will owe."""
    row = get(environment().orders_table, _pk(account_id), _BEGIN + currency)
    return int(row["exposure"]) if row else 0


def exposures(account_id: str) -> dict[str, int]:
    """The same per currency."""
    rows = query(environment().orders_table, "pk = :pk AND begins_with(sk, :begin)", {":pk": _pk(account_id), ":begin": _BEGIN})
    return {row["sk"].removeprefix(_BEGIN): int(row["exposure"]) for row in rows}


def exposure_change(orders: Sequence[Order]) -> list[Write]:
    """What this commit of one or several orders takes of their account's credit (under the limit, if one of them knows it) or gives back,
    noted on the orders' summaries.

    Orders without an account or without terms cost nothing.
    """
    mine = [order for order in orders if order.placed.account_id and any(each.method == "terms" for each in order.payments.values())]
    if not mine:
        return []
    from oms.payments.accounts import exposure  # noqa: PLC0415 few orders are on terms, and every function would pay for it

    more, limit, first = 0, None, mine[0]
    for order in mine:
        now = exposure(order)
        more, order.summary.exposed = more + now - order.summary.exposed, now
        limit = order.credit_limit if limit is None else limit
    if not more:
        return []
    condition, values = "", {":n": more}
    if more > 0 and limit is not None:
        condition, values[":most"] = "attribute_not_exists(exposure) OR exposure <= :most", limit - more
    key: dict[str, Any] = {"pk": _pk(first.placed.account_id or ""), "sk": _BEGIN + first.placed.currency}
    return [Write(environment().orders_table, encode(key), condition, encode(values), "ADD exposure :n")]


def _pk(account_id: str) -> str:
    return f"account_{account_id}"
