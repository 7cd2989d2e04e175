"""The penny ledger: what one unit of a line, or of a delivery charge, is worth, frozen when the order is taken.

An amount with its taxes is cut over units by running totals, so any sequence of partial shipments, cancellations and returns adds up to
what was paid, to the cent (design section 5). Amounts are whole minor units in the order's tax mode.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Literal

from pydantic import ConfigDict

from oms.money.rounding import cut, percent, round_half_away
from oms.money.units import Units
from oms.stored import Stored

TaxMode = Literal["net", "gross"]
TaxRounding = Literal["line", "unit"]


class Share(Stored):
    """Value of some units: parts in tax mode (price, adjustment, order_adjustment), each tax, and the total with tax."""

    model_config = ConfigDict(frozen=True)

    price: int = 0
    adjustment: int = 0
    order_adjustment: int = 0
    taxes: tuple[int, ...] = ()
    total: int = 0

    @property
    def tax(self) -> int:
        """All tax of these units."""
        return sum(self.taxes)

    @property
    def net(self) -> int:
        """Value without tax."""
        return self.total - self.tax

    def __add__(self, other: Share) -> Share:
        width = max(len(self.taxes), len(other.taxes))
        mine, theirs = (s.taxes + (0,) * (width - len(s.taxes)) for s in (self, other))
        return Share(
            price=self.price + other.price,
            adjustment=self.adjustment + other.adjustment,
            order_adjustment=self.order_adjustment + other.order_adjustment,
            taxes=tuple(a + b for a, b in zip(mine, theirs, strict=True)),
            total=self.total + other.total,
        )

    def __neg__(self) -> Share:
        return Share(
            price=-self.price,
            adjustment=-self.adjustment,
            order_adjustment=-self.order_adjustment,
            taxes=tuple(-tax for tax in self.taxes),
            total=-self.total,
        )

    def __sub__(self, other: Share) -> Share:
        return self + -other

    def __mul__(self, times: int) -> Share:
        return Share(
            price=self.price * times,
            adjustment=self.adjustment * times,
            order_adjustment=self.order_adjustment * times,
            taxes=tuple(tax * times for tax in self.taxes),
            total=self.total * times,
        )


class Frozen(Share):
    """The value of a whole line (or of a line's part of a charge) and how it falls on its units.

    `unit_rates` is set only where tax was rounded per unit: each unit then carries its own rounded tax instead of a cut of the line's.
    """

    quantity: int
    mode: TaxMode
    unit_rates: tuple[str, ...] = ()

    def unit(self, number: int) -> Share:
        """What unit `number` (from 1 to quantity) carries."""
        return self._upto(number) - self._upto(number - 1)

    def units(self, runs: Units) -> Share:
        """What these units carry together."""
        return sum((self._upto(last) - self._upto(first - 1) for first, last in runs), Share(taxes=(0,) * len(self.taxes)))

    def all_units(self) -> Share:
        """What all units carry: exactly the frozen amounts."""
        return Share(**{name: getattr(self, name) for name in Share.model_fields})

    def _upto(self, count: int) -> Share:
        """The running cut: what the first `count` units carry."""
        after_price = cut(self.price, count, self.quantity)
        after_own = cut(self.price + self.adjustment, count, self.quantity)
        after_all = cut(self.price + self.adjustment + self.order_adjustment, count, self.quantity)
        taxes = self._taxes_upto(count, after_all)
        return Share(
            price=after_price,
            adjustment=after_own - after_price,
            order_adjustment=after_all - after_own,
            taxes=taxes,
            total=after_all if self.mode == "gross" else after_all + sum(taxes),
        )

    def _taxes_upto(self, count: int, base: int) -> tuple[int, ...]:
        if self.unit_rates:
            whole = self.price + self.adjustment + self.order_adjustment
            return _taxes_per_unit(whole, count, self.quantity, tuple(map(Decimal, self.unit_rates)), self.mode)
        running = self.total - sum(self.taxes)
        cuts = [base if self.mode == "net" else cut(running, count, self.quantity)]
        for tax in self.taxes:
            running += tax
            cuts.append(cut(running, count, self.quantity))
        return tuple(after - before for before, after in pairwise(cuts))


def taxes_on(amount: int, rates: tuple[Decimal, ...], mode: TaxMode) -> tuple[int, ...]:
    """Each tax on `amount`, rounded by itself: added to a net amount, contained in a gross one."""
    if mode == "net":
        return tuple(percent(amount, rate) for rate in rates)
    divisor = 100 + sum(rates)
    return tuple(round_half_away(amount * rate / divisor) for rate in rates)


def _taxes_per_unit(base: int, count: int, quantity: int, rates: tuple[Decimal, ...], mode: TaxMode) -> tuple[int, ...]:
    """Taxes of the first `count` units, each unit's rounded by itself. A cut gives a unit floor or floor + 1: two roundings are enough."""
    low = base // quantity
    higher = cut(base, count, quantity) - low * count
    on_low, on_high = taxes_on(low, rates, mode), taxes_on(low + 1, rates, mode)
    return tuple(a * (count - higher) + b * higher for a, b in zip(on_low, on_high, strict=True))


def freeze(
    *,
    quantity: int,
    mode: TaxMode,
    rounding: TaxRounding,
    price: int,
    adjustment: int = 0,
    order_adjustment: int = 0,
    rates: tuple[Decimal, ...] = (),
    given_taxes: tuple[int | None, ...] = (),
) -> Frozen:
    """Freeze a line: compute what was not given, then fix it for good.

    A tax amount that was given is taken as it is; the others come from the rate on the amount after all adjustments, rounded once at level
    `line`, or per unit and summed at level `unit` (only where no amount was given).
    """
    base = price + adjustment + order_adjustment
    given = tuple(given_taxes) or (None,) * len(rates)
    per_unit = rounding == "unit" and bool(rates) and all(amount is None for amount in given)
    if per_unit:
        taxes = _taxes_per_unit(base, quantity, quantity, rates, mode)
    else:
        computed = taxes_on(base, rates, mode)
        taxes = tuple(tax if amount is None else amount for tax, amount in zip(computed, given, strict=True))
    return Frozen(
        quantity=quantity,
        mode=mode,
        price=price,
        adjustment=adjustment,
        order_adjustment=order_adjustment,
        taxes=taxes,
        total=base if mode == "gross" else base + sum(taxes),
        unit_rates=tuple(str(rate) for rate in rates) if per_unit else (),
    )
