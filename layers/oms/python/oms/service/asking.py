"""How every change to an order's price may be asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from oms.wire import Wire


class Asked(Wire):
    """`preview`: only to see what it would come to, nothing is written. `quote_id`: only if it comes to what that preview said."""

    preview: bool = False
    quote_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
