"""Later changes of what units are worth: an amount is split over the units it names, and each tax changes by the same fraction.

The split is by largest remainder over what the units are worth now (equally if that is nothing), so a layer of the whole value leaves
exactly zero (design section 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

from oms.errors import Refused
from oms.money.rounding import ratio, spread
from oms.money.shares import Share, taxes_on
from oms.money.units import Units
from oms.orders.order import Order
from oms.orders.records import Band, Layer
from oms.orders.worth import delivery_worth, worth

MOST_UNITS = 10_000
"""Units in one change of worth: each has its own share of it."""
_MOST_BANDS = 2_000
Basis = Literal["with_tax", "without_tax"]
Unit = tuple[str, int]
"""A line's id and the number of one of its units."""


def changed(order: Order, units: Sequence[Unit], amount: int, basis: Basis, *, delivery: bool = False) -> dict[Unit, Share]:
    """What `amount` minor units (negative: off) mean for each of these units, or for their part of the delivery charge.

    `basis`: whether the amount has the tax in it. ValueError when it takes more than they are worth; Refused for too many units.
    """
    if len(units) > MOST_UNITS:
        raise Refused(f"{len(units)} units at once; at most {MOST_UNITS} units can change in one go", kind="too-large", status=422)
    value = delivery_worth if delivery else worth
    now = {unit: value(order, unit[0], [[unit[1], unit[1]]]) for unit in units}
    weights = [share.total if basis == "with_tax" else share.net for share in now.values()]
    whole = sum(weights)
    if whole + amount < 0:
        raise ValueError(f"{-amount} off, and they are worth {whole}")
    parts = spread(amount, [max(0, weight) for weight in weights])
    taxes = _taxes(order, units, list(now.values()), parts, basis, delivery)
    out: dict[Unit, Share] = {}
    for place, unit in enumerate(units):
        mine = tuple(split[place] for split in taxes)
        total = parts[place] if basis == "with_tax" else parts[place] + sum(mine)
        in_mode = total if order.placed.tax_mode == "gross" else total - sum(mine)
        out[unit] = Share(adjustment=in_mode, taxes=mine, total=total)
    return out


def layers_of(shares: Mapping[Unit, Share], *, delivery: bool = False, apart: bool = False) -> list[Layer]:
    """These additions as layers, one for each line; neighbours that carry the same are one band. Refused when it does not fit a record."""
    bands: dict[str, list[Band]] = {}
    for (line_id, number), share in sorted(shares.items(), key=lambda row: row[0]):
        mine = bands.setdefault(line_id, [])
        if mine and mine[-1].last == number - 1 and mine[-1].share == share:
            mine[-1].last = number
        else:
            mine.append(Band(first=number, last=number, share=share))
    if sum(map(len, bands.values())) > _MOST_BANDS:
        raise Refused("too many units with different shares; change fewer lines at a time", kind="too-large", status=422)
    return [Layer(line_id=line_id, bands=rows, delivery=delivery, apart=apart) for line_id, rows in bands.items()]


def each_unit(line_id: str, units: Units) -> list[Unit]:
    """Units one by one."""
    return [(line_id, number) for first, last in units for number in range(first, last + 1)]


def _taxes(
    order: Order, units: Sequence[Unit], now: Sequence[Share], parts: Sequence[int], basis: Basis, delivery: bool
) -> list[list[int]]:
    """Each tax's change, unit by unit. All units have the taxes of one line or charge; where they are worth nothing yet, by the rates."""
    line, _ = order.line(units[0][0])
    names = order.group_of(line).taxes if delivery else line.taxes
    amount, whole = sum(parts), sum(share.total if basis == "with_tax" else share.net for share in now)
    if whole > 0:
        totals = [ratio(sum(share.taxes[place] for share in now), amount, whole) for place in range(len(names))]
        return [spread(tax, [max(0, share.taxes[place]) for share in now]) for place, tax in enumerate(totals)]
    rates = tuple(Decimal(tax.rate) for tax in names)
    computed = taxes_on(amount, rates, "gross" if basis == "with_tax" else "net")
    return [spread(tax, [abs(part) for part in parts]) for tax in computed]
