"""What new goods cost that are exchanged for old ones: to the cent what the same units cost, discounts and taxes included."""

from __future__ import annotations

from typing import Any

import pytest

from oms.errors import Invalid
from oms.orders.order import Order
from oms.orders.placing import Line
from oms.orders.pricing import price_line
from oms.orders.worth import worth
from oms.service.exchange_prices import new_lines, paid_for
from oms.service.exchange_request import NewLine
from tests.support.orders import a_line, an_order
from tests.unit.memory import World


def placed(*lines: dict[str, Any], **more: Any) -> Order:
    return World().take(an_order(*lines, **more))


def line_for(order: Order, back: dict[str, list[list[int]]], **row: Any) -> Line:
    (line,) = new_lines(order, [NewLine.model_validate({"quantity": 1, **row})], back, "g1")
    return line


@pytest.mark.parametrize("mode", ["net", "gross"])
@pytest.mark.parametrize("rounding", ["line", "unit"])
@pytest.mark.parametrize("quantity", [1, 2, 3])
def test_the_same_units_cost_what_they_cost_with_every_tax(mode: str, rounding: str, quantity: int) -> None:
    order = placed(a_line("1", "A", 3, 333, "19", "7.5", own=-100), tax_mode=mode, tax_rounding=rounding, off=-51)
    back = [[1, quantity]]
    line = line_for(order, {"1": back}, sku="A", quantity=quantity)
    new, old = price_line(line, order.placed.tax_mode, order.placed.tax_rounding), worth(order, "1", back)
    assert (new.frozen.total, new.frozen.taxes) == (old.total, old.taxes)


def test_units_that_come_back_are_counted_first_then_the_others_then_all_over_again() -> None:
    order = placed(a_line("1", "A", 3, 0, own=100))  # units of 33, 34 and 33
    assert [paid_for(order, "1", quantity, [[2, 2]]).total for quantity in (1, 2, 3, 4)] == [34, 67, 100, 134]


def test_of_lines_with_the_same_sku_the_one_that_comes_back_says_the_price() -> None:
    order = placed(a_line("1", "A", 1, 900), a_line("2", "A", 1, 700))
    assert line_for(order, {"2": [[1, 1]]}, sku="A").unit_price == 700
    assert line_for(order, {}, sku="A").unit_price == 900


def test_a_price_of_its_own_has_the_taxes_of_the_known_line_unless_it_names_some() -> None:
    order = placed(a_line("1", "A", 1, 900, "19", name="Shirt"))
    line = line_for(order, {}, sku="A", unit_price=500)
    assert (line.unit_price, line.name, [(tax.rate, tax.amount) for tax in line.taxes]) == (500, "Shirt", [("19", None)])
    assert line_for(order, {}, sku="A", unit_price=500, taxes=[]).taxes == []


def test_a_discount_on_top_is_taxed_anew() -> None:
    order = placed(a_line("1", "A", 1, 1190, "19"))
    line = line_for(order, {"1": [[1, 1]]}, sku="A", adjustments=[{"amount": -595}])
    assert price_line(line, "gross", "line").frozen.taxes == (95,)


def test_goods_that_the_order_has_not_need_a_price() -> None:
    with pytest.raises(Invalid) as refused:
        new_lines(placed(), [NewLine.model_validate({"sku": sku, "quantity": 1}) for sku in ("A", "Z")], {}, "g1")
    assert [fault.pointer for fault in refused.value.errors] == ["/new_lines/1/unit_price"]
