"""Self-service: what customers and guests may ask for themselves, and who is asking.

Agents, customers and guests come to the same commands. What differs is decided here: a customer reaches the orders of one customer id,
a guest the order of one signed link, and neither may name what a rule of the merchant decides (design section 9). The fields that they
may name are listed, all others are closed: a field that a command gets later is closed to them until somebody opens it here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from oms.errors import Fault, Forbidden, NotFound
from oms.orders.order import Order
from oms.wire import pointer

_ALWAYS = {"preview", "quote_id"}
_UNITS = {"line_id", "quantity", "reason"}
MAY_NAME: dict[str, dict[str, set[str]]] = {
    "cancellation": {"": _ALWAYS | {"lines", "all", "reason"}, "lines": _UNITS},
    "return": {"": _ALWAYS | {"lines", "mode"}, "lines": _UNITS | {"resolution"}},
    "exchange": {
        "": _ALWAYS | {"return_lines", "new_lines", "payments"},
        "return_lines": _UNITS,
        "new_lines": {"sku", "quantity"},
        "payments": {"method", "gateway", "token", "account_id", "amount"},
    },
}
"""By the kind of request: the fields of its body, then those of each list of lines in it."""


@dataclass(frozen=True)
class Caller:
    """Who asks. `id`: the client of an agent's token; the subject of a customer's token, which is the customer id of their orders;
    the order id of a guest's link."""

    kind: Literal["agent", "customer", "guest"]
    id: str

    @property
    def self_service(self) -> bool:
        """Whether the merchant's rules bind the caller: everybody but an agent."""
        return self.kind != "agent"

    @property
    def actor(self) -> str:
        """The caller as the timeline names it."""
        return {"agent": f"client:{self.id}", "customer": f"customer:{self.id}", "guest": "guest"}[self.kind]

    def owns(self, order: Order) -> bool:
        """Whether the order is within the caller's reach."""
        return {"agent": True, "customer": bool(self.id) and order.placed.customer_id == self.id, "guest": order.id == self.id}[self.kind]

    def must_own(self, order: Order) -> None:
        """NotFound, in the words for an order that there is not: nobody learns that somebody else's order exists."""
        if not self.owns(order):
            raise NotFound(f"there is no order '{order.id}'")


def refuse_named(body: dict[str, Any], kind: str, offered: Collection[str] = ("refund",)) -> None:
    """Forbidden, with a pointer for each field that self-service may not name in a request of this kind: cancellation, return, exchange.

    `offered`: the resolutions that the rules offer. What is wrong with the fields that may be named is found when the body is read.
    """
    faults = [Fault("the rules decide this, not the customer; leave it out", pointer(path)) for path in _closed(body, MAY_NAME[kind])]
    if body.get("mode", "rma") != "rma":
        faults.append(Fault("a return is settled when the goods have arrived; only 'rma' is possible", "/mode"))
    faults += [
        Fault(f"offered: {', '.join(offered)}", f"/lines/{index}/resolution")
        for index, row in _rows(body, "lines")
        if row.get("resolution", next(iter(offered), None)) not in offered
    ]
    faults += [
        Fault("customers pay by card, gift card or store credit", f"/payments/{index}/method")
        for index, row in _rows(body, "payments")
        if row.get("method", "card") not in ("card", "gift_card", "store_credit") or row.get("gateway") == "manual"
    ]
    if faults:
        raise Forbidden(f"self-service may not name this in a {kind}", errors=faults)


def _closed(body: dict[str, Any], open_: dict[str, set[str]]) -> Iterator[tuple[str | int, ...]]:
    yield from ((name,) for name in body if name not in open_[""])
    for part, fields in open_.items():
        for index, row in _rows(body, part):
            yield from ((part, index, name) for name in row if name not in fields)


def _rows(body: dict[str, Any], part: str) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = body.get(part)
    yield from ((index, row) for index, row in enumerate(rows if isinstance(rows, list) else ()) if isinstance(row, dict))
