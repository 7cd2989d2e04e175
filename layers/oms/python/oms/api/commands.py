"""One way for an edge to change an order: idempotent by key, guarded by If-Match, committed once, answered with the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oms.api.http import Answer, Api, asked, client_of, header, reply
from oms.errors import Conflict, Refused
from oms.flows.idempotency import Request
from oms.orders.order import Order
from oms.service.self_service import Caller
from oms.storage.orders import Cause, Taken, load, update

Act = Callable[[Order], Any]
View = Callable[[Order, Any], dict[str, Any]]


def command(
    app: Api,
    order_id: str,
    act: Act,
    view: View,
    *,
    status: int | Callable[[Order, Any], int] = 200,
    caller: Caller | None = None,
) -> Answer:
    """Run `act` on the order and answer with `view(order, what act returned)`. The same Idempotency-Key answers without acting again.

    `status`: of the answer, or what it follows from. `caller`: who asks, on a route that is not for agents alone; NotFound for an order
    that is not theirs.
    """
    request = _asked_by(app, order_id, caller)
    route = str(app.current_event.get("routeKey") or request.route)
    result: list[Any] = [None]

    def run(order: Order) -> None:
        loaded[:] = [order]
        if caller:
            caller.must_own(order)
        order.expect(header(app, "if-match"))
        result[0] = act(order)

    loaded: list[Order] = []

    def answered() -> int:
        return status if isinstance(status, int) else status(loaded[-1], result[0])

    key = lambda: request.record(status=answered(), subject=str(result[0] or ""))  # noqa: E731
    cause = Cause(caller.actor if caller else f"client:{client_of(app)}", request.key or route, key)
    try:
        order = update(order_id, run, cause, personal=True)
        return reply(answered(), view(order, result[0]), version=order.summary.version)
    except (Taken, Refused) as error:
        # A repetition finds its key used, or is refused because the first time has done it: only then is the key looked up.
        earlier = request.earlier()
        if earlier is None and isinstance(error, Taken):
            raise Conflict(f"'{error.detail}' belongs to another record", kind="name-taken") from error
        if earlier is None:
            raise
    order = load(order_id, personal=True)
    return reply(int(earlier["status"]), view(order, earlier.get("subject")), version=order.summary.version, replayed=True)


def _asked_by(app: Api, order_id: str, caller: Caller | None) -> Request:
    """The request's identity. Self-service is known by who asks and by the order: a guest's path holds a token that is never stored, and
    the next link to the same order has another."""
    if caller is None or not caller.self_service:
        return asked(app)
    return asked(app, client=caller.actor, path=f"/v1/orders/{order_id}/{app.current_event.path.rpartition('/')[2]}")
