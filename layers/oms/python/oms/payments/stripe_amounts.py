"""Amounts as Stripe counts them: mostly, but not always, in the minor units of ISO 4217 (docs.stripe.com/currencies)."""

from __future__ import annotations

from oms.money.currencies import EXPONENTS

_WHOLE = frozenset(["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"])
"""Stripe counts whole units of these."""
_THREE_DIGITS = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
"""Stripe counts thousandths of these, and the last digit must be 0. All others have two digits there, ISK and UGX (which have none) too."""

_FACTOR = {0: 1, 2: 100, 3: 1000}


class NotPayable(ValueError):
    """Stripe cannot take exactly this amount of this currency."""


def to_stripe(amount: int, currency: str) -> int:
    """Our minor units as Stripe's. NotPayable if that would need rounding."""
    converted, rest = divmod(amount * _FACTOR[_digits(currency)], _FACTOR[EXPONENTS[currency]])
    if rest:
        raise NotPayable(f"Stripe takes whole units of {currency} only")
    if currency in _THREE_DIGITS and converted % 10:
        raise NotPayable(f"Stripe takes amounts of {currency} in steps of 0.010 only")
    return converted


def from_stripe(amount: int, currency: str) -> int:
    """Stripe's units as ours. NotPayable for what is no whole number of ours, which Stripe never takes itself."""
    converted, rest = divmod(amount * _FACTOR[EXPONENTS[currency]], _FACTOR[_digits(currency)])
    if rest:
        raise NotPayable(f"{amount} is no whole number of minor units of {currency}")
    return converted


def _digits(currency: str) -> int:
    return 0 if currency in _WHOLE else 3 if currency in _THREE_DIGITS else 2
