"""From an invoice to an order as the API takes it. Nothing is read or sent here.

What a row is, by its code and sign:

    goods        a line                        POST, DOT, C2        the delivery group's charge
    D, discount  an order adjustment           M, BANK CHARGES      a fee if positive, an order adjustment if negative
    a negative amount between goods sold       an order adjustment: what the customer paid less
    commissions, samples, bad debt, a count of nothing   left out, counted by reason

The order's total is the sum of the rows that were mapped, to the penny.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from infra.local.replay.countries import code_of
from infra.local.replay.rows import Row
from oms.clock import stamp
from oms.money.currencies import EXPONENTS
from oms.orders.placing import MOST_LINES

CHANNEL = "replay"
_POSTAGE = {"POST", "DOT", "C2", "CARRIAGE"}
_DISCOUNT = {"D"}
_EXTRA = {"M": "manual", "BANK CHARGES": "bank charges"}
_NOT_THE_CUSTOMERS = {
    "AMAZONFEE": "a marketplace's fee, which the customer does not pay",
    "CRUK": "a commission, which the customer does not pay",
    "B": "an adjustment of bad debt",
    "S": "samples",
}
_NOT_STATED = "(not in the file)"


@dataclass(frozen=True)
class Left:
    """Something that became no (part of an) order, and why."""

    reason: str
    rows: int


@dataclass(frozen=True)
class Sale:
    """One order, ready to be placed: its body, what it is worth in minor units, and the rows that are not in it."""

    invoice: str
    body: dict[str, Any]
    total: int
    left_rows: list[Left] = field(default_factory=list)

    @property
    def demand(self) -> Counter[str]:
        """Units per SKU."""
        wanted: Counter[str] = Counter()
        for line in self.body["lines"]:
            wanted[line["sku"]] += line["quantity"]
        return wanted


def invoices(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by invoice, both in the order of the file."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.invoice, []).append(row)
    return found


def sale_of(rows: Sequence[Row], *, prefix: str = "", merge: bool = True) -> Sale | Left:
    """The order of one invoice's rows, or why there is none. `merge`: rows of one SKU at one price become one line."""
    reason = _not_a_sale(rows)
    if reason:
        return Left(reason, len(rows))
    draft = _Draft(EXPONENTS[rows[0].currency])
    for row in rows:
        draft.add(row)
    reason = draft.refused(merge)
    if reason:
        return Left(reason, len(rows))
    return Sale(rows[0].invoice, _body(rows, draft, prefix, merge), draft.total, draft.left)


def goods_of(rows: Sequence[Row]) -> Counter[str]:
    """Units per SKU of one invoice's goods, however many there are; empty if it is no sale."""
    units: Counter[str] = Counter()
    for row in () if _not_a_sale(rows) else rows:
        if _is_goods(row) and row.quantity > 0:
            units[_sku(row)] += row.quantity
    return units


def _not_a_sale(rows: Sequence[Row]) -> str:
    first = rows[0]
    if first.invoice[:1].upper() == "C":
        return "a credit note; the invoice it credits need not be in the file"
    if first.invoice[:1].upper() == "A":
        return "an adjustment of bad debt"
    if len({row.currency for row in rows}) > 1:
        return "more than one currency"
    if first.currency not in EXPONENTS:
        return f"{first.currency} is no currency"
    goods = [row for row in rows if _is_goods(row)]
    if not goods:
        return "no goods, only charges or fees"
    if all(row.quantity <= 0 for row in goods):
        return "stock written off or counted down (negative quantities)"
    return ""


def _is_goods(row: Row) -> bool:
    code = row.code.upper()
    return not (code in _POSTAGE or code in _DISCOUNT or code in _EXTRA or code in _NOT_THE_CUSTOMERS)


def _sku(row: Row) -> str:
    return re.sub(r"[\s#/]+", "-", row.code)


