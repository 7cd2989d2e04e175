"""The ways to change what an order costs, by the names of their routes. One module each (`KIND`), which is read when the first comes: a
function pays for what it is asked for, not for all it could be asked for.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from oms.api.changes import Kind

ROUTES = ("adjustments", "cancellations", "claims", "edits", "exchanges", "refunds", "reshipments", "return-approvals", "returns")
"""What there is; the module of each has its name."""


@cache
def kind_of(route: str) -> Kind:
    """The kind of a route."""
    kind: Kind = import_module(f"{__name__}.{route.replace('-', '_')}").KIND
    return kind
