"""What agents do: holds, notes, cancellations, adjustments, edits, reshipments, claims, goodwill, approvals, returns, process exceptions.
Customers may do some of it for their own orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Response

from oms.api.agents import has
from oms.api.changes import Kind, change_order, decide_approval
from oms.api.commands import command
from oms.api.http import asked, client_of, create_api, json_body, may, parsed, reply
from oms.api.kinds import CANCELLATIONS, exchanges
from oms.api.observe import observed
from oms.api.returns import RETURNS
from oms.api.service import caller_of, return_answer
from oms.errors import Forbidden, NotFound
from oms.flows.holds import follow_rest
from oms.flows.outages import decide as decide_outage
from oms.flows.replacements import send_again
from oms.flows.shortages import annotate, decide
from oms.fulfillment.work import follow_holds, to_follow
from oms.ids import order_of
from oms.orders import holds
from oms.orders.hold_request import HoldRequest
from oms.orders.order import Order
from oms.orders.records import Personal, ProcessException, Return
from oms.orders.view import exception_view, order_view
from oms.payments import breaker
from oms.payments.records import Change
from oms.returns import lifecycle, requests
from oms.returns.receiving import receive
from oms.returns.states import find as find_return
from oms.service import adjustments, claims, edits, exceptions, goodwill, notes, reshipments, shortages
from oms.service.self_service import Caller
from oms.storage.inventory import stock_of
from oms.storage.orders import Cause, load
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
        hold = holds.release_hold(order, hold_id, client_of(app), lambda right: has(app, right, settings()))
        exceptions.hold_released(order, hold)
        follow_holds(order)
        unfollowed.append(bool(to_follow(order)))

    unfollowed: list[bool] = []
    answer = command(app, order_id, release, _order)
    _follow_rest(order_id, unfollowed)
    return answer


def _follow_rest(order_id: str, unfollowed: list[bool]) -> None:
    if any(unfollowed):
        follow_rest(load(order_id), Cause(f"client:{client_of(app)}", "holds"))


@app.post("/v1/orders/<order_id>/notes")
def post_note(order_id: str) -> Response[str]:
    """Write a note."""
    request = parsed(json_body(app), notes.NoteRequest)
    return command(app, order_id, lambda order: notes.add_note(order, request, client_of(app)), _order, status=201)


def _adjust(order: Order, request: adjustments.AdjustRequest, caller: Caller) -> Sequence[Change]:
    return adjustments.adjust(order, request, settings(), caller.actor)


def _edit(order: Order, request: edits.EditRequest, caller: Caller) -> Sequence[Change]:
    return [edits.edit(order, request, stock_of, settings(), caller.actor)]


def _reship(order: Order, request: reshipments.ReshipRequest, caller: Caller) -> Sequence[Change]:
    return [reshipments.reship(order, request, send_again, settings(), caller.actor)]


def _claim(order: Order, request: claims.ShipmentClaim, caller: Caller) -> Sequence[Change]:
    return [claims.claim(order, request, send_again, settings(), caller.actor)]


def _refund(order: Order, request: goodwill.GoodwillRequest, caller: Caller) -> Sequence[Change]:
    return [goodwill.refund(order, request, settings(), caller.actor)]


ADJUSTMENTS = Kind("adjustments", adjustments.AdjustRequest, _adjust)
EDITS = Kind("edits", edits.EditRequest, _edit)
RESHIPMENTS = Kind("reshipments", reshipments.ReshipRequest, _reship)
CLAIMS = Kind("claims", claims.ShipmentClaim, _claim)
REFUNDS = Kind("refunds", goodwill.GoodwillRequest, _refund)
KINDS = {kind.route: kind for kind in (CANCELLATIONS, ADJUSTMENTS, EDITS, CLAIMS, REFUNDS, RETURNS)}
"""What may wait for an approval."""


@app.post("/v1/orders/<order_id>/cancellations")
def post_cancellation(order_id: str) -> Response[str]:
    """Cancel units, at once or by asking their location: any as an agent, one's own as a customer."""
    return change_order(app, order_id, CANCELLATIONS, caller_of(app))


@app.post("/v1/orders/<order_id>/adjustments")
def post_adjustment(order_id: str) -> Response[str]:
    """Take something off the price of lines or delivery charges, or put something on."""
    return change_order(app, order_id, ADJUSTMENTS, _agent())


@app.post("/v1/orders/<order_id>/edits")
def post_edit(order_id: str) -> Response[str]:
    """Add lines, change quantities, prices, addresses, methods."""
    return change_order(app, order_id, EDITS, _agent())


@app.post("/v1/orders/<order_id>/exchanges")
def post_exchange(order_id: str) -> Response[str]:
    """Take goods back and send others for them, in a new order: any as an agent, one's own as a customer."""
    return change_order(app, order_id, exchanges(), caller_of(app))


