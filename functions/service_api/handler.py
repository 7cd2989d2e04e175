"""What agents do: holds, notes, returns, process exceptions. Customers may do some of it for their own orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Response

from oms.api.commands import command
from oms.api.http import asked, client_of, create_api, json_body, may, parsed, reply
from oms.api.observe import observed
from oms.api.service import caller_of, request_return, return_answer
from oms.errors import Forbidden, NotFound
from oms.flows.outages import decide as decide_outage
from oms.flows.shortages import decide
from oms.fulfillment.work import follow_holds, to_follow
from oms.ids import order_of
from oms.orders import holds
from oms.orders.order import Order
from oms.orders.placing import HoldRequest
from oms.orders.records import Personal
from oms.orders.view import exception_view, order_view
from oms.payments import breaker
from oms.returns import returns
from oms.service import exceptions, notes, shortages
from oms.service.self_service import Caller
from oms.storage.orders import Cause, load, update
from oms.storage.settings import settings

app = create_api()


@app.post("/v1/orders/<order_id>/holds")
def post_hold(order_id: str) -> Response[str]:
    """Put a hold on an order."""
    request = parsed(json_body(app), HoldRequest)

    def hold(order: Order) -> None:
        order.must_be_live()
        holds.place_hold(order, request)
        follow_holds(order)
        unfollowed.append(bool(to_follow(order)))

    unfollowed: list[bool] = []
    answer = command(app, order_id, hold, _order, status=201)
    _follow_rest(order_id, unfollowed)
    return answer


@app.delete("/v1/orders/<order_id>/holds/<hold_id>")
def delete_hold(order_id: str, hold_id: str) -> Response[str]:
    """Release one hold."""

    def release(order: Order) -> None:
        holds.release_hold(order, hold_id)
        follow_holds(order)
        unfollowed.append(bool(to_follow(order)))

    unfollowed: list[bool] = []
    answer = command(app, order_id, release, _order)
    _follow_rest(order_id, unfollowed)
    return answer


def _follow_rest(order_id: str, unfollowed: list[bool]) -> None:
    """The work of a large order follows its holds in several commits; if this dies, `reconcile` does the rest."""
    order = load(order_id) if any(unfollowed) else None
    while order and to_follow(order):
        order = update(order_id, follow_holds, Cause(f"client:{client_of(app)}", "holds"))


@app.post("/v1/orders/<order_id>/notes")
def post_note(order_id: str) -> Response[str]:
    """Write a note."""
    request = parsed(json_body(app), notes.NoteRequest)
    return command(app, order_id, lambda order: notes.add_note(order, request, client_of(app)), _order, status=201)


@app.post("/v1/orders/<order_id>/returns")
def post_return(order_id: str) -> Response[str]:
    """Announce a return (RMA): any as an agent, one's own as a customer."""
    return request_return(app, order_id, caller_of(app))


@app.post("/v1/returns/<return_id>/<action>")
def post_return_action(return_id: str, action: str) -> Response[str]:
    """approve, reject, receive, close, cancel."""
    body = json_body(app, required=action == "receive")
    acts: dict[str, Callable[[Order], None]] = {
        "approve": lambda order: returns.approve(order, returns.find(order, return_id)),
        "reject": lambda order: returns.reject(order, returns.find(order, return_id), parsed(body, returns.ReasonRequest).reason),
        "cancel": lambda order: returns.cancel(order, returns.find(order, return_id)),
        "close": lambda order: returns.close(order, returns.find(order, return_id)),
        "receive": lambda order: returns.receive(order, returns.find(order, return_id), parsed(body, returns.ReceiveRequest), settings()),
    }
    act = _choose(acts, action, "return")

    def run(order: Order) -> str:
        act(order)
        return return_id

    return command(app, _order_id(return_id, "return"), run, _return)


@app.post("/v1/exceptions/<exception_id>/<action>")
def post_exception_action(exception_id: str, action: str) -> Response[str]:
    """retry, resolve, abandon."""
    body = json_body(app, required=action == "resolve")
    if exception_id.startswith((shortages.PREFIX, breaker.PREFIX)):
        return _decide_apart(exception_id, action, body)

    def resolve(order: Order) -> None:
        request = parsed(body, exceptions.ResolveRequest)
        if request.action == "release_anyway" and not may(app, "finance.write"):
            raise Forbidden("letting goods go without money needs the scope finance.write")
        exceptions.resolve(order, exceptions.find(order, exception_id), request.action, request.note, client_of(app))

    acts: dict[str, Callable[[Order], None]] = {
        "retry": lambda order: exceptions.retry(order, exceptions.find(order, exception_id), parsed(body, exceptions.RetryRequest)),
        "resolve": resolve,
        "abandon": lambda order: exceptions.abandon(
            order, exceptions.find(order, exception_id), parsed(body, exceptions.CloseRequest).note
        ),
    }
    act = _choose(acts, action, "exception")

    def run(order: Order) -> str:
        act(order)
        return exception_id

    return command(app, _order_id(exception_id, "exception"), run, exception_view)


def _decide_apart(exception_id: str, action: str, body: Any) -> Response[str]:
    """Exceptions that belong to no order: of stock, of a gateway's outage."""
    if action not in ("retry", "resolve", "abandon"):
        raise NotFound(f"an exception has no action '{action}'; it has abandon, resolve, retry")
    resolve = parsed(body, exceptions.ResolveRequest) if action == "resolve" else None
    given = resolve or parsed(body, exceptions.CloseRequest)
    by = resolve.action if resolve else None
    actor = f"client:{client_of(app)}"
    if exception_id.startswith(breaker.PREFIX):
        problem, replayed = decide_outage(exception_id, action, by, given.note, asked(app), actor)
    else:
        problem, replayed = decide(exception_id, action, by, given.note, asked(app), actor)
    return reply(200, shortages.shortage_view(problem), version=problem.v, replayed=replayed)


def _choose(acts: dict[str, Callable[[Order], None]], action: str, what: str) -> Callable[[Order], None]:
    if action not in acts:
        raise NotFound(f"an {what} has no action '{action}'; it has {', '.join(sorted(acts))}".replace("an r", "a r"))
    return acts[action]


def _order_id(record_id: str, what: str) -> str:
    order_id = order_of(record_id)
    if order_id is None:
        raise NotFound(f"there is no {what} '{record_id}'")
    return order_id


def _order(order: Order, _: Any) -> dict[str, Any]:
    return order_view(order, order.personal or Personal())


def _return(order: Order, return_id: str) -> dict[str, Any]:
    return return_answer(Caller("agent", client_of(app)), order, return_id)


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
