"""Returns as a way to change what an order costs: preview, quote, submit; by agents, customers and guests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from oms.api.changes import Foreseen, Kind, changed
from oms.api.service import return_answer
from oms.orders.order import Order
from oms.orders.view import line_views
from oms.payments.gift_cards import sells_cards
from oms.returns.announcing import request_return
from oms.returns.records import Return
from oms.returns.requests import RESOLUTIONS, ReturnRequest
from oms.returns.states import units_of
from oms.service.self_service import Caller
from oms.storage.settings import settings


def _announce(order: Order, request: ReturnRequest, caller: Caller) -> list[Return]:
    asked = order.approving
    ret = request_return(order, request, settings(), by=caller.id, self_service=caller.self_service)
    if sells_cards(order):
        from oms.flows.gift_cards import refuse_spent  # noqa: PLC0415 few orders sell any, and every cold start would pay for it

        refuse_spent(order, units_of(ret))
    if asked:
        from oms.service.approvals import approved_as  # noqa: PLC0415 few shops limit their agents

        approved_as(order, asked, ret.id)
    return [ret]


def look(order: Order, act: Callable[[Order], Sequence[Return]]) -> Foreseen:
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


KIND = Kind(
    "returns",
    ReturnRequest,
    _announce,
    self_service="return",
    look=look,
    view=view,
    made=201,
    limited=_pays_at_once,
    offered=RESOLUTIONS,
)
"""Limits are about goods that are taken back at once. For all others they are about approving the return (see return_approvals)."""