@app.post("/v1/orders/<order_id>/reshipments")
def post_reshipment(order_id: str) -> Response[str]:
    """Send units that have left once more, for nothing."""
    return change_order(app, order_id, RESHIPMENTS, _agent())


@app.post("/v1/orders/<order_id>/refunds")
def post_refund(order_id: str) -> Response[str]:
    """Give money back without a return, for goodwill."""
    return change_order(app, order_id, REFUNDS, _agent())


@app.post("/v1/shipments/<shipment_id>/claims")
def post_claim(shipment_id: str) -> Response[str]:
    """Units of a parcel are lost, damaged or missing: send them again, or pay them back."""
    parsed(json_body(app), claims.ClaimRequest)  # which shipment it is, only the path says
    return change_order(app, _order_id(shipment_id, "shipment"), CLAIMS, _agent(), shipment_id=shipment_id)


@app.post("/v1/approvals/<change_id>/<action>")
def post_approval(change_id: str, action: str) -> Response[str]:
    """approve, reject."""
    if action not in ("approve", "reject"):
        raise NotFound(f"an approval has no action '{action}'; it has approve, reject")
    return decide_approval(app, _order_id(change_id, "approval"), change_id, action, {**KINDS, "exchanges": exchanges()})


@app.post("/v1/orders/<order_id>/returns")
def post_return(order_id: str) -> Response[str]:
    """Announce a return (RMA), or take the goods back at once: any as an agent, one's own RMA as a customer."""
    return change_order(app, order_id, RETURNS, caller_of(app))


@app.post("/v1/returns/<return_id>/<action>")
def post_return_action(return_id: str, action: str) -> Response[str]:
    """approve, reject, labels, receive, close, cancel; notes."""
    body = json_body(app, required=action in ("receive", "notes"))
    acts: dict[str, Callable[[Order], None]] = {
        "approve": lambda order: lifecycle.approve(order, find_return(order, return_id)),
        "reject": lambda order: lifecycle.reject(order, find_return(order, return_id), parsed(body, requests.ReasonRequest).reason),
        "cancel": lambda order: lifecycle.cancel(order, find_return(order, return_id)),
        "close": lambda order: lifecycle.close(order, find_return(order, return_id)),
        "receive": lambda order: receive(order, find_return(order, return_id), parsed(body, requests.ReceiveRequest), settings()),
        "labels": lambda order: _want_label(order, body, return_id),
        "notes": lambda order: _note(order, body, find_return(order, return_id)),
    }
    act = _choose(acts, action, "return")

    def run(order: Order) -> str:
        act(order)
        return return_id

    return command(app, _order_id(return_id, "return"), run, _return, status={"notes": 201, "labels": 202}.get(action, 200))


@app.post("/v1/exceptions/<exception_id>/<action>")
def post_exception_action(exception_id: str, action: str) -> Response[str]:
    """retry, resolve, abandon; notes."""
    body = json_body(app, required=action in ("resolve", "notes"))
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
        "notes": lambda order: _note(order, body, exceptions.find(order, exception_id)),
    }
    act = _choose(acts, action, "exception")

    def run(order: Order) -> str:
        act(order)
        return exception_id

    return command(app, _order_id(exception_id, "exception"), run, exception_view, status=201 if action == "notes" else 200)


def _decide_apart(exception_id: str, action: str, body: Any) -> Response[str]:
    """Exceptions that belong to no order: of stock, of a gateway's outage."""
    if action == "notes":
        problem, replayed = annotate(exception_id, parsed(body, notes.NoteRequest), client_of(app), asked(app))
        return reply(201, shortages.shortage_view(problem), version=problem.v, replayed=replayed)
    if action not in ("retry", "resolve", "abandon"):
        raise NotFound(f"an exception has no action '{action}'; it has abandon, notes, resolve, retry")
    resolve = parsed(body, exceptions.ResolveRequest) if action == "resolve" else None
    given = resolve or parsed(body, exceptions.CloseRequest)
    by = resolve.action if resolve else None
    actor = f"client:{client_of(app)}"
    if exception_id.startswith(breaker.PREFIX):
        problem, replayed = decide_outage(exception_id, action, by, given.note, asked(app), actor)
    else:
        problem, replayed = decide(exception_id, action, by, given.note, asked(app), actor)
    return reply(200, shortages.shortage_view(problem), version=problem.v, replayed=replayed)


def _note(order: Order, body: Any, about: Return | ProcessException) -> None:
    notes.add_note(order, parsed(body, notes.NoteRequest), client_of(app), about)


def _want_label(order: Order, body: Any, return_id: str) -> None:
    from oms.returns.labels import want_label  # noqa: PLC0415 many shops let customers find their own way back

    want_label(order, find_return(order, return_id), parsed(body, requests.LabelRequest))


def _agent() -> Caller:
    return Caller("agent", client_of(app))


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
