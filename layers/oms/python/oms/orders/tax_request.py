"""A tax as callers name it: of lines, of what delivery costs, of fees."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from oms.wire import Amount, Name, Rate, Text, Wire


class Tax(Wire):
    """One tax: `amount` is taken as it is, otherwise computed from `rate`."""

    name: Name
    rate: Rate
    amount: Amount | None = None
    exempt_reason: Text | None = None
