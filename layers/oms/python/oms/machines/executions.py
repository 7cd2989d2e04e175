"""Which executions a record needs. The execution is named after the record; `run` rises whenever its work reopens (design section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from oms.machines.outcomes import is_asking
from oms.orders.order import Order
from oms.orders.quantities import needs_place

Machine = Literal["order", "fulfillment", "return", "change"]
SCHEMA = 1
"""Version of the execution input. Handlers accept every version that is still running."""


@dataclass(frozen=True)
class Execution:
    """An execution that should exist: its machine, its record and the record's run, and its input (ids only, no personal data)."""

    machine: Machine
    record_id: str
    run: int
    input: dict[str, Any]

    @property
    def name(self) -> str:
        """The record's id, from the second run on with the run's number."""
        return self.record_id if self.run == 1 else f"{self.record_id}-{self.run}"


def order_execution(order: Order) -> Execution:
    """The order machine's execution for the order's present run."""
    first = "capture" if order.summary.status == "received" else "allocate"
    return _execution(order, "order", order.id, order.summary.run, outcome={"next": first})


def fulfillment_execution(order: Order, fulfillment_order_id: str) -> Execution:
    """A fulfillment order's execution for its present run."""
    return _execution(order, "fulfillment", fulfillment_order_id, order.fulfillment_orders[fulfillment_order_id].run)


def return_execution(order: Order, return_id: str) -> Execution:
    """A return's execution for its present run."""
    return _execution(order, "return", return_id, order.returns[return_id].run)


def change_execution(order: Order, change_id: str) -> Execution:
    """A change's execution for its present run."""
    return _execution(order, "change", change_id, order.changes[change_id].run)


def needed(order: Order) -> list[Execution]:
    """Executions that must be running because their record is not at its end: what `reconcile` compares with what is."""
    out: list[Execution] = []
    states = order.summary.lines.values()
    unallocated = any(needs_place(state) or state.backordered for state in states)
    if order.summary.status == "received" or (order.summary.status not in ("declined", "cancelled") and unallocated):
        out.append(order_execution(order))
    for fo in order.fulfillment_orders.values():
        over = not is_asking(order, fo) if fo.status in ("rejected", "cancelled", "expired") else fo.status == "delivered"
        if not over or any(s.to_invoice for s in order.shipments_of(fo.id)):
            out.append(fulfillment_execution(order, fo.id))
    for ret in order.returns.values():
        if ret.status not in ("settled", "rejected", "cancelled", "expired"):
            out.append(return_execution(order, ret.id))
    out += [change_execution(order, change.id) for change in order.changes.values() if change.status == "pending" and change.moves]
    return [execution for execution in out if execution.record_id not in order.given_up]


def started_by(order: Order, fact_type: str, data: dict[str, Any]) -> Execution | None:
    """The execution that a fact calls for, if the stored record (which may be ahead of the fact) still has that record."""
    if fact_type in ("order.captured", "order.reopened") or (fact_type == "order.received" and order.summary.asynchronous):
        return order_execution(order)
    work = ("fulfillment_order.created", "fulfillment_order.reopened")
    if fact_type in work and data["fulfillment_order_id"] in order.fulfillment_orders:
        return fulfillment_execution(order, data["fulfillment_order_id"])
    if (
        fact_type in ("change.requested", "change.settling")
        and data["change_id"] in order.changes
        and order.changes[data["change_id"]].moves
    ):
        return change_execution(order, data["change_id"])
    if fact_type == "return.requested" and data["return_id"] in order.returns:
        return return_execution(order, data["return_id"])
    return None


def console_url(execution_arn: str) -> str:
    """Where an operator sees the execution."""
    region = execution_arn.split(":")[3]
    return f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{execution_arn}"


def _execution(order: Order, machine: Machine, record_id: str, run: int, **more: Any) -> Execution:
    ids = {"order": {}}.get(machine, {"fulfillment_order_id" if machine == "fulfillment" else f"{machine}_id": record_id})
    return Execution(
        machine,
        record_id,
        run,
        {
            "schema": SCHEMA,
            "order_id": order.id,
            "order_number": order.placed.order_number,
            "channel": order.placed.channel,
            "run": run,
            **ids,
            **more,
        },
    )
