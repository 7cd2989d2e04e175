"""Fees of a change: a fixed amount, or percent of the goods that it cancels or takes back, with the taxes that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from oms.money.rounding import percent
from oms.money.shares import Frozen, freeze
from oms.money.units import Units
from oms.orders.order import Order
from oms.orders.records import PlacedTax
from oms.orders.worth import worth
from oms.payments.records import ChangeFee


def with_goods(order: Order, fees: Sequence[ChangeFee], goods: Mapping[str, Units]) -> list[ChangeFee]:
    """The fees of a change that cancels or takes back these units of each line; none if it takes none."""
    amount = sum(goods_amount(order, line_id, units) for line_id, units in goods.items())
    if not any(goods.values()):
        return [fee for fee in fees if fee.delivery_group]
    return [
        fee.model_copy(update={"frozen": frozen_fee(order, percent(amount, Decimal(fee.percent)), fee.taxes)}) if fee.percent else fee
        for fee in fees
    ]


def goods_amount(order: Order, line_id: str, units: Units) -> int:
    """What units of a line cost, in the order's tax mode."""
    share = worth(order, line_id, units)
    return share.total if order.placed.tax_mode == "gross" else share.net


def frozen_fee(order: Order, amount: int, taxes: Sequence[PlacedTax], given: tuple[int | None, ...] = ()) -> Frozen:
    """A fee's amount with its taxes; those that are `given` as they are."""
    rates = tuple(Decimal(tax.rate) for tax in taxes)
    return freeze(quantity=1, mode=order.placed.tax_mode, rounding="line", price=amount, rates=rates, given_taxes=given)
