"""One way for an edge to change an order: idempotent by key, guarded by If-Match, committed once, answered with the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.api_gateway import Response

from oms.api.http import asked, client_of, header, reply
from oms.errors import Conflict
from oms.orders.order import Order
from oms.storage.orders import Cause, Taken, load, update

Act = Callable[[Order], Any]
View = Callable[[Order, Any], dict[str, Any]]


def command(app: APIGatewayHttpResolver, order_id: str, act: Act, view: View, *, status: int = 200) -> Response[str]:
    """Run `act` on the order and answer with `view(order, what act returned)`. The same Idempotency-Key answers without acting again."""
    request = asked(app)
    route = str(app.current_event.get("routeKey") or request.route)
    result: list[Any] = [None]

    def run(order: Order) -> None:
        order.expect(header(app, "if-match"))
        result[0] = act(order)

    key = lambda: request.record(status=status, subject=str(result[0] or ""))  # noqa: E731
    cause = Cause(f"client:{client_of(app)}", request.key or route, key)
    earlier = request.earlier()
    if earlier is None:
        try:
            order = update(order_id, run, cause)
            return reply(status, view(order, result[0]), version=order.summary.version)
        except Taken as error:
            # The same key was used at the same moment, or a name that the command claims stays taken.
            earlier = request.earlier()
            if earlier is None:
                raise Conflict(f"'{error.detail}' belongs to another record", kind="name-taken") from error
    order = load(order_id)
    return reply(int(earlier["status"]), view(order, earlier.get("subject")), version=order.summary.version, replayed=True)
