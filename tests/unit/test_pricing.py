"""Order amounts: what discounts, taxes, charges and fees come to."""

from __future__ import annotations

from typing import Any

import pytest

from oms.errors import Invalid
from oms.orders.placing import read_order
from oms.orders.pricing import Priced, price
from tests.support.orders import a_group, a_line, a_tax, an_order


def priced(*lines: dict[str, Any], **more: Any) -> Priced:
    return price(read_order(an_order(*lines, payments=[], **more)))


def net(*lines: dict[str, Any], **more: Any) -> Priced:
    return priced(*lines, tax_mode="net", **more)


def test_the_worked_gross_example_of_the_contract() -> None:
    result = priced(a_line("1", "A", 2, 1200, "20", own=-200), off=-220, charge=600, charge_rate="20")
    assert result.totals.model_dump() == {
        "product_amount": 2400,
        "adjustment_amount": -420,
        "delivery_amount": 600,
        "fee_amount": 0,
        "tax_amount": 430,
        "grand_total": 2580,
    }
    line, charge = result.lines[0].frozen, result.groups[0].frozen
    assert (line.net, line.tax, line.total) == (1650, 330, 1980)
    assert charge is not None
    assert (charge.net, charge.tax, charge.total) == (500, 100, 600)


def test_two_taxed_lines_b01() -> None:
    totals = net(a_line("1", "A", 2, 3000, "10"), a_line("2", "B", 1, 500, "50")).totals
    assert (totals.product_amount, totals.tax_amount, totals.grand_total) == (6500, 850, 7350)


def test_a_discount_is_taken_before_tax_b02() -> None:
    totals = net(a_line("1", "A", 2, 5000, "10", own=-1000)).totals
    assert (totals.product_amount, totals.adjustment_amount, totals.tax_amount, totals.grand_total) == (10000, -1000, 900, 9900)
    assert net(a_line("1", "A", 2, 5000, "10")).totals.grand_total == 11000


@pytest.mark.parametrize(
    ("own", "off", "net_amount", "gross"),
    [pytest.param(-15588, 0, 140292, 168350, id="B04-item"), pytest.param(-15588, -14029, 126263, 151516, id="B04-item-and-order")],
)
def test_ten_percent_off_the_item_then_off_the_order(own: int, off: int, net_amount: int, gross: int) -> None:
    line = net(a_line("1", "A", 1, 155880, "20", own=own), off=off).lines[0].frozen
    assert (line.net, line.total) == (net_amount, gross)


def test_an_order_discount_on_tax_inclusive_lines_is_split_by_gross_price_b07() -> None:
    result = priced(a_line("1", "A", 1, 500, "20"), a_line("2", "B", 1, 500, "0"), off=-500)
    assert [line.frozen.total for line in result.lines] == [250, 250]
    assert result.totals.grand_total == 500


@pytest.mark.parametrize(
    ("first", "second", "charge", "by_rate"),
    [
        pytest.param(["5"], ["5"], None, {"5": (1600, 80)}, id="B10-one-rate"),
        pytest.param(["5"], ["7.5"], None, {"5": (600, 30), "7.5": (1000, 75)}, id="B10-two-rates"),
        pytest.param(["5", "7.5"], ["5", "7.5"], None, {"5": (1600, 80), "7.5": (1600, 120)}, id="B10-both-on-each"),
        pytest.param(["5"], ["5"], 500, {"5": (1600, 80), "20": (500, 100)}, id="B10-with-shipping"),
    ],
)
def test_tax_by_rate(first: list[str], second: list[str], charge: int | None, by_rate: dict[str, tuple[int, int]]) -> None:
    lines = [a_line("1", "A", 2, 300, *first), a_line("2", "B", 1, 1000, *second)]
    result = net(*lines, charge=charge, charge_rate="20" if charge else None)
    sums: dict[str, tuple[int, int]] = {}
    parts = [(line.taxes, line.frozen) for line in result.lines]
    parts += [(group.taxes, group.frozen) for group in result.groups if group.frozen]
    for taxes, frozen in parts:
        for tax, amount in zip(taxes, frozen.taxes, strict=True):
            base, sum_ = sums.get(tax.rate, (0, 0))
            sums[tax.rate] = (base + frozen.net, sum_ + amount)
    assert sums == by_rate


