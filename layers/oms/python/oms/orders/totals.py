"""What an order, or a part of it, amounts to."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from collections.abc import Sequence

from oms.orders.records import PlacedFee, PlacedGroup, PlacedLine
from oms.stored import Stored


class Totals(Stored):
    """Order amounts in tax mode; `tax_amount` is all tax, `grand_total` what the customer pays (contract: Orders)."""

    product_amount: int = 0
    adjustment_amount: int = 0
    delivery_amount: int = 0
    fee_amount: int = 0
    tax_amount: int = 0
    grand_total: int = 0


def totals_of(lines: Sequence[PlacedLine], groups: Sequence[PlacedGroup], fees: Sequence[PlacedFee]) -> Totals:
    """Totals as placed."""
    goods = [line.frozen for line in lines]
    charges = [group.frozen for group in groups if group.frozen]
    extras = [fee.frozen for fee in fees]
    everything = [*goods, *charges, *extras]
    return Totals(
        product_amount=sum(share.price for share in goods),
        adjustment_amount=sum(share.adjustment + share.order_adjustment for share in goods),
        delivery_amount=sum(share.price + share.adjustment for share in charges),
        fee_amount=sum(share.price for share in extras),
        tax_amount=sum(share.tax for share in everything),
        grand_total=sum(share.total for share in everything),
    )
