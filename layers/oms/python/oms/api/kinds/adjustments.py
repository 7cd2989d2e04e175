"""Take something off the price of lines or delivery charges, or put something on."""

from __future__ import annotations

from oms.api.changes import Kind
from oms.orders.order import Order
from oms.payments.records import Change
from oms.service.adjustments import AdjustRequest, adjust
from oms.service.self_service import Caller
from oms.storage.settings import settings


def _act(order: Order, request: AdjustRequest, caller: Caller) -> list[Change]:
    return adjust(order, request, settings(), caller.actor)


KIND = Kind("adjustments", AdjustRequest, _act)
