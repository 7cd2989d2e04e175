"""Units of a parcel are lost, damaged or missing."""

from __future__ import annotations

from oms.api.changes import Kind
from oms.flows.replacements import send_again
from oms.orders.order import Order
from oms.payments.records import Change
from oms.service.claims import ShipmentClaim, claim
from oms.service.self_service import Caller
from oms.storage.settings import settings


def _act(order: Order, request: ShipmentClaim, caller: Caller) -> list[Change]:
    return [claim(order, request, send_again, settings(), caller.actor)]


KIND = Kind("claims", ShipmentClaim, _act)