class _Draft:
    """The parts of one order while its rows are sorted into them; amounts are whole minor units."""

    def __init__(self, exponent: int) -> None:
        self._minor = Decimal(10) ** exponent
        self.goods: list[tuple[Row, int]] = []
        self.postage = 0
        self.adjustments: list[dict[str, Any]] = []
        self.fees: Counter[str] = Counter()
        self.left: list[Left] = []

    def add(self, row: Row) -> None:
        """Sort one row in."""
        code, amount = row.code.upper(), row.amount * self._minor
        if code in _NOT_THE_CUSTOMERS:
            self._leave(_NOT_THE_CUSTOMERS[code])
        elif (row.price * self._minor) % 1:
            self._leave("the price is not in whole minor units")
        elif code in _POSTAGE:
            self.postage += int(amount)
        elif code in _DISCOUNT or amount < 0:
            self.adjustments.append({"amount": int(amount), "code": row.code, "description": row.description})
        elif row.quantity <= 0:
            self._leave("stock counted down (a negative quantity without a price)")
        elif code not in _EXTRA:
            self.goods.append((row, int(row.price * self._minor)))
        elif amount:
            self.fees[code.replace(" ", "-")] += int(amount)
        else:
            self._leave("a charge of nothing")

    def refused(self, merge: bool) -> str:
        """Why the parts make no order; empty if they do."""
        if not self.goods:
            return "no goods whose price is in whole minor units"
        if self.postage < 0:
            return "postage is given back, not charged"
        if sum(row.quantity * price for row, price in self.goods) + self._adjusted < 0:
            return "discounts of more than the goods are worth"
        if len(_lines(self.goods, merge)) > MOST_LINES:
            return f"more than {MOST_LINES} lines, which the API does not take in one order"
        return ""

    @property
    def _adjusted(self) -> int:
        return sum(int(adjustment["amount"]) for adjustment in self.adjustments)

    @property
    def total(self) -> int:
        """The sum of everything that was sorted in."""
        return sum(row.quantity * price for row, price in self.goods) + self._adjusted + self.postage + sum(self.fees.values())

    def _leave(self, reason: str) -> None:
        self.left.append(Left(reason, 1))


def _body(rows: Sequence[Row], draft: _Draft, prefix: str, merge: bool) -> dict[str, Any]:
    first = min(rows, key=lambda row: row.at)
    customer = first.customer or f"guest-{first.invoice}"
    body: dict[str, Any] = {
        "channel": CHANNEL,
        "order_number": prefix + first.invoice,
        "currency": first.currency,
        "tax_mode": "gross",
        "placed_at": stamp(first.at),
        "customer": {"id": customer},
        "delivery_groups": [
            {
                "id": "g1",
                "recipient": {"name": customer},
                "address": {"line1": _NOT_STATED, "city": _NOT_STATED, "postal_code": _NOT_STATED, "country": code_of(first.country)},
                "method": "standard",
            }
        ],
        "lines": _lines(draft.goods, merge),
        "adjustments": draft.adjustments,
        "fees": [{"code": code, "amount": amount} for code, amount in draft.fees.items()],
        "payments": [{"method": "card", "gateway": "sandbox", "token": "tok_approve", "amount": draft.total}] if draft.total else [],
    }
    if draft.postage:
        body["delivery_groups"][0]["charge"] = {"amount": draft.postage}
    return body


def _lines(goods: Sequence[tuple[Row, int]], merge: bool) -> list[dict[str, Any]]:
    """One line per row; with `merge` one per SKU and price, at the place of the first."""
    lines: dict[object, dict[str, Any]] = {}
    for number, (row, price) in enumerate(goods):
        line = lines.setdefault(
            (row.code, price) if merge else number,
            {
                "id": str(len(lines) + 1),
                "sku": _sku(row),
                "name": row.description,
                "quantity": 0,
                "unit_price": price,
                "delivery_group": "g1",
            },
        )
        line["quantity"] += row.quantity
    return list(lines.values())
