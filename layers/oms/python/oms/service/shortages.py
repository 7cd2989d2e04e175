"""Exceptions of stock: the shelf has less than was promised. They belong to no order; they name the orders now short."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from oms.errors import Conflict, Fault, invalid
from oms.service.records import ProcessException

PREFIX = "exc_stock-"
_MOST_ORDERS = 50


def shortage_id(cause: str) -> str:
    """Id of the exception that a cause (a count, a load, a finding) raises: the same cause raises it once."""
    return PREFIX + hashlib.sha256(cause.encode()).hexdigest()[:16]


def now_short(units: int, holders: Mapping[str, int]) -> list[dict[str, Any]]:
    """Whose reservations can no longer be kept, newest first, until the missing units are made up. Ids of orders sort by age."""
    named, left = [], units
    for owner in sorted(holders, key=lambda owner: owner.partition("_")[2], reverse=True):
        if left <= 0:
            break
        part = min(left, holders[owner])
        named.append({"order_id" if owner.startswith("ord_") else "reservation_id": owner, "units": part})
        left -= part
    return named


def shortage(cause: str, subject: str, rows: Sequence[Mapping[str, Any]], at: str) -> ProcessException:
    """One exception for all rows {sku, location_id, on_hand, reserved, short, orders}."""
    details = [
        {
            **row,
            "orders": list(row["orders"])[:_MOST_ORDERS],
            "more_orders": row.get("more_orders", max(0, len(row["orders"]) - _MOST_ORDERS)),
        }
        for row in rows
    ]
    units = sum(int(row["short"]) for row in rows)
    where = f"{rows[0]['sku']} at {rows[0]['location_id']}" if len(rows) == 1 else f"{len(rows)} SKUs and locations"
    return ProcessException(
        id=shortage_id(cause),
        kind="oversold",
        step="Count",
        cause=f"{units} units of {where} are promised and not there ({cause})",
        hint="The named orders are short, newest first. Put stock there and retry, or resolve with reroute: their work goes elsewhere.",
        actions=["retry", "resolve:reroute", "resolve:accept", "abandon"],
        subject=subject,
        opened_at=at,
        details=details,
    )


def widened(problem: ProcessException, cause: str, row: Mapping[str, Any]) -> ProcessException:
    """The exception of a cause with one more row."""
    more = shortage(cause, problem.subject or "", [*problem.details, row], problem.opened_at)
    return problem.model_copy(update={"cause": more.cause, "details": more.details})


def drift(sku: str, location_id: str, findings: Sequence[Mapping[str, Any]], at: str) -> ProcessException:
    """An exception for findings of the conservation check at one place, or in the queue of a SKU."""
    ids = ",".join(sorted(str(found["id"]) for found in findings))
    where = f"{sku} at {location_id}" if location_id else f"the queue of {sku}"
    return ProcessException(
        id=shortage_id(f"drift of {at[:10]}: {ids}"),
        kind="drift",
        step="Check",
        cause=f"{where} does not add up: " + "; ".join(str(found["detail"]) for found in findings)[:400],
        hint="Look at first_cause, then repair it (POST /v1/inventory/repairs, or oms check --repair) and resolve this with accept.",
        actions=["resolve:accept", "abandon"],
        subject=f"sku_{sku}",
        opened_at=at,
        details=[dict(found) for found in findings[:_MOST_ORDERS]],
    )


def close(problem: ProcessException, status: str, action: str, note: str | None, at: str) -> ProcessException:
    """The exception as decided. Conflict if it was decided before; Invalid for an action it does not offer."""
    if problem.status != "open":
        raise Conflict(f"exception {problem.id} is {problem.status} since {problem.closed_at}")
    offered = [name.removeprefix("resolve:") for name in problem.actions if name.startswith("resolve:")]
    if status == "resolved" and action not in offered:
        raise invalid(Fault(f"this exception can be resolved by {' or '.join(offered) or 'nothing'}; or use /retry, /abandon", "/action"))
    return problem.model_copy(update={"status": status, "action": action, "note": note, "closed_at": at})


def shortage_view(problem: ProcessException) -> dict[str, Any]:
    """As the API shows it: like a process exception, without an order or an execution."""
    return problem.model_dump(exclude={"v", "execution"}, exclude_none=True)
