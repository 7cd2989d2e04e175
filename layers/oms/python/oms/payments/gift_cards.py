"""Gift cards that an order sells: each delivered unit of such a line is a card worth its unit price, until the unit is paid back.

A card's account belongs to its unit, so it is opened once and closed once, whatever is run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from oms.money.units import Units, minus, union
from oms.orders.order import Order
from oms.orders.records import PlacedLine
from oms.payments.records import CreditMemo


@dataclass(frozen=True)
class SoldCard:
    """The card of one unit: what it is worth (minor units of the order's currency), and the account it has from its delivery on."""

    account_id: str
    line_id: str
    unit: int
    worth: int
    currency: str


def is_gift_card(line: PlacedLine) -> bool:
    """Whether the units of a line are gift cards."""
    return bool(line.product and line.product.get("gift_card"))


def sells_cards(order: Order) -> bool:
    """Whether any line is gift cards."""
    return any(is_gift_card(line) for line in order.every_line)


def cards_of(order: Order, units: Mapping[str, Units]) -> list[SoldCard]:
    """The cards of these units, per line; other lines have none."""
    return [
        SoldCard(_account_id(order, line.id, unit), line.id, unit, line.unit_price, order.placed.currency)
        for line in order.every_line
        if is_gift_card(line)
        for first, last in units.get(line.id, ())
        for unit in range(first, last + 1)
    ]


def delivered_cards(order: Order) -> list[SoldCard]:
    """The cards of all units that were delivered and not paid back since."""
    there: dict[str, Units] = {}
    for line in order.every_line:
        came = union(*(parcel.brings(line.id) for parcel in order.shipments.values() if parcel.delivered_at))
        memos = [memo for memo in order.credit_memos.values() if _ends_cards(order, memo)]
        gone = [row["units"] for memo in memos for row in memo.lines if row["line_id"] == line.id]
        there[line.id] = minus(came, union(*gone))
    return cards_of(order, there)


def returned_cards(order: Order, memo: CreditMemo) -> list[SoldCard]:
    """The cards that die with a credit memo: those of the units that it pays back; none of which it takes something off the price."""
    return cards_of(order, {row["line_id"]: row["units"] for row in memo.lines}) if _ends_cards(order, memo) else []


def _ends_cards(order: Order, memo: CreditMemo) -> bool:
    """Whether a memo pays units back as a whole that have come: they were returned, or were to be sent again and are not."""
    return bool(memo.return_id) or order.changes[memo.change_id or ""].kind == "reshipment"


def _account_id(order: Order, line_id: str, unit: int) -> str:
    """Its end cannot be guessed by who knows the order's id: it is made of everything the order said when it was placed."""
    end = hashlib.sha256(f"{order.placed.digest}/{order.id}/{line_id}/{unit}".encode()).hexdigest()[:10]
    return f"gc-{order.id.removeprefix('ord_')}-{line_id}-{unit}-{end}"
