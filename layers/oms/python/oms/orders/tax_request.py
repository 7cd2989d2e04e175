"""A tax as callers name it: of lines, of what delivery costs, of fees."""

from __future__ import annotations

from oms.wire import Amount, Name, Rate, Text, Wire


class Tax(Wire):
    """One tax: `amount` is taken as it is, otherwise computed from `rate`."""

    name: Name
    rate: Rate
    amount: Amount | None = None
    exempt_reason: Text | None = None
