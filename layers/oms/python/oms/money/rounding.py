"""Rounding and splitting of whole minor units. No floats: `Decimal` for rates, `int` for amounts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal


def round_half_away(value: Decimal) -> int:
    """Nearest whole unit, halves away from zero, so that -x rounds to the negative of what x rounds to (design section 5)."""
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def percent(amount: int, rate: Decimal) -> int:
    """`rate` percent of `amount` minor units, rounded."""
    return round_half_away(amount * rate / 100)


def ratio(amount: int, numerator: int, denominator: int) -> int:
    """round(amount * numerator / denominator) in whole numbers, halves away from zero; denominator > 0."""
    product = amount * numerator
    quotient = (2 * abs(product) + denominator) // (2 * denominator)
    return quotient if product >= 0 else -quotient


def cut(total: int, units: int, quantity: int) -> int:
    """What the first `units` of `quantity` units carry of `total`: cut(t, q, q) == t, whatever the rounding."""
    return ratio(total, units, quantity)


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` in proportion to `weights` (none negative) by largest remainder, ties to the earliest; equally if all are zero.

    The sign carries through: spread(-t, w) is the negative of spread(t, w). ValueError for no weights.
    """
    if not weights:
        raise ValueError("nothing to spread over: name at least one target")
    if min(weights) < 0:
        raise ValueError("weights must not be negative")
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    size, sign = abs(total), -1 if total < 0 else 1
    shares = [size * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(size * weights[i] % whole), i))
    for i in by_remainder[: size - sum(shares)]:
        shares[i] += 1
    return [sign * share for share in shares]
