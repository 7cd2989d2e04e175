"""Approving a return, as far as it has to be approved itself: somebody decides there that the money goes back, unless a rule has."""

from __future__ import annotations

from oms.api.changes import Kind
from oms.api.kinds.returns import look
from oms.orders.order import Order
from oms.returns.lifecycle import approve
from oms.returns.records import Return
from oms.returns.requests import ReturnApproval
from oms.returns.states import expect, find
from oms.service.approvals import approved_as, ask_approval, needs_approval
from oms.service.limits import Agent
from oms.service.self_service import Caller
from oms.settings import Settings

_ROUTE = "return-approvals"


def approve_or_ask(order: Order, return_id: str, who: Agent, picture: Settings) -> str:
    """Approve a return. What is above the agent's limit waits for approval. Returns the id of the return, or of the change that waits. A
    return of an exchange was looked at with its exchange."""
    expect(find(order, return_id), "approve", "requested")
    asked = {"return_id": return_id}

    def act(fresh: Order) -> list[Return]:
        return _act(fresh, ReturnApproval.model_validate(asked), Caller("agent", who.id))

    if picture.roles and not any(change.exchange and change.exchange.return_id == return_id for change in order.changes.values()):
        now = look(order, act).figures
        if needs_approval(order, _ROUTE, now, who, picture):
            return ask_approval(order, _ROUTE, asked, now, who).id
    act(order)
    return return_id


def _act(order: Order, request: ReturnApproval, caller: Caller) -> list[Return]:
    ret = find(order, request.return_id)
    approve(order, ret)
    if order.approving:
        approved_as(order, order.approving, ret.id)
    return [ret]


KIND = Kind(_ROUTE, ReturnApproval, _act, look=look)
