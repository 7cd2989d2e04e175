"""Fees as callers name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from oms.orders.order import Order
from oms.orders.records import PlacedTax
from oms.orders.tax_request import Tax
from oms.payments.records import ChangeFee
from oms.service.fees import frozen_fee
from oms.wire import Amount, Key, Rate, Wire


class FeeRequest(Wire):
    """A fee as callers name it: `amount` or `percent`, in the order's tax mode."""

    code: Key
    amount: Amount | None = None
    percent: Rate | None = None
    taxes: list[Tax] = Field([], max_length=10)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.amount is None) == (self.percent is None):
            raise ValueError("a fee has an amount or a percent")
        return self


def fees_of(order: Order, requests: Sequence[FeeRequest]) -> list[ChangeFee]:
    """The fees with what is fixed of them; `with_goods` says what a percentage comes to."""
    return [
        ChangeFee(
            code=fee.code,
            percent=fee.percent,
            taxes=_names(fee),
            frozen=frozen_fee(order, fee.amount or 0, _names(fee), tuple(tax.amount for tax in fee.taxes)),
        )
        for fee in requests
    ]


def _names(fee: FeeRequest) -> list[PlacedTax]:
    return [PlacedTax(name=tax.name, rate=tax.rate, exempt_reason=tax.exempt_reason) for tax in fee.taxes]
