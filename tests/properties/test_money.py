"""Money: splits add up, units add up, whatever the amounts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from oms.money.rounding import cut, ratio, round_half_away, spread
from oms.money.shares import Frozen, Share, freeze
from oms.money.units import runs

AMOUNTS = st.one_of(st.integers(0, 1_000), st.integers(0, 10**12))
SIGNED = st.one_of(st.integers(-1_000, 1_000), st.integers(-(10**12), 10**12))
WEIGHTS = st.lists(st.one_of(st.integers(0, 5), st.integers(0, 10**12)), min_size=1, max_size=12)
RATES = st.sampled_from([Decimal(text) for text in ("0", "5", "7.5", "19", "20", "25.5", "0.01", "1000")])
MODES: st.SearchStrategy[Literal["net", "gross"]] = st.sampled_from(["net", "gross"])
ROUNDINGS: st.SearchStrategy[Literal["line", "unit"]] = st.sampled_from(["line", "unit"])


@st.composite
def lines(draw: st.DrawFn) -> Frozen:
    """A frozen line: own and order adjustments that leave something or nothing, up to three taxes, some of them given."""
    quantity, unit_price = draw(st.integers(1, 40)), draw(st.one_of(st.integers(0, 3), st.integers(0, 10**7)))
    price = quantity * unit_price
    adjustment = draw(st.integers(-price, price // 4))
    order_adjustment = draw(st.integers(-(price + adjustment), 0))
    rates = tuple(draw(st.lists(RATES, max_size=3)))
    mode = draw(MODES)
    # Given taxes of a gross line are a part of it.
    most = (price + adjustment + order_adjustment) // max(1, len(rates)) if mode == "gross" else 10**6
    given_taxes = tuple(draw(st.one_of(st.none(), st.integers(0, most))) for _ in rates) if draw(st.booleans()) else ()
    if mode == "gross" and any(amount is not None for amount in given_taxes):
        given_taxes = tuple(amount or 0 for amount in given_taxes)
    parts: dict[str, Any] = {"price": price, "adjustment": adjustment, "order_adjustment": order_adjustment}
    return freeze(quantity=quantity, mode=mode, rounding=draw(ROUNDINGS), rates=rates, given_taxes=given_taxes, **parts)


@given(SIGNED, WEIGHTS)
def test_a_spread_adds_up_and_each_share_is_within_one_of_its_exact_part(total: int, weights: list[int]) -> None:
    shares = spread(total, weights)
    whole = sum(weights)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        exact = Decimal(total) * weight / whole if whole else Decimal(total) / len(weights)
        assert abs(share - exact) < 1
        assert share * total >= 0


@given(AMOUNTS, WEIGHTS)
def test_the_sign_of_a_spread_carries_through(total: int, weights: list[int]) -> None:
    assert spread(-total, weights) == [-share for share in spread(total, weights)]


@given(SIGNED, st.integers(1, 1000))
def test_cuts_run_from_nothing_to_the_total_without_turning(total: int, quantity: int) -> None:
    cuts = [cut(total, k, quantity) for k in range(quantity + 1)]
    assert (cuts[0], cuts[-1]) == (0, total)
    assert cuts == sorted(cuts, reverse=total < 0)
    assert [cut(-total, k, quantity) for k in range(quantity + 1)] == [-each for each in cuts]


@given(SIGNED, st.integers(0, 10**6), st.integers(1, 10**6))
def test_whole_number_rounding_is_decimal_rounding(amount: int, numerator: int, denominator: int) -> None:
    assert ratio(amount, numerator, denominator) == round_half_away(Decimal(amount * numerator) / denominator)


@given(lines())
def test_the_units_of_a_line_add_up_to_it_in_every_part(line: Frozen) -> None:
    assert sum((line.unit(k) for k in range(1, line.quantity + 1)), Share()) == line.all_units()


@given(lines(), st.data())
def test_any_partition_of_the_units_adds_up_to_the_line(line: Frozen, data: st.DataObject) -> None:
    owners = data.draw(st.lists(st.integers(1, 4), min_size=line.quantity, max_size=line.quantity))
    parts = [runs(k for k, owner in enumerate(owners, start=1) if owner == part) for part in (1, 2, 3, 4)]
    assert sum((line.units(part) for part in parts), Share()) == line.all_units()


@given(lines())
def test_no_unit_is_worth_less_than_nothing(line: Frozen) -> None:
    for k in range(1, line.quantity + 1):
        unit = line.unit(k)
        assert unit.price >= 0
        assert unit.net >= 0
        assert unit.total >= 0
        assert unit.total == unit.net + unit.tax


@given(lines())
def test_units_of_a_line_differ_by_little(line: Frozen) -> None:
    """Cuts of one amount differ by at most 1; tax that is rounded per unit follows what its unit costs."""
    totals = [line.unit(k).total for k in range(1, line.quantity + 1)]
    steps = sum(int(Decimal(rate) / 100) + 1 for rate in line.unit_rates) if line.mode == "net" else 0
    assert max(totals) - min(totals) <= 1 + steps


@given(lines())
def test_a_line_is_its_parts_and_its_taxes(line: Frozen) -> None:
    parts = line.price + line.adjustment + line.order_adjustment
    assert line.total == (parts if line.mode == "gross" else parts + line.tax)
