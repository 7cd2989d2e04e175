"""Add lines, change quantities, prices, addresses, methods."""

from __future__ import annotations

from oms.api.changes import Kind
from oms.orders.order import Order
from oms.payments.records import Change
from oms.service.edits import EditRequest, edit
from oms.service.self_service import Caller
from oms.storage.inventory import stock_of
from oms.storage.settings import settings


def _act(order: Order, request: EditRequest, caller: Caller) -> list[Change]:
    return [edit(order, request, stock_of, settings(), caller.actor)]


KIND = Kind("edits", EditRequest, _act)
