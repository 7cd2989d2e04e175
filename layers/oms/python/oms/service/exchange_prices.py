"""What the new goods of an exchange cost: what the request says, or what the same SKU cost the customer on the old order, to the cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oms.errors import Fault, invalid
from oms.money.shares import Share
from oms.money.units import Units, count, lowest, minus
from oms.orders.order import Order
from oms.orders.placing import Adjustment, Line, Product
from oms.orders.records import PlacedLine
from oms.orders.tax_request import Tax
from oms.orders.worth import whole, worth
from oms.service.exchange_request import NewLine

Back = Mapping[str, Units]
"""The units of each line that come back."""


def new_lines(order: Order, rows: Sequence[NewLine], back: Back, group: str) -> list[Line]:
    """The lines of the new order, numbered from 1. Invalid, for each line, where neither the request nor the old order says a price."""
    faults = [
        Fault(f"required: order {order.placed.order_number} has no {row.sku} whose price it could take", f"/new_lines/{index}/unit_price")
        for index, row in enumerate(rows)
        if row.unit_price is None and known_line(order, row.sku, back) is None
    ]
    if faults:
        raise invalid(*faults)
    return [_line(order, str(number), row, back, group) for number, row in enumerate(rows, start=1)]


def known_line(order: Order, sku: str, back: Back) -> PlacedLine | None:
    """The line of the old order with that SKU, rather one that comes back; None if it has none."""
    found = [line for line in order.every_line if line.sku == sku]
    return next((line for line in found if line.id in back), found[0] if found else None)


def _line(order: Order, number: str, row: NewLine, back: Back, group: str) -> Line:
    known = known_line(order, row.sku, back)
    unit_price, taxes, adjustments = row.unit_price, row.taxes, row.adjustments
    if known and unit_price is None:
        share = paid_for(order, known.id, row.quantity, back.get(known.id, []))
        base = share.total if order.placed.tax_mode == "gross" else share.net
        unit_price = -(-base // row.quantity)
        cents = base - unit_price * row.quantity
        adjustments = [*([Adjustment(amount=cents, description="to what was paid, to the cent")] if cents else []), *adjustments]
        # A discount on top of it changes the taxes; without one they are what was paid.
        amounts = [None] * len(share.taxes) if row.adjustments else list(share.taxes)
        taxes = taxes if taxes is not None else _taxes(known, amounts)
    elif known and taxes is None:
        taxes = _taxes(known, [None] * len(known.taxes))
    product = row.product or (Product.model_validate(known.product) if known and known.product else None)
    return Line(
        id=number,
        sku=row.sku,
        name=row.name or (known.name if known else None),
        quantity=row.quantity,
        unit_price=unit_price or 0,
        delivery_group=group,
        taxes=taxes or [],
        adjustments=adjustments,
        backorder=row.backorder,
        product=product,
        metadata=row.metadata,
    )


def paid_for(order: Order, line_id: str, quantity: int, back: Units) -> Share:
    """What so many units of a line were sold for: those that come back first, then the others, the lowest numbers first; over again where
    there are not as many."""
    every = whole(order, line_id)
    rounds, rest = divmod(quantity, count(every))
    first = lowest(back, min(rest, count(back)))
    some = [*first, *lowest(minus(every, back), rest - count(first))]
    return worth(order, line_id, every) * rounds + worth(order, line_id, some)


def _taxes(line: PlacedLine, amounts: Sequence[int | None]) -> list[Tax]:
    return [
        Tax(name=tax.name, rate=tax.rate, amount=amount, exempt_reason=tax.exempt_reason)
        for tax, amount in zip(line.taxes, amounts, strict=True)
    ]
