"""The penny ledger: what one unit is worth, and that units add up to what was paid."""

from __future__ import annotations

from decimal import Decimal

import pytest

from oms.money.shares import Share, freeze, taxes_on

VAT = (Decimal(20),)


def test_unit_k_carries_the_difference_of_two_cuts() -> None:
    line = freeze(quantity=3, mode="gross", rounding="line", price=100)
    assert [line.unit(k).total for k in (1, 2, 3)] == [33, 34, 33]


def test_a_line_with_adjustments_is_cut_in_their_order() -> None:
    line = freeze(quantity=3, mode="gross", rounding="line", price=1000, adjustment=-100, order_adjustment=-50)
    # Running cuts: price 333 667 1000, after own 300 600 900, after all 283 567 850.
    assert [line.unit(k).price for k in (1, 2, 3)] == [333, 334, 333]
    assert [line.unit(k).adjustment for k in (1, 2, 3)] == [-33, -34, -33]
    assert [line.unit(k).order_adjustment for k in (1, 2, 3)] == [-17, -16, -17]
    assert [line.unit(k).total for k in (1, 2, 3)] == [283, 284, 283]


def test_net_taxes_are_cut_as_running_totals_on_top_of_the_net_amount() -> None:
    line = freeze(quantity=3, mode="net", rounding="line", price=1000, rates=(Decimal(5), Decimal("7.5")))
    assert line.taxes == (50, 75)
    # Running cuts: net 333 667 1000, with 5%: 350 700 1050, with 7.5%: 375 750 1125.
    assert [line.unit(k).taxes for k in (1, 2, 3)] == [(17, 25), (16, 25), (17, 25)]
    assert [line.unit(k).total for k in (1, 2, 3)] == [375, 375, 375]


def test_gross_taxes_are_cut_from_the_net_amount_up_to_the_amount_with_tax() -> None:
    line = freeze(quantity=3, mode="gross", rounding="line", price=1000, rates=VAT)
    assert (line.net, line.taxes, line.total) == (833, (167,), 1000)
    # Running cuts: net 278 555 833, gross 333 667 1000.
    assert [line.unit(k).net for k in (1, 2, 3)] == [278, 277, 278]
    assert [line.unit(k).taxes for k in (1, 2, 3)] == [(55,), (57,), (55,)]


@pytest.mark.parametrize(("rounding", "total"), [pytest.param("line", 16993, id="B16-line"), pytest.param("unit", 16990, id="B16-unit")])
def test_tax_is_rounded_at_one_declared_level(rounding: str, total: int) -> None:
    line = freeze(quantity=10, mode="net", rounding="unit" if rounding == "unit" else "line", price=14280, rates=(Decimal(19),))
    assert line.total == total
    assert sum(line.unit(k).total for k in range(1, 11)) == total


def test_tax_per_unit_is_rounded_on_what_each_unit_costs() -> None:
    line = freeze(quantity=3, mode="net", rounding="unit", price=100, rates=(Decimal(50),))
    # Units cost 33, 34, 33: 16.5, 17 and 16.5 of tax, each rounded by itself.
    assert [line.unit(k).taxes for k in (1, 2, 3)] == [(17,), (17,), (17,)]
    assert line.taxes == (51,)


def test_a_given_tax_is_taken_as_it_is() -> None:
    net = freeze(quantity=3, mode="net", rounding="unit", price=1000, rates=VAT, given_taxes=(199,))
    gross = freeze(quantity=3, mode="gross", rounding="unit", price=1000, rates=VAT, given_taxes=(166,))
    assert (net.taxes, net.total) == ((199,), 1199)
    assert (gross.net, gross.taxes, gross.total) == (834, (166,), 1000)
    assert sum(net.unit(k).tax for k in (1, 2, 3)) == 199


def test_one_tax_may_be_given_and_the_other_computed() -> None:
    line = freeze(quantity=1, mode="net", rounding="line", price=1000, rates=(Decimal(20), Decimal(5)), given_taxes=(None, 7))
    assert line.taxes == (200, 7)


def test_contained_taxes_are_each_rounded_by_themselves() -> None:
    assert taxes_on(1000, (Decimal(5), Decimal("7.5")), "gross") == (44, 67)
    assert taxes_on(-1000, (Decimal(5), Decimal("7.5")), "gross") == (-44, -67)


def test_any_runs_of_units_add_up() -> None:
    line = freeze(quantity=7, mode="net", rounding="line", price=999, adjustment=-100, rates=VAT)
    parts = [line.units([[1, 2], [5, 5]]), line.units([[3, 4]]), line.units([[6, 7]])]
    assert parts[0] + parts[1] + parts[2] == line.all_units()
    assert line.units([]) == Share(taxes=(0,))


def test_shares_of_different_width_can_be_added() -> None:
    together = Share(price=1, taxes=(1,), total=2) + Share(price=2, taxes=(2, 3), total=7)
    assert (together.taxes, together.total, together.net) == ((3, 3), 9, 3)
    assert together - together == Share(taxes=(0, 0))
