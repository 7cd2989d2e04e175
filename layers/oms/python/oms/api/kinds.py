"""The ways to change what an order costs that more than one function serves."""

from __future__ import annotations

from oms.api.changes import Kind
from oms.orders.order import Order
from oms.payments.records import Change
from oms.service import cancellations
from oms.service.self_service import Caller
from oms.storage.settings import settings


def _cancel(order: Order, request: cancellations.CancelRequest, caller: Caller) -> list[Change]:
    return [cancellations.cancel(order, request, settings(), caller.actor, self_service=caller.self_service)]


CANCELLATIONS = Kind("cancellations", cancellations.CancelRequest, _cancel, self_service="cancellation")
"""By agents, customers and guests."""
