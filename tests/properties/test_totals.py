"""An order's totals are the sums of its lines', groups' and fees' amounts, as placed and as shown."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from oms.money.shares import Share
from oms.orders.placing import read_order
from oms.orders.pricing import Priced, price
from oms.orders.statuses import line_share, totals
from tests.properties.orders import bodies
from tests.unit.memory import World


def priced(body: dict[str, Any]) -> Priced:
    return price(read_order(body))


@given(bodies())
def test_totals_are_the_sums_of_the_parts(body: dict[str, Any]) -> None:
    result = priced(body)
    goods = [line.frozen for line in result.lines]
    charges = [group.frozen for group in result.groups if group.frozen]
    fees = [fee.frozen for fee in result.fees]
    sums = result.totals
    assert sums.product_amount == sum(line["unit_price"] * line["quantity"] for line in body["lines"])
    assert sums.adjustment_amount == sum(each["amount"] for part in [body, *body["lines"]] for each in part["adjustments"])
    assert sums.tax_amount == sum(part.tax for part in [*goods, *charges, *fees])
    assert sums.grand_total == sum(part.total for part in [*goods, *charges, *fees])
    before_tax = sums.product_amount + sums.adjustment_amount + sums.delivery_amount + sums.fee_amount
    assert sums.grand_total == before_tax + (sums.tax_amount if body["tax_mode"] == "net" else 0)
    assert min(sums.product_amount, sums.delivery_amount, sums.fee_amount, sums.tax_amount, sums.grand_total) >= 0


@given(bodies())
def test_a_charge_lies_on_its_lines_to_the_cent(body: dict[str, Any]) -> None:
    result = priced(body)
    for group in result.groups:
        laid = [line.delivery for line in result.lines if line.delivery_group == group.id and line.delivery]
        whole = group.frozen or Share()
        together = sum(laid, Share(taxes=(0,) * len(whole.taxes)))
        assert (together.total, together.tax) == (whole.total, whole.tax)
        for share in laid:
            assert share.total >= 0
            assert sum((share.unit(k) for k in range(1, share.quantity + 1)), Share()) == share.all_units()


@given(bodies())
def test_a_new_order_is_worth_what_it_was_placed_for(body: dict[str, Any]) -> None:
    world = World({sku: {"berlin": 100} for sku in "ABC"})
    order = world.place(body)
    assert totals(order) == priced(body).totals
    assert sum(tender["amount"] for tender in body["payments"]) == totals(order).grand_total
    assert sum(line_share(order, line.id).total for line in order.placed.lines) == sum(line.frozen.total for line in order.placed.lines)
