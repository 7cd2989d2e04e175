"""What agents do with a return that was announced."""

from __future__ import annotations

from functools import partial
from typing import Any

from oms.api.changes import status_of
from oms.api.commands import Act, command
from oms.api.http import Answer, Api, client_of, json_body, parsed
from oms.api.kinds.returns import view
from oms.api.service import agent_of, chosen
from oms.orders.order import Order
from oms.returns import lifecycle
from oms.returns.receiving import MayGive, receive
from oms.returns.requests import LabelRequest, ReasonRequest, ReceiveRequest
from oms.returns.states import find
from oms.service.notes import NoteRequest, add_note
from oms.storage.settings import settings


def act_on_return(app: Api, order_id: str, return_id: str, action: str) -> Answer:
    """approve, reject, labels, receive, close, cancel; notes. NotFound for any other."""
    body = json_body(app, required=action in ("receive", "notes"))
    acts: dict[str, Act] = {
        "approve": lambda order: _approve(app, order, return_id),
        "reject": lambda order: lifecycle.reject(order, find(order, return_id), parsed(body, ReasonRequest).reason),
        "cancel": lambda order: lifecycle.cancel(order, find(order, return_id)),
        "close": lambda order: lifecycle.close(order, find(order, return_id)),
        "receive": lambda order: receive(
            order, find(order, return_id), parsed(body, ReceiveRequest), settings(), _may_give(app, order.placed.currency)
        ),
        "labels": lambda order: _want_label(order, body, return_id),
        "notes": lambda order: add_note(order, parsed(body, NoteRequest), client_of(app), find(order, return_id)),
    }
    act = chosen(acts, action, "a return")

    def run(order: Order) -> str:
        made = act(order)
        return made if isinstance(made, str) else return_id  # what waits for approval, else the return

    status = {"notes": 201, "labels": 202}.get(action, 200)
    return command(app, order_id, run, partial(view, agent_of(app)), status=partial(status_of, status))


def _approve(app: Api, order: Order, return_id: str) -> str:
    if not settings().roles:
        lifecycle.approve(order, find(order, return_id))
        return return_id
    from oms.api.agents import agent  # noqa: PLC0415 few shops limit their agents
    from oms.api.kinds.return_approvals import approve_or_ask  # noqa: PLC0415

    return approve_or_ask(order, return_id, agent(app, settings()), settings())


def _may_give(app: Api, currency: str) -> MayGive | None:
    """How much the caller may give away for goods that nobody announced; None where the shop limits nobody."""
    picture = settings()
    if not picture.roles:
        return None
    from oms.api.agents import agent  # noqa: PLC0415 as above
    from oms.service.limits import exceeds  # noqa: PLC0415

    who = agent(app, picture)
    return lambda amount: not exceeds(who, "refund", amount, currency, picture)


def _want_label(order: Order, body: Any, return_id: str) -> None:
    from oms.returns.labels import want_label  # noqa: PLC0415 many shops let customers find their own way back

    want_label(order, find(order, return_id), parsed(body, LabelRequest))
