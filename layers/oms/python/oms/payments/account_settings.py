"""What a merchant sets for a business customer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from oms.wire import Amount, Currency, Name, Wire


class AccountSettings(Wire):
    """`PUT /v1/accounts/{id}`. `credit_limit` (none: no limit) is in minor units of `currency`; orders in another currency then have no
    credit. Without a currency the limit counts for the orders of each currency by themselves.
    """

    credit_limit: Amount | None = None
    currency: Currency | None = None
    net_days: Annotated[int, Strict(), Field(ge=0, le=365)] | None = None
    vat_id: Name | None = None
    ship_complete: bool = False
