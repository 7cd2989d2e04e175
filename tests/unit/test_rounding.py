"""Rounding and splitting of whole minor units."""

from __future__ import annotations

from decimal import Decimal

import pytest

from oms.money.currencies import EXPONENTS, show
from oms.money.rounding import cut, percent, ratio, round_half_away, spread


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("0.5", 1), ("-0.5", -1), ("1.5", 2), ("2.5", 3), ("-2.5", -3), ("2.4999", 2), ("-2.4999", -2), ("0", 0), ("1E+3", 1000)],
)
def test_halves_go_away_from_zero_whatever_the_sign(value: str, rounded: int) -> None:
    assert round_half_away(Decimal(value)) == rounded


@pytest.mark.parametrize(
    ("amount", "rate", "tax"), [(1250, "20", 250), (1, "50", 1), (-1, "50", -1), (1428, "19", 271), (999, "7.5", 75), (100, "0", 0)]
)
def test_percent_is_rounded_once(amount: int, rate: str, tax: int) -> None:
    assert percent(amount, Decimal(rate)) == tax


@pytest.mark.parametrize(
    ("amount", "numerator", "denominator", "result"), [(1, 1, 2, 1), (-1, 1, 2, -1), (10, 1, 3, 3), (20, 1, 3, 7), (0, 5, 7, 0)]
)
def test_ratio_rounds_halves_away_from_zero(amount: int, numerator: int, denominator: int, result: int) -> None:
    assert ratio(amount, numerator, denominator) == result


def test_a_cut_ends_at_the_total() -> None:
    assert [cut(100, k, 3) for k in range(4)] == [0, 33, 67, 100]
    assert [cut(-100, k, 3) for k in range(4)] == [0, -33, -67, -100]


@pytest.mark.parametrize(
    ("total", "targets", "shares"),
    [
        pytest.param(0, 4, [0, 0, 0, 0], id="A02-nothing"),
        pytest.param(1000, 4, [250, 250, 250, 250], id="A02-even"),
        pytest.param(-1000, 4, [-250, -250, -250, -250], id="A02-even-negative"),
        pytest.param(1000, 3, [334, 333, 333], id="A02-remainder-first"),
        pytest.param(-1000, 3, [-334, -333, -333], id="A02-remainder-first-negative"),
    ],
)
def test_an_even_split_gives_the_remainder_to_the_first(total: int, targets: int, shares: list[int]) -> None:
    assert spread(total, [0] * targets) == shares
    assert spread(total, [7] * targets) == shares


@pytest.mark.parametrize("total", [pytest.param(1000, id="A02-no-targets"), 0])
def test_nothing_can_be_spread_over_nobody(total: int) -> None:
    with pytest.raises(ValueError, match="at least one target"):
        spread(total, [])


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        pytest.param(300, [4300, 1400, 2300], [161, 53, 86], id="A03-largest-remainder"),
        pytest.param(-299, [0], [-299], id="A03-one-target"),
        pytest.param(-400, [200, 200, 200], [-134, -133, -133], id="A05-three-equal-lines"),
        pytest.param(1, [0, 5], [0, 1], id="nothing-to-a-zero-weight"),
        pytest.param(1, [1, 1, 1], [1, 0, 0], id="ties-to-the-earliest"),
    ],
)
def test_largest_remainder(total: int, weights: list[int], shares: list[int]) -> None:
    assert spread(total, weights) == shares


def test_weights_are_not_negative() -> None:
    with pytest.raises(ValueError, match="negative"):
        spread(100, [1, -1])


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1250, "EUR", "12.50 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (1250, "JPY", "1250 JPY"),
        (-7, "JPY", "-7 JPY"),
        (1250, "KWD", "1.250 KWD"),
        (0, "USD", "0.00 USD"),
    ],
)
def test_amounts_for_people(amount: int, currency: str, text: str) -> None:
    assert show(amount, currency) == text


def test_every_currency_has_an_exponent_of_iso_4217() -> None:
    assert (EXPONENTS["EUR"], EXPONENTS["JPY"], EXPONENTS["BHD"]) == (2, 0, 3)
    assert set(EXPONENTS.values()) == {0, 2, 3}
    assert all(len(code) == 3 and code.isupper() for code in EXPONENTS)
