"""The breakers of gateways: pk `breaker_<gateway>`, sk `state` in the orders table. One that was never written is closed."""

from __future__ import annotations

from collections.abc import Sequence

from oms.payments.breaker import Breaker
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Lost, Write, get, write

_SK = "state"


def read_breaker(gateway: str) -> Breaker:
    """What is stored of a gateway's breaker."""
    row = get(environment().orders_table, _pk(gateway), _SK) or {"gateway": gateway}
    return Breaker.model_validate(row)


def write_breaker(breaker: Breaker, also: Sequence[Write] = ()) -> Breaker:
    """Put it, with what else belongs to the same step. Lost if somebody else changed it since it was read. Returns it as it is stored."""
    after = breaker.model_copy(update={"v": breaker.v + 1})
    item = encode({"pk": _pk(breaker.gateway), "sk": _SK, **after.model_dump(exclude_defaults=True)})
    condition, values = ("v = :v", encode({":v": breaker.v})) if breaker.v else ("attribute_not_exists(pk)", {})
    try:
        write([Write(environment().orders_table, item, condition, values), *also])
    except Cancelled as error:
        raise Lost(f"the breaker of {breaker.gateway} changed meanwhile") from error
    return after


def _pk(gateway: str) -> str:
    return f"breaker_{gateway}"
