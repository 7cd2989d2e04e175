"""Parcels reach the customer, or never do. What was written off and arrives all the same stays written off, and a person is told."""

from __future__ import annotations

from collections.abc import Iterable

from oms.fulfillment.records import FulfillmentOrder, Shipment
from oms.money.units import Units, count, minus, union
from oms.orders.order import Order
from oms.service.opening import exception_about, put_before_somebody

KIND = "written_off_arrived"
_HINT = "The customer was given a refund or a replacement for it. Ask for the goods back, or leave them to the customer; then resolve it."


def arrive(order: Order, shipments: Iterable[Shipment], at: str, *, assumed: bool = False) -> None:
    """Parcels reached the customer. `assumed`: nobody says so, their time is over.

    A unit is delivered once: by the parcel that was sold, if it was not written off before. A replacement changes nothing about that.
    """
    for parcel in shipments:
        parcel.status, parcel.status_at, parcel.delivered_at = "delivered", at, at
        for line_id in parcel.lines:
            if not parcel.replaces:
                order.summary.lines[line_id].delivered += count(parcel.brings(line_id))
            recount(order, line_id)
        order.record("shipment.delivered", shipment_id=parcel.id, fulfillment_order_id=parcel.fulfillment_order_id, delivered_at=at)
        if parcel.written_off and not assumed:
            _raise(order, parcel)
        follow_parcels(order, order.fulfillment_orders[parcel.fulfillment_order_id])


def write_off(order: Order, parcel: Shipment, line_id: str, units: Units) -> None:
    """Units of a parcel will never come, or never came: of what was sold they are lost. A replacement that is lost has replaced nothing."""
    parcel.written_off = {**parcel.written_off, line_id: union(parcel.written_off.get(line_id, []), units)}
    state = order.summary.lines[line_id]
    if parcel.replaces:
        state.reshipped -= count(units)
    else:
        state.lost += count(units)
        state.lost_delivered += count(units) if parcel.delivered_at else 0
    recount(order, line_id)


def recount(order: Order, line_id: str) -> None:
    """Count anew of how many lost units the replacement has arrived: the customer has those after all."""
    lost = union(*(parcel.written_off.get(line_id, []) for parcel in order.sold))
    there = union(*(parcel.brings(line_id) for parcel in order.shipments.values() if parcel.replaces and parcel.delivered_at))
    order.summary.lines[line_id].lost_replaced = count(lost) - count(minus(lost, there))


def follow_parcels(order: Order, fo: FulfillmentOrder) -> None:
    """Shipped work is delivered when nothing of it is on its way any more."""
    if fo.status == "shipped" and not order.under_way(fo.id):
        fo.status = "delivered"
        order.record("fulfillment_order.delivered", fulfillment_order_id=fo.id)


def _raise(order: Order, parcel: Shipment) -> None:
    lines = {line_id: count(units) for line_id, units in parcel.written_off.items()}
    named = ", ".join(f"{units} of line {line_id}" for line_id, units in lines.items())
    order.record("shipment.written_off_arrived", shipment_id=parcel.id, fulfillment_order_id=parcel.fulfillment_order_id, lines=lines)
    put_before_somebody(
        order,
        exception_about(order, f"{parcel.id}/{KIND}"),
        kind=KIND,
        step="Deliver",
        cause=f"parcel {parcel.tracking_number or parcel.id} has arrived, and {named} in it was written off",
        hint=_HINT,
        actions=["resolve:accept", "abandon"],
        subject=parcel.fulfillment_order_id,
    )
