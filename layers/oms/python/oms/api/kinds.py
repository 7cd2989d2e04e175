"""The ways to change what an order costs that more than one function serves."""

from __future__ import annotations

from functools import cache
from typing import Any

from oms.api.changes import Kind
from oms.orders.order import Order
from oms.payments.records import Change
from oms.service import cancellations
from oms.service.self_service import Caller
from oms.storage.settings import settings


def _cancel(order: Order, request: cancellations.CancelRequest, caller: Caller) -> list[Change]:
    return [cancellations.cancel(order, request, settings(), caller.actor, self_service=caller.self_service)]


def _exchange(order: Order, request: Any, caller: Caller) -> list[Change]:
    from oms.flows.exchanges import desk  # noqa: PLC0415 few requests are exchanges, and every cold start would pay for it
    from oms.service.exchanges import exchange  # noqa: PLC0415

    return exchange(order, request, desk(), caller.actor, self_service=caller.self_service)


CANCELLATIONS = Kind("cancellations", cancellations.CancelRequest, _cancel, self_service="cancellation")
"""By agents, customers and guests."""


@cache
def exchanges() -> Kind:
    """By agents, customers and guests; its shape is read when the first comes. Its quote does not name who pays: that is decided when the
    customer has seen how much it is."""
    from oms.service.exchange_request import ExchangeRequest  # noqa: PLC0415 see above

    return Kind("exchanges", ExchangeRequest, _exchange, self_service="exchange", unquoted=frozenset({"payments"}))
