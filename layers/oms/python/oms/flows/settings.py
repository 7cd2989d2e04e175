"""Changing a setting: what it refers to must be there."""

from __future__ import annotations

from typing import Any

from oms.errors import Fault, invalid
from oms.storage.settings import put_setting, setting
from oms.wire import Wire


def change_setting(kind: str, key: str, request: Wire) -> dict[str, Any]:
    """Put the whole of one setting; returns it as it is stored. Invalid for a rule group that names a cost table there is none of: it
    would weigh costs that nobody knows."""
    values = request.model_dump()
    table = values.get("cost_table") if kind == "rule-groups" else None
    if table and setting("cost-tables", table) is None:
        raise invalid(Fault(f"there is no cost table '{table}'; put it under /v1/routing/cost-tables first", "/cost_table"))
    return put_setting(kind, key, values)
