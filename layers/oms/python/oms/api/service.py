"""Commands of the service stage that agents, customers and guests share: one code path, whoever asks, from whichever function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oms.api.commands import Act
from oms.api.http import Api, client_of, may, subject_of
from oms.errors import Forbidden, NotFound
from oms.ids import order_of
from oms.orders.order import Order
from oms.orders.records import Personal
from oms.orders.view import order_view, return_view
from oms.returns.states import change_status, find
from oms.service.self_service import Caller


def caller_of(app: Api) -> Caller:
    """Who calls a route that agents and customers share: the scope of the token says which. Forbidden with neither scope."""
    if may(app, "service.write"):
        return Caller("agent", client_of(app))
    if may(app, "self") and (subject := subject_of(app)):
        return Caller("customer", subject)
    raise Forbidden("this needs the scope service.write, or self for one's own orders")


def agent_of(app: Api) -> Caller:
    """The caller of a route that is for agents alone."""
    return Caller("agent", client_of(app))


def order_id_of(record_id: str, what: str) -> str:
    """The order that a record is of; NotFound for an id that belongs to none."""
    order_id = order_of(record_id)
    if order_id is None:
        raise NotFound(f"there is no {what} '{record_id}'")
    return order_id


def chosen(acts: Mapping[str, Act], action: str, what: str) -> Act:
    """One of the actions that a record has; NotFound names them all."""
    if action not in acts:
        raise NotFound(f"{what} has no action '{action}'; it has {', '.join(sorted(acts))}")
    return acts[action]


def answer_with_order(order: Order, _: Any) -> dict[str, Any]:
    """The whole order, as agents see it."""
    return order_view(order, order.personal or Personal())


def return_answer(caller: Caller, order: Order, return_id: str) -> dict[str, Any]:
    """The return, and with it what every service call answers: the change and the order."""
    ret = find(order, return_id)
    change = {"id": ret.id, "kind": "return", "status": change_status(ret)}
    if caller.self_service:
        from oms.service.tracking import return_summary  # noqa: PLC0415 agents do not pay for it

        shown = return_summary(order, ret)
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
