"""Holds that agents put on orders and release."""

from __future__ import annotations

from oms.api.agents import has
from oms.api.commands import Act, command
from oms.api.http import Answer, Api, client_of, json_body, parsed
from oms.api.service import answer_with_order
from oms.errors import invalid
from oms.flows.holds import follow_rest
from oms.fulfillment.work import follow_holds, to_follow
from oms.orders.hold_request import HoldRequest
from oms.orders.holds import place_hold, release_hold
from oms.orders.order import Order
from oms.service.exceptions import hold_released
from oms.service.reasons import check_reason
from oms.storage.orders import Cause, load
from oms.storage.settings import settings


def hold(app: Api, order_id: str) -> Answer:
    """Put a hold on an order; its work waits."""
    request = parsed(json_body(app), HoldRequest)

    def place(order: Order) -> None:
        order.must_be_live()
        faults = check_reason(settings(), "hold", request.kind, "/kind")
        if faults:
            raise invalid(*faults)
        place_hold(order, request)

    return _and_follow(app, order_id, place, status=201)


def release(app: Api, order_id: str, hold_id: str) -> Answer:
    """Release one hold, if the caller may; its work goes on."""

    def let_go(order: Order) -> None:
        hold_released(order, release_hold(order, hold_id, client_of(app), lambda right: has(app, right, settings())))

    return _and_follow(app, order_id, let_go)


def _and_follow(app: Api, order_id: str, act: Act, status: int = 200) -> Answer:
    """The work of a large order follows in several commits; none on a repetition."""

    def run(order: Order) -> None:
        act(order)
        follow_holds(order)
        unfollowed.append(bool(to_follow(order)))

    unfollowed: list[bool] = []
    answer = command(app, order_id, run, answer_with_order, status=status)
    if any(unfollowed):
        follow_rest(load(order_id), Cause(f"client:{client_of(app)}", "holds"))
    return answer
