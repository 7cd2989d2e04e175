"""What callers send to have stock repaired."""

from __future__ import annotations

from pydantic import Field

from oms.wire import Key, Wire


class FindingRef(Wire):
    """A finding to repair, as the check named it: without `location_id` it is one of the whole SKU."""

    id: Key
    sku: Key
    location_id: Key | None = None
    owner: Key | None = None


class RepairRequest(Wire):
    """`POST /v1/inventory/repairs`."""

    findings: list[FindingRef] = Field(min_length=1, max_length=50)
    reason: str = Field(min_length=1, max_length=500)