@pytest.mark.parametrize("mode", ["net", "gross"])
@pytest.mark.parametrize("rounding", ["line", "unit"])
def test_everything_off_leaves_exactly_nothing_b14(mode: str, rounding: str) -> None:
    lines = [a_line("1", "A", 1, 1150, "15"), a_line("2", "B", 1, 1150, "15")]
    totals = priced(*lines, tax_mode=mode, tax_rounding=rounding, off=-2300).totals
    assert (totals.tax_amount, totals.grand_total) == (0, 0)


def test_an_order_discount_spreads_by_what_lines_cost_after_their_own() -> None:
    result = priced(a_line("1", "A", 1, 1000, own=-500), a_line("2", "B", 1, 500), off=-100)
    assert [line.frozen.order_adjustment for line in result.lines] == [-50, -50]


def test_ten_percent_off_two_lines_c04() -> None:
    result = priced(a_line("1", "A", 1, 600), a_line("2", "B", 1, 400), off=-100)
    assert [line.frozen.total for line in result.lines] == [540, 360]


def test_a_discount_over_three_equal_lines_a05() -> None:
    result = priced(*(a_line(key, "A", 1, 200) for key in "123"), off=-400)
    assert sorted(-line.frozen.order_adjustment for line in result.lines) == [133, 133, 134]


def test_discounts_never_take_more_than_the_goods_are_worth_a05() -> None:
    with pytest.raises(Invalid, match="order adjustments of -300 take more than the goods are worth \\(250\\)"):
        priced(a_line("1", "A", 1, 100), a_line("2", "B", 1, 150), off=-300)


def test_every_fault_of_the_amounts_is_named() -> None:
    group = a_group(charge=100)
    group["charge"]["adjustments"] = [{"amount": -101}]
    with pytest.raises(Invalid) as caught:
        priced(a_line("1", "A", 1, 100, own=-101), a_line("2", "B", 1, 50), off=-50, delivery_groups=[group])
    pointers = [fault.pointer for fault in caught.value.errors]
    assert pointers == ["/lines/0/adjustments", "/delivery_groups/0/charge/adjustments", "/adjustments"]


def test_a_charge_lies_on_its_own_groups_lines_by_what_they_cost() -> None:
    groups = [a_group("g1", 100, "20"), a_group("g2", 70)]
    lines = [a_line("1", "A", 1, 2000), a_line("2", "B", 1, 1000), a_line("3", "C", 1, 5, delivery_group="g2")]
    result = net(*lines, delivery_groups=groups)
    delivery = [line.delivery for line in result.lines]
    assert [(d.price, d.taxes, d.total) for d in delivery if d] == [(67, (13,), 80), (33, (7,), 40), (70, (), 70)]


def test_a_charge_over_free_lines_is_split_by_units() -> None:
    result = priced(a_line("1", "A", 3, 0), a_line("2", "B", 1, 0), charge=100)
    assert [line.delivery.total for line in result.lines if line.delivery] == [75, 25]


def test_fees_are_priced_with_their_taxes() -> None:
    result = net(a_line("1", "A", 1, 1000), fees=[{"code": "gift-wrap", "amount": 300, "taxes": [a_tax("20")]}])
    assert (result.totals.fee_amount, result.totals.tax_amount, result.totals.grand_total) == (300, 60, 1360)


def test_a_given_tax_amount_stands_on_the_line() -> None:
    line = net(a_line("1", "A", 2, 1000, taxes=[a_tax("20", amount=399)])).lines[0]
    assert (line.frozen.taxes, line.frozen.total) == ((399,), 2399)
