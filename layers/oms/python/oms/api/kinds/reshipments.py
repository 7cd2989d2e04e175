"""Send units that have left once more, for nothing."""

from __future__ import annotations

from oms.api.changes import Kind
from oms.flows.replacements import send_again
from oms.orders.order import Order
from oms.payments.records import Change
from oms.service.reshipments import ReshipRequest, reship
from oms.service.self_service import Caller
from oms.storage.settings import settings


def _act(order: Order, request: ReshipRequest, caller: Caller) -> list[Change]:
    return [reship(order, request, send_again, settings(), caller.actor)]


KIND = Kind("reshipments", ReshipRequest, _act)
