"""The real file, where it is at hand: every row is in an order or counted as left out, and the money is the same to the penny."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from infra.local.replay.mapping import Left, Sale, invoices, sale_of
from infra.local.replay.rows import Row, read
from infra.local.replay.stock import supplies
from infra.local.settings import ROOT
from oms.orders.placing import read_order
from oms.orders.pricing import price

FILE: Path = ROOT.parent / "shared" / "data" / "online_retail.csv"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the file is not part of the project")


@pytest.fixture(scope="module")
def by_invoice() -> dict[str, list[Row]]:
    return invoices(read(FILE))


@pytest.fixture(scope="module")
def sales(by_invoice: dict[str, list[Row]]) -> list[Sale]:
    return [made for rows in by_invoice.values() if isinstance(made := sale_of(rows), Sale)]


def test_every_invoice_is_an_order_or_left_out_with_a_reason(by_invoice: dict[str, list[Row]], sales: list[Sale]) -> None:
    left = [made for rows in by_invoice.values() if isinstance(made := sale_of(rows), Left)]
    assert len(sales) + len(left) == len(by_invoice) == 2093
    assert all(each.reason and each.rows for each in left)
    assert len(sales) > 1500


def test_the_orders_are_worth_what_their_rows_say(by_invoice: dict[str, list[Row]], sales: list[Sale]) -> None:
    whole = [sale for sale in sales if not sale.left_rows]
    assert sum(sale.total for sale in whole) == sum(row.amount for sale in whole for row in by_invoice[sale.invoice]) * Decimal(100)
    assert len(sales) - len(whole) < 10


def test_the_api_makes_the_same_totals_of_them(sales: list[Sale]) -> None:
    for sale in sales:
        assert price(read_order(sale.body)).totals.grand_total == sale.total, sale.invoice


def test_merging_changes_no_total(by_invoice: dict[str, list[Row]], sales: list[Sale]) -> None:
    for sale in sales:
        kept = sale_of(by_invoice[sale.invoice], merge=False)
        assert isinstance(kept, Sale)
        assert (kept.total, kept.demand) == (sale.total, sale.demand)


def test_the_stock_put_is_what_the_orders_ask_for(sales: list[Sale]) -> None:
    records = list(supplies(sales))
    assert sum(record["delta"] for record in records) == sum(sum(sale.demand.values()) for sale in sales)
    assert len({record["record_id"] for record in records}) == len({record["sku"] for record in records}) == len(records)
