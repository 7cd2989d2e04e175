"""What agents do with a return that was announced."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.api_gateway import Response

from oms.api.commands import Act, command
from oms.api.http import client_of, json_body, parsed
from oms.api.service import agent_of, chosen, return_answer
from oms.orders.order import Order
from oms.returns import lifecycle
from oms.returns.receiving import receive
from oms.returns.requests import LabelRequest, ReasonRequest, ReceiveRequest
from oms.returns.states import find
from oms.service.notes import NoteRequest, add_note
from oms.storage.settings import settings


def act_on_return(app: APIGatewayHttpResolver, order_id: str, return_id: str, action: str) -> Response[str]:
    """approve, reject, labels, receive, close, cancel; notes. NotFound for any other."""
    body = json_body(app, required=action in ("receive", "notes"))
    acts: dict[str, Act] = {
        "approve": lambda order: lifecycle.approve(order, find(order, return_id)),
        "reject": lambda order: lifecycle.reject(order, find(order, return_id), parsed(body, ReasonRequest).reason),
        "cancel": lambda order: lifecycle.cancel(order, find(order, return_id)),
        "close": lambda order: lifecycle.close(order, find(order, return_id)),
        "receive": lambda order: receive(order, find(order, return_id), parsed(body, ReceiveRequest), settings()),
        "labels": lambda order: _want_label(order, body, return_id),
        "notes": lambda order: add_note(order, parsed(body, NoteRequest), client_of(app), find(order, return_id)),
    }
    act = chosen(acts, action, "a return")

    def run(order: Order) -> str:
        act(order)
        return return_id

    def view(order: Order, _: Any) -> dict[str, Any]:
        return return_answer(agent_of(app), order, return_id)

    return command(app, order_id, run, view, status={"notes": 201, "labels": 202}.get(action, 200))


def _want_label(order: Order, body: Any, return_id: str) -> None:
    from oms.returns.labels import want_label  # noqa: PLC0415 many shops let customers find their own way back

    want_label(order, find(order, return_id), parsed(body, LabelRequest))
