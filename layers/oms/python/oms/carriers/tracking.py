"""Parcel statuses: late, repeated and reordered news is normal, and nothing ever moves backwards."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationError

from oms.errors import invalid
from oms.fulfillment.arrivals import arrive
from oms.fulfillment.records import Shipment
from oms.orders.order import Order
from oms.wire import Moment, Name, Number, Wire, faults_of

Status = Literal["pre_transit", "in_transit", "out_for_delivery", "delivered", "failure", "return_to_sender"]

_RANK = {"shipped": 0, "pre_transit": 0, "in_transit": 1, "out_for_delivery": 2, "failure": 2, "return_to_sender": 3, "delivered": 4}
_FINAL = ("delivered", "return_to_sender")


class Tracking(Wire):
    """News of one parcel, the same for all carriers."""

    tracking_number: Number
    carrier: Name | None = None
    status: Status
    occurred_at: Moment


def read_standard(body: dict[str, Any]) -> Tracking | None:
    """The news in a `standard` or `sandbox` body; None for types we do not know, which are acknowledged and ignored."""
    if body.get("type") != "tracking.updated":
        return None
    try:
        return Tracking.model_validate(body.get("data"))
    except ValidationError as error:
        raise invalid(*faults_of(error)) from None


READERS = {"standard": read_standard, "sandbox": read_standard}
"""Carrier name to the reader of its bodies; a name that is not here is unknown."""


def apply(order: Order, shipment: Shipment, news: Tracking) -> bool:
    """Move the parcel forward if this is news. False for what is old, repeated or would move it backwards."""
    at = news.occurred_at
    here, there = _RANK[shipment.status], _RANK[news.status]
    if shipment.status in _FINAL or there < here or news.status == shipment.status:
        return False
    if there == here and at <= shipment.status_at and shipment.status != "shipped":
        return False
    if news.status == "delivered":
        arrive(order, [shipment], at)
    else:
        shipment.status, shipment.status_at = news.status, at
        order.record("shipment." + news.status, shipment_id=shipment.id, fulfillment_order_id=shipment.fulfillment_order_id, occurred_at=at)
    return True
