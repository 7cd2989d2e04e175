"""From an order as sent to frozen amounts: the penny ledger is written here, once, and only read afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from oms.errors import Fault, invalid
from oms.money.rounding import spread
from oms.money.shares import Frozen, TaxMode, TaxRounding, freeze
from oms.orders.placing import Address, Adjustment, DeliveryGroup, Line, PlaceOrder
from oms.orders.records import Destination, PlacedFee, PlacedGroup, PlacedLine, PlacedTax
from oms.orders.tax_request import Tax
from oms.orders.totals import Totals, totals_of


@dataclass(frozen=True)
class Priced:
    """An order's parts with their frozen amounts, and the totals."""

    lines: list[PlacedLine]
    groups: list[PlacedGroup]
    fees: list[PlacedFee]
    totals: Totals


def price(order: PlaceOrder) -> Priced:
    """Freeze every amount of the order; Invalid if adjustments take more than the goods or a charge are worth."""
    faults = [
        Fault("adjustments take more than the line is worth", f"/lines/{i}/adjustments")
        for i, line in enumerate(order.lines)
        if _after_own(line) < 0
    ]
    faults += [
        Fault("adjustments take more than the charge", f"/delivery_groups/{i}/charge/adjustments")
        for i, group in enumerate(order.delivery_groups)
        if group.charge and group.charge.amount + _sum(group.charge.adjustments) < 0
    ]
    order_adjustment = _sum(order.adjustments)
    goods = sum(_after_own(line) for line in order.lines)
    if goods + order_adjustment < 0:
        faults.append(Fault(f"order adjustments of {order_adjustment} take more than the goods are worth ({goods})", "/adjustments"))
    if faults:
        raise invalid(*faults)

    shares = spread(order_adjustment, [_after_own(line) for line in order.lines])
    lines = [price_line(line, order.tax_mode, order.tax_rounding, share) for line, share in zip(order.lines, shares, strict=True)]
    groups = [_group(group, order.tax_mode) for group in order.delivery_groups]
    for group in groups:
        _lay_over_lines(group, [line for line in lines if line.delivery_group == group.id])
    fees = [
        PlacedFee(code=fee.code, taxes=_names(fee.taxes), frozen=_frozen_once(fee.amount, 0, fee.taxes, order.tax_mode))
        for fee in order.fees
    ]
    return Priced(lines, groups, fees, totals_of(lines, groups, fees))


def price_line(line: Line, mode: TaxMode, rounding: TaxRounding, share: int = 0) -> PlacedLine:
    """A line with its frozen value; `share`: its part of the order's adjustments."""
    frozen = freeze(
        quantity=line.quantity,
        mode=mode,
        rounding=rounding,
        price=line.unit_price * line.quantity,
        adjustment=_sum(line.adjustments),
        order_adjustment=share,
        rates=rates_of(line.taxes),
        given_taxes=tuple(tax.amount for tax in line.taxes),
    )
    fields = line.model_dump(exclude={"taxes"}, exclude_defaults=True)
    return PlacedLine(**fields, taxes=_names(line.taxes), frozen=frozen)


def _group(group: DeliveryGroup, mode: TaxMode) -> PlacedGroup:
    fields = group.model_dump(exclude={"recipient", "address"}, exclude_defaults=True) | {"destination": destination_of(group.address)}
    if group.charge is None:
        return PlacedGroup(**fields)
    frozen = _frozen_once(group.charge.amount, _sum(group.charge.adjustments), group.charge.taxes, mode)
    return PlacedGroup(**fields, taxes=_names(group.charge.taxes), frozen=frozen)


def destination_of(address: Address) -> Destination:
    """What routing may know of an address; the address itself is personal data."""
    coordinates = [None if degrees is None else round(degrees, 2) for degrees in (address.latitude, address.longitude)]
    return Destination(
        country=address.country,
        postal_area=address.postal_code.replace(" ", "").upper()[:3],
        latitude=coordinates[0],
        longitude=coordinates[1],
    )


def _lay_over_lines(group: PlacedGroup, lines: list[PlacedLine]) -> None:
    """A charge and each of its taxes fall on its group's lines by what the lines cost, by units if they cost nothing (design section 5)."""
    if group.frozen is None or (group.frozen.total == 0 and group.frozen.price == 0):
        return
    by_price = [line.frozen.price for line in lines]
    weights = by_price if any(by_price) else [line.quantity for line in lines]
    bases = spread(group.frozen.price + group.frozen.adjustment, weights)
    taxes = [spread(tax, weights) for tax in group.frozen.taxes]
    for i, line in enumerate(lines):
        mine = tuple(split[i] for split in taxes)
        total = bases[i] + (sum(mine) if group.frozen.mode == "net" else 0)
        line.delivery = Frozen(quantity=line.quantity, mode=group.frozen.mode, price=bases[i], taxes=mine, total=total)


def _frozen_once(amount: int, adjustment: int, taxes: list[Tax], mode: TaxMode) -> Frozen:
    given = tuple(tax.amount for tax in taxes)
    return freeze(quantity=1, mode=mode, rounding="line", price=amount, adjustment=adjustment, rates=rates_of(taxes), given_taxes=given)


def _after_own(line: Line) -> int:
    return line.unit_price * line.quantity + _sum(line.adjustments)


def _sum(adjustments: Sequence[Adjustment]) -> int:
    return sum(adjustment.amount for adjustment in adjustments)


def rates_of(taxes: Sequence[Tax] | Sequence[PlacedTax]) -> tuple[Decimal, ...]:
    """The rates of taxes, in percent."""
    return tuple(Decimal(tax.rate) for tax in taxes)


def _names(taxes: Sequence[Tax]) -> list[PlacedTax]:
    return [PlacedTax(name=tax.name, rate=tax.rate, exempt_reason=tax.exempt_reason) for tax in taxes]
