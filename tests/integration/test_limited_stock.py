"""The real invoices against less stock than they ask for, at several locations, with shipments, deliveries and rejections between:
nothing is sold twice, every refusal says why, and the conservation check is clean at the end. In memory, under storage's conditions."""

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
from oms.fulfillment.requests import RejectRequest
from oms.inventory.conservation import Queue, Shelf, Word, of_queue, of_shelf
from oms.inventory.counts import Movement
from oms.orders.order import Order
from oms.storage.conservation import word_of_order
from tests.unit.memory import World

FILE: Path = ROOT.parent / "shared" / "data" / "online_retail.csv"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the file is not part of the project")
PLACES = ("berlin", "leeds", "lyon", "turin")
WEIGHTS = (4, 3, 2, 1)
SHARE = 80  # percent of the demand that is in stock at first


class Shop(World):
    """The world in memory, with the books that storage keeps beside the rows: reserved items, movements, queue entries."""

    def __init__(self, on_hand: dict[str, dict[str, int]]) -> None:
        super().__init__(on_hand)
        self.words: dict[str, Word] = {}
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
        return facts

    def arrives(self, sku: str, place: str, units: int) -> None:
        self.arrive(sku, place, units)
        self.note_move(sku, place, units, "delivery")

    def _write_down(self, order: Order) -> None:
        """As a commit does: what the order says now, and nothing of what it said before."""
        before, word = self.words.get(order.id, Word()), word_of_order(order)
        for place in {*before.held, *word.held}:
            for sku in {*before.held.get(place, {}), *word.held.get(place, {})}:
                owners = self.items.setdefault((sku, place), {})
                owners.pop(order.id, None)
                if units := word.held.get(place, {}).get(sku, 0):
                    owners[order.id] = units
        for sku in {*before.waiting, *word.waiting}:
            entries = self.entries.setdefault(sku, {})
            for at in before.waiting.get(sku, {}):
                del entries[at]
            entries.update(word.waiting.get(sku, {}))
        self.words[order.id] = word


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
    cuts = [sum(WEIGHTS[:n]) for n in range(len(WEIGHTS) + 1)]
    stock: dict[str, dict[str, int]] = {}
    for sku, units in wanted.items():
        there = units * SHARE // 100
        stock[sku] = {place: there * cuts[n + 1] // 10 - there * cuts[n] // 10 for n, place in enumerate(PLACES)}
    return stock


def available(shop: Shop, sku: str) -> int:
    """What a sale may take of a SKU over all places."""
    return sum(row.available_to_fulfill for row in shop.rows[sku])


def check_refusal(shop: Shop, body: dict[str, Any], error: Conflict) -> None:
    """It names lines, each of a SKU of which there is really less than the order asks for, and how much is missing."""
    assert error.kind == "out-of-stock"
    assert error.errors
    wanted: Counter[str] = Counter()
    for line in body["lines"]:
        wanted[line["sku"]] += line["quantity"]
    for fault in error.errors:
        line = body["lines"][int(fault.pointer.split("/")[2])]
        assert fault.pointer == f"/lines/{body['lines'].index(line)}/quantity"
        assert line["backorder"] == "refuse"
        assert wanted[line["sku"]] > available(shop, line["sku"])
        assert f"of {line['quantity']} {line['sku']} are not in stock" in fault.detail


def test_the_real_invoices_against_limited_stock(sales: list[Sale]) -> None:
    stock = stocked(sales)
    shop, open_orders = Shop(stock), list[Order]()
    became: Counter[str] = Counter()
    arrived: Counter[str] = Counter()
    for number, sale in enumerate(sales):
        policy = "allow" if number % 3 == 0 else "refuse"
        body: dict[str, Any] = {**sale.body, "lines": [{**line, "backorder": policy} for line in sale.body["lines"]]}
        before = {sku: [row.model_dump() for row in shop.rows[sku]] for sku in sale.demand}
        try:
            order = shop.place(body)
        except Conflict as error:
            check_refusal(shop, body, error)
            assert before == {sku: [row.model_dump() for row in shop.rows[sku]] for sku in sale.demand}
            became["refused"] += 1
            continue
        became["waiting" if order.queued() else "sold"] += 1
        open_orders.append(order)
        become = shop.allocate(order)
        assert become in ("allocated", "wait_for_stock")
        for n, fo in enumerate(list(order.fulfillment_orders.values())):
            if (number + n) % 5 == 4:
                work.reject(order, fo, RejectRequest(reason="shelf is empty"))
                shop.commit(order)
                became["rejected"] += 1
            elif (number + n) % 5 < 3:
                shop.ship(order, fo, {line_id: line.open for line_id, line in fo.lines.items()})
                became["shipped"] += 1
        if number % 100 == 99:
            deliver(shop, open_orders, arrived)
    assert all(became[what] > 150 for what in ("sold", "waiting", "refused", "shipped", "rejected")), became
    assert sum(became[name] for name in ("sold", "waiting", "refused")) == len(sales)
    check_books(shop, stock, arrived)


def deliver(shop: Shop, orders: list[Order], arrived: Counter[str]) -> None:
    """Goods arrive for every other SKU that somebody waits for; who waits gets them, in the order in which they came."""
    for sku in sorted(sku for sku, entries in shop.entries.items() if entries)[::2]:
        shop.arrives(sku, PLACES[len(sku) % len(PLACES)], 7)
        arrived[sku] += 7
    for order in orders:
        if order.queued():
            shop.grant(order)
            shop.allocate(order)


def check_books(shop: Shop, stock: dict[str, dict[str, int]], arrived: Counter[str]) -> None:
    """Nothing was sold twice, counted from the orders alone; and the check finds nothing in the books."""
    promised: Counter[str] = Counter()
    for word in shop.words.values():
        for figures in (word.held, word.shipped):
            for units in figures.values():
                promised.update(units)
    assert not {sku for sku, units in promised.items() if units > sum(stock[sku].values()) + arrived[sku]}
    for sku, rows in shop.rows.items():
        for row in rows:
            at = (sku, row.location_id)
            items = shop.items.get(at, {})
            words = {owner: shop.words[owner] for owner in items}
            assert of_shelf(Shelf(*at, {0: row}, items, shop.moves[at], words)) == []
        debts = {(row.location_id, 0): (row.queued, 0) for row in rows}
        assert of_queue(Queue(sku, debts, shop.entries.get(sku, {}), shop.words)) == []
