"""Commands of the service stage that agents, customers and guests share: one code path, whoever asks, from whichever function."""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.api_gateway import Response

from oms.api.commands import command
from oms.api.http import client_of, json_body, may, parsed, subject_of
from oms.errors import Forbidden
from oms.orders.order import Order
from oms.orders.records import Personal
from oms.orders.view import order_view, return_view
from oms.payments.gift_cards import sells_cards
from oms.returns import returns
from oms.service.self_service import Caller, refuse_named
from oms.storage.settings import settings


def caller_of(app: APIGatewayHttpResolver) -> Caller:
    """Who calls a route that agents and customers share: the scope of the token says which. Forbidden with neither scope."""
    if may(app, "service.write"):
        return Caller("agent", client_of(app))
    if may(app, "self") and (subject := subject_of(app)):
        return Caller("customer", subject)
    raise Forbidden("this needs the scope service.write, or self for one's own orders")


def request_return(app: APIGatewayHttpResolver, order_id: str, caller: Caller) -> Response[str]:
    """Announce a return (RMA)."""
    body = json_body(app)
    if caller.self_service:
        refuse_named(body, "return")
    request = parsed(body, returns.ReturnRequest)

    def announce(order: Order) -> str:
        order.must_be_live()
        ret = returns.request_return(order, request, settings(), by=caller.id, self_service=caller.self_service)
        if sells_cards(order):
            from oms.flows.gift_cards import refuse_spent  # noqa: PLC0415 few orders sell any, and every cold start would pay for it

            refuse_spent(order, ret)
        return ret.id

    return command(app, order_id, announce, partial(return_answer, caller), status=201, caller=caller)


def return_answer(caller: Caller, order: Order, return_id: str) -> dict[str, Any]:
    """The return, and with it what every service call answers: the change and the order."""
    ret = returns.find(order, return_id)
    change = {"id": ret.id, "kind": "return", "status": returns.change_status(ret)}
    if caller.self_service:
        from oms.service.tracking import return_summary  # noqa: PLC0415 agents do not pay for it

        shown = return_summary(ret)
    else:
        shown = return_view(order, ret)
    return {**shown, "change": change, "order": order_answer(caller, order)}


def order_answer(caller: Caller, order: Order) -> dict[str, Any]:
    """The order as the caller may see it: agents the whole, customers and guests the tracking data."""
    personal = order.personal or Personal()
    if caller.self_service:
        from oms.service.tracking import tracking_view  # noqa: PLC0415 agents do not pay for it

        return tracking_view(order, personal)
    return order_view(order, personal)
