"""What the orders of an account owe or will owe on terms, kept beside them: no order needs to read the others.

pk             sk             what
account_<id>   exposure#EUR   `exposure`, changed in the transaction of each order whose part changes
"""

from __future__ import annotations

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


def exposure_change(order: Order) -> list[Write]:
    """What this commit takes of its account's credit (under the limit, if the order knows one) or gives back, noted on the order's summary.

    Orders without an account or without terms cost nothing.
    """
    if order.placed.account_id is None or not any(payment.method == "terms" for payment in order.payments.values()):
        return []
    from oms.payments.accounts import exposure  # noqa: PLC0415 few orders are on terms, and every function would pay for it

    now = exposure(order)
    more = now - order.summary.exposed
    order.summary.exposed = now
    if not more:
        return []
    condition, values = "", {":n": more}
    if more > 0 and order.credit_limit is not None:
        condition, values[":most"] = "attribute_not_exists(exposure) OR exposure <= :most", order.credit_limit - more
    key: dict[str, Any] = {"pk": _pk(order.placed.account_id), "sk": _BEGIN + order.placed.currency}
    return [Write(environment().orders_table, encode(key), condition, encode(values), "ADD exposure :n")]


def _pk(account_id: str) -> str:
    return f"account_{account_id}"
