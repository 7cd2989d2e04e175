"""Take goods back and send others for them, in a new order: by agents, customers and guests."""

from __future__ import annotations

from oms.api.changes import Kind
from oms.flows.exchanges import desk
from oms.orders.order import Order
from oms.payments.records import Change
from oms.service.exchange_request import ExchangeRequest
from oms.service.exchanges import exchange
from oms.service.self_service import Caller


def _act(order: Order, request: ExchangeRequest, caller: Caller) -> list[Change]:
    return exchange(order, request, desk(), caller.actor, self_service=caller.self_service)


KIND = Kind("exchanges", ExchangeRequest, _act, self_service="exchange", unquoted=frozenset({"payments"}))
"""Its quote does not name who pays: that is decided when the customer has seen how much it is."""
