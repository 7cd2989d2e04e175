"""`POST /v1/orders/{id}/exchanges`: goods that come back, and the goods that go out for them, in one request."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from oms.orders.placing import Adjustment, Charge, Product
from oms.orders.tax_request import Tax
from oms.payments.tender_request import Tender
from oms.returns.requests import OverrideRequest
from oms.service.asking import Asked
from oms.wire import Amount, Key, Metadata, Quantity, Text, Wire

MOST_BACK, MOST_NEW = 40, 30
"""Lines that come back, lines that go out: both orders change in one transaction."""


class BackLine(Wire):
    """Units of one line that the customer gives back: those that have arrived come back, those that have not left are cancelled."""

    line_id: Key
    quantity: Quantity
    reason: Text | None = None


class NewLine(Wire):
    """What goes out. Without a `unit_price` it costs what the same SKU cost on the old order, after its discounts, with its taxes."""

    sku: Key
    quantity: Quantity
    name: Text | None = None
    unit_price: Amount | None = None
    taxes: list[Tax] | None = Field(None, max_length=10)
    adjustments: list[Adjustment] = Field([], max_length=20)
    backorder: Literal["allow", "refuse"] = "refuse"
    product: Product | None = None
    metadata: Metadata = {}


class ExchangeRequest(Asked):
    """What comes back for what. `advance`: the new goods do not wait for the old ones. `payments`: what the old goods do not pay; with
    `advance` for all of the new order. `delivery_group`: of the old order, where the new goods go, by default with the first line."""

    return_lines: list[BackLine] = Field(min_length=1, max_length=MOST_BACK)
    new_lines: list[NewLine] = Field(min_length=1, max_length=MOST_NEW)
    delivery_group: Key | None = None
    delivery_charge: Charge | None = None
    reduce_shipping: bool = False
    advance: bool = False
    payments: list[Tender] = Field([], max_length=10)
    override: OverrideRequest | None = None
    reason: Text | None = None
