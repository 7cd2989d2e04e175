"""What agents do with process exceptions."""

from __future__ import annotations

from typing import Any

from oms.api.commands import Act, command
from oms.api.http import Answer, Api, asked, client_of, json_body, may, parsed, reply
from oms.api.service import chosen, order_id_of
from oms.errors import Forbidden, NotFound
from oms.flows.outages import decide as decide_outage
from oms.flows.shortages import annotate, decide
from oms.orders.order import Order
from oms.orders.view import exception_view
from oms.payments import breaker
from oms.payments.gift_cards import sells_cards
from oms.service import exceptions, shortages
from oms.service.exceptions import CloseRequest, ResolveRequest, RetryRequest, find
from oms.service.notes import NoteRequest, add_note


def act_on_exception(app: Api, exception_id: str, action: str) -> Answer:
    """retry, resolve, abandon; notes. NotFound for any other; Forbidden for letting goods go without money without the scope for it;
    Conflict for paying back a gift card that has been spent from."""
    body = json_body(app, required=action in ("resolve", "notes"))
    if exception_id.startswith((shortages.PREFIX, breaker.PREFIX)):
        return _act_apart(app, exception_id, action, body)

    def resolve(order: Order) -> None:
        request = parsed(body, ResolveRequest)
        if request.action == "release_anyway" and not may(app, "finance.write"):
            raise Forbidden("letting goods go without money needs the scope finance.write")
        problem = find(order, exception_id)
        if sells_cards(order):
            from oms.flows.gift_cards import refuse_spent  # noqa: PLC0415 few orders sell any

            refuse_spent(order, exceptions.would_pay(order, problem, request.action))
        exceptions.resolve(order, problem, request.action, request.note, client_of(app))

    acts: dict[str, Act] = {
        "retry": lambda order: exceptions.retry(order, find(order, exception_id), parsed(body, RetryRequest)),
        "resolve": resolve,
        "abandon": lambda order: exceptions.abandon(order, find(order, exception_id), parsed(body, CloseRequest).note),
        "notes": lambda order: add_note(order, parsed(body, NoteRequest), client_of(app), find(order, exception_id)),
    }
    act = chosen(acts, action, "an exception")

    def run(order: Order) -> str:
        act(order)
        return exception_id

    return command(app, order_id_of(exception_id, "exception"), run, exception_view, status=201 if action == "notes" else 200)


def _act_apart(app: Api, exception_id: str, action: str, body: Any) -> Answer:
    """On one that belongs to no order: of stock, of a gateway's outage."""
    if action == "notes":
        problem, replayed = annotate(exception_id, parsed(body, NoteRequest), client_of(app), asked(app))
        return reply(201, shortages.shortage_view(problem), version=problem.v, replayed=replayed)
    if action not in ("retry", "resolve", "abandon"):
        raise NotFound(f"an exception has no action '{action}'; it has abandon, notes, resolve, retry")
    resolve = parsed(body, ResolveRequest) if action == "resolve" else None
    given = resolve or parsed(body, CloseRequest)
    by = resolve.action if resolve else None
    actor = f"client:{client_of(app)}"
    if exception_id.startswith(breaker.PREFIX):
        problem, replayed = decide_outage(exception_id, action, by, given.note, asked(app), actor)
    else:
        problem, replayed = decide(exception_id, action, by, given.note, asked(app), actor)
    return reply(200, shortages.shortage_view(problem), version=problem.v, replayed=replayed)
