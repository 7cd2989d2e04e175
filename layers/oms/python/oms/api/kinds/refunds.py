"""Give money back without a return, for goodwill."""

from __future__ import annotations

from oms.api.changes import Kind
from oms.orders.order import Order
from oms.payments.records import Change
from oms.service.goodwill import GoodwillRequest, refund
from oms.service.self_service import Caller
from oms.storage.settings import settings


def _act(order: Order, request: GoodwillRequest, caller: Caller) -> list[Change]:
    return [refund(order, request, settings(), caller.actor)]


KIND = Kind("refunds", GoodwillRequest, _act)
