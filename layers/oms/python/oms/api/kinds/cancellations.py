"""Cancel units: by agents, customers and guests."""

from __future__ import annotations

from oms.api.changes import Kind
from oms.orders.order import Order
from oms.payments.records import Change
from oms.service.cancellations import CancelRequest, cancel
from oms.service.self_service import Caller
from oms.storage.settings import settings


def _act(order: Order, request: CancelRequest, caller: Caller) -> list[Change]:
    return [cancel(order, request, settings(), caller.actor, self_service=caller.self_service)]


KIND = Kind("cancellations", CancelRequest, _act, self_service="cancellation")
