"""Lists of orders and their records, kept by the index `lists`: their names, their shards, and reading them page by page."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from oms.storage.environment import environment
from oms.storage.table import query

SHARDS = 16
ENDED_SHARDS = 4
ALARM_SHARDS = 4


def listed(
    name: str, *, newest_first: bool = True, limit: int = 50, after: str = "", since: str = "", until: str = "~"
) -> list[dict[str, Any]]:
    """Rows of a list (pk, sk, list, at), e.g. customer#c-1 or location#berlin; `after` is the `at` to go on from."""
    low, high = (since, after or until) if newest_first else (after or since, until)
    values = {":list": name, ":low": low or " ", ":high": high}
    rows = query(
        environment().orders_table,
        "#l = :list AND #a BETWEEN :low AND :high",
        values,
        IndexName="lists",
        ExpressionAttributeNames={"#l": "list", "#a": "at"},
        ScanIndexForward=not newest_first,
        Limit=limit + 1,
    )
    return [row for row in rows if row["at"] != after][:limit]


def status_list(status: str, shard: int) -> str:
    """Name of the list of orders in a status, one of 16 shards."""
    return f"status#{status}#{shard:02d}"


def status_lists(status: str) -> list[str]:
    """All shards of a status."""
    return [status_list(status, shard) for shard in range(SHARDS)]


def ended_list(at: str, shard: int) -> str:
    """Name of the list of entries that ended an order in the hour of `at`: where `reconcile` finds orders that are open no more."""
    return f"ended#{at[:13]}#{shard}"


def alarm_list(shard: int) -> str:
    """Name of the list of orders that the clock has to look at, by when."""
    return f"alarms#{shard}"


def shard_of(order_id: str) -> int:
    """The shard an order's status is listed in."""
    return crc32(order_id.encode()) % SHARDS
