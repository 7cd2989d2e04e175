"""Returns as a way to change what an order costs: preview, quote, submit; by agents, customers and guests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from oms.api.changes import Foreseen, Kind, changed
from oms.api.service import return_answer
from oms.orders.order import Order
from oms.orders.records import Return
from oms.orders.view import line_views
from oms.payments.gift_cards import sells_cards
from oms.returns import lifecycle
from oms.returns.announcing import request_return
from oms.returns.requests import RESOLUTIONS, ReturnApproval, ReturnRequest
from oms.returns.states import expect, find
from oms.service.approvals import approved_as, ask_approval, needs_approval
from oms.service.limits import Agent
from oms.service.self_service import Caller
from oms.settings import Settings
from oms.storage.settings import settings


def _announce(order: Order, request: ReturnRequest, caller: Caller) -> list[Return]:
    asked = order.approving
    ret = request_return(order, request, settings(), by=caller.id, self_service=caller.self_service)
    if sells_cards(order):
        from oms.flows.gift_cards import refuse_spent  # noqa: PLC0415 few orders sell any, and every cold start would pay for it

        refuse_spent(order, ret)
    if asked:
        approved_as(order, asked, ret.id)
    return [ret]


def _look(order: Order, act: Callable[[Order], Sequence[Return]]) -> Foreseen:
    """As if everything arrived, and was settled."""
    from oms.returns.preview import foresee  # noqa: PLC0415 many returns are asked for without a preview

    after, ret, figures = foresee(order, lambda copy: act(copy)[-1])
    touched = {line.line_id for line in ret.lines}
    return Foreseen(figures, [row for row in line_views(after) if row["id"] in touched])


def view(caller: Caller, order: Order, subject: Any) -> dict[str, Any]:
    """What a call about a return answers: the return, or the change that waits for approval."""
    return return_answer(caller, order, subject) if str(subject).startswith("ret_") else changed(caller, order, subject)


def _pays_at_once(request: ReturnRequest) -> bool:
    return request.mode == "immediate"


RETURNS = Kind(
    "returns",
    ReturnRequest,
    _announce,
    self_service="return",
    look=_look,
    view=view,
    made=201,
    limited=_pays_at_once,
    offered=RESOLUTIONS,
)
"""Limits are about goods that are taken back at once. For all others they are about approving the return (`approve`)."""


def _approve(order: Order, request: ReturnApproval, caller: Caller) -> list[Return]:
    ret = find(order, request.return_id)
    lifecycle.approve(order, ret)
    if order.approving:
        approved_as(order, order.approving, ret.id)
    return [ret]


APPROVALS = Kind("return-approvals", ReturnApproval, _approve, look=_look)
"""Approving a return, as far as it has to be approved itself."""


def approve(order: Order, return_id: str, who: Agent, picture: Settings) -> str:
    """Approve a return: somebody decides here that the money goes back, unless a rule has. What is above the agent's limit waits for
    approval. Returns the id of the return, or of the change that waits. A return of an exchange was looked at with its exchange."""
    expect(find(order, return_id), "approve", "requested")
    asked = {"return_id": return_id}

    def act(fresh: Order) -> list[Return]:
        return _approve(fresh, ReturnApproval.model_validate(asked), Caller("agent", who.id))

    if picture.roles and not any(change.exchange and change.exchange.return_id == return_id for change in order.changes.values()):
        now = _look(order, act).figures
        if needs_approval(order, APPROVALS.route, now, who, picture):
            return ask_approval(order, APPROVALS.route, asked, now, who).id
    act(order)
    return return_id
