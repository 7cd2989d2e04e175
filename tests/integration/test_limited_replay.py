"""The real invoices against less stock than they ask for, once more: through the flows and the storage, at four locations, with the
product's own check at the end. The gate plays every fifth; `OMS_PROPERTIES=thorough` all 2,093."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from infra.local.replay.mapping import Sale, invoices, sale_of
from infra.local.replay.rows import read
from infra.local.settings import ROOT
from oms import clock
from oms.errors import Conflict
from oms.flows import backorders
from oms.flows import check as flow
from oms.flows.allocate import allocate_step
from oms.flows.capture import capture_step, place
from oms.flows.idempotency import Request
from oms.flows.inventory import counted
from oms.flows.records import load_batch
from oms.flows.reports import reject_work, ship_packages
from oms.fulfillment.requests import RejectRequest, ShipRequest
from oms.inventory.stock import Stock
from oms.inventory.stock_requests import StockBatch
from oms.orders.order import Order
from oms.orders.placing import read_order
from oms.settings import LocationSettings
from oms.storage.inventory import stock_of
from oms.storage.orders import Cause, load, update
from oms.storage.settings import put_setting
from tests.support.shop import a_shop

FILE: Path = ROOT.parent / "shared" / "data" / "online_retail.csv"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FILE.exists(), reason="the file is not part of the project")]
PLACES = ("berlin", "leeds", "lyon", "turin")
CUTS = (0, 4, 7, 9, 10)  # tenths of the stock of a SKU, up to each place
ENOUGH, SHORT = 120, 40  # percent of the demand that is in stock: of every thirtieth SKU too little
EVERY = 1 if os.environ.get("OMS_PROPERTIES") == "thorough" else 5


class Replay:
    """The invoices played one after the other, and what became of them."""

    def __init__(self, sales: list[Sale]) -> None:
        self.sales = sales
        self.became: Counter[str] = Counter()
        self.orders: list[str] = []
        self.stock: Counter[str] = Counter()

    def open_shop(self) -> None:
        """Four locations with what is in stock, unevenly spread."""
        for location in PLACES:
            put_setting("locations", location, LocationSettings(name=location, type="warehouse").model_dump())
        wanted = sum((sale.demand for sale in self.sales), Counter[str]())
        for number, (sku, units) in enumerate(sorted(wanted.items())):
            there = units * (ENOUGH if number % 30 else SHORT) // 100
            for n, location in enumerate(PLACES):
                part = there * CUTS[n + 1] // 10 - there * CUTS[n] // 10
                counted(Stock(sku=sku, location_id=location), part, clock.stamp(), "first count", "test", {}, None)
            self.stock[sku] = there

    def play(self, number: int, sale: Sale) -> None:
        """Place one; what is taken is handed out, and most of it leaves or is refused by its location."""
        policy = "allow" if number % 3 == 0 or len(sale.body["lines"]) > 200 else "refuse"
        body = {**sale.body, "lines": [{**line, "backorder": policy} for line in sale.body["lines"]]}
        try:
            placed = place(read_order(body), Request("shop", "orders", sale.invoice, "digest"), actor="test", later_on=False)
        except Conflict as error:
            self.refused(sale, error)
            return
        order_id = placed.order.id
        if placed.status == 202:
            self.became["large"] += 1
            if until_over(lambda: capture_step(order_id, "test"), "capture") == "declined":
                self.became["declined"] += 1
                return
        self.orders.append(order_id)
        self.became["waiting" if self.allocate(order_id) == "wait_for_stock" else "sold"] += 1
        for n, fo_id in enumerate(load(order_id).fulfillment_orders):
            if (number + n) % 5 == 4:
                update(order_id, partial(reject, fo_id=fo_id), Cause("test", "reject"))
                self.became["rejected"] += 1
            elif (number + n) % 5 < 3:
                update(order_id, partial(ship, fo_id=fo_id), Cause("test", "ship"))
                self.became["shipped"] += 1

    def allocate(self, order_id: str) -> str:
        return until_over(lambda: allocate_step(order_id, "test"), "allocate")

    def refused(self, sale: Sale, error: Conflict) -> None:
        """Every refusal names lines of SKUs of which there is less than is asked for, and says how much is missing."""
        self.became["refused"] += 1
        assert (error.kind, bool(error.errors)) == ("out-of-stock", True)
        for fault in error.errors:
            line = sale.body["lines"][int(fault.pointer.split("/")[2])]
            assert sale.demand[line["sku"]] > sum(row.available_to_fulfill for row in stock_of([line["sku"]])[line["sku"]])
            assert f"of {line['quantity']} {line['sku']} are not in stock" in fault.detail

    def goods_arrive(self, number: int) -> None:
        """For every other SKU that somebody waits for; the queue is served, and who waits looks again."""
        waiting = [order for order in map(load, self.orders) if order.queued()]
        skus = sorted({order.line(line_id)[0].sku for order in waiting for line_id in order.queued()})[::2]
        for sku in skus:
            record = {"record_id": f"{number}-{sku}", "sku": sku, "location_id": PLACES[len(sku) % 4], "delta": 7}
            load_batch(StockBatch.model_validate({"records": [record]}), Request("test", "test", "", ""))
            self.stock[sku] += 7
            self.became["granted"] += backorders.serve(sku, lambda: 60.0)
        for order in waiting:
            self.allocate(order.id)


def until_over(step: Any, name: str) -> str:
    while (next_ := str(step()["next"])) == name:
        pass
    return next_


def reject(order: Order, fo_id: str) -> None:
    reject_work(order, order.fulfillment_order(fo_id), RejectRequest(reason="shelf is empty"))


def ship(order: Order, fo_id: str) -> None:
    lines = [{"line_id": line_id, "quantity": line.open} for line_id, line in order.fulfillment_order(fo_id).lines.items()]
    package = {"reference": fo_id, "tracking_number": f"T-{fo_id}", "lines": lines}
    ship_packages(order, fo_id, ShipRequest.model_validate({"packages": [package]}))


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    made = [sale for rows in invoices(read(FILE)).values() if isinstance(sale := sale_of(rows), Sale)]
    large = max(made, key=lambda sale: len(sale.body["lines"]))
    with a_shop():
        monkeypatch.setattr(flow, "PAUSE", 0.0)
        yield Replay([sale for number, sale in enumerate(made) if number % EVERY == 0 or sale is large])


def test_the_real_invoices_against_limited_stock_in_the_tables(replay: Replay) -> None:
    replay.open_shop()
    for number, sale in enumerate(replay.sales):
        replay.play(number, sale)
        if number % 50 == 49:
            replay.goods_arrive(number)
    assert all(replay.became[what] for what in ("sold", "waiting", "refused", "shipped", "rejected", "granted", "large")), replay.became
    promised: Counter[str] = Counter()
    for order in map(load, replay.orders):
        for units in order.held().values():
            promised.update(units)
        for fo in order.fulfillment_orders.values():
            for line_id, line in fo.lines.items():
                promised[order.line(line_id)[0].sku] += line.shipped
    assert not {sku for sku, units in promised.items() if units > replay.stock[sku]}
    checked = flow.check(None, None, lambda: 600.0)
    assert (checked.findings, checked.moving, checked.next) == ([], 0, "")
    assert checked.places >= len(replay.stock) * len(PLACES)
    print(f"\nof {len(replay.sales)} invoices: {dict(replay.became)}; {checked.places} places checked")
