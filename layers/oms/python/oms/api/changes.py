"""One way for an edge to change what an order costs: preview, quote, submit. Money is moved by the change machine, never here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.api_gateway import Response

from oms.api import quotes
from oms.api.commands import command
from oms.api.http import header, reply
from oms.errors import Conflict, Stale
from oms.orders.order import Order
from oms.orders.records import Personal
from oms.orders.statuses import totals
from oms.orders.view import line_views, order_view
from oms.payments.records import Change
from oms.service.asking import Asked
from oms.service.changes import change_view
from oms.service.figures import Command, Figures, figures, foresee
from oms.storage.orders import load
from oms.storage.secrets import webhook_secret


def change_order(
    app: APIGatewayHttpResolver,
    order_id: str,
    body: dict[str, Any],
    act: Command,
    view: Callable[[Order, Any], dict[str, Any]] | None = None,
) -> Response[str]:
    """Preview what `act` would do, or do it; with a `quote_id` only if it comes to what was quoted (else 412, with the figures now)."""
    about = f"{order_id} {app.current_event.path}"
    asked = {name: body[name] for name in body if name not in Asked.model_fields}
    if body.get("preview"):
        return _preview(app, order_id, about, asked, act)

    def run(order: Order) -> str:
        order.must_be_live()
        if body.get("quote_id"):
            _expect_quoted(order, str(body["quote_id"]), about, asked, act)
        return " ".join(change.id for change in act(order))

    return command(app, order_id, run, view or changed, status=200)


def changed(order: Order, subjects: Any) -> dict[str, Any]:
    """What every change answers: the change (of several the last, which is the one that moves money), all of them, and the order."""
    changes = [change_view(order.changes[change_id]) for change_id in str(subjects or "").split() if change_id in order.changes]
    return {"change": changes[-1] if changes else None, "changes": changes, "order": order_view(order, order.personal or Personal())}


def _expect_quoted(order: Order, quote_id: str, about: str, asked: dict[str, Any], act: Command) -> None:
    """Stale unless it comes to what was quoted, also where it is not possible any more: the answer tells how the order stands."""
    now: Figures = {}
    try:
        now = figures(order, *foresee(order, act))
        quotes.check(webhook_secret(quotes.SIGNED_WITH), quote_id, about, asked, now, order.now)
    except (Conflict, Stale) as error:
        standing = {"version": order.summary.version, "status": order.summary.status, "totals": totals(order).model_dump(), "balances": now}
        raise Stale(error.detail, kind="stale-quote", errors=error.errors, current=standing) from error


def _preview(app: APIGatewayHttpResolver, order_id: str, about: str, asked: dict[str, Any], act: Command) -> Response[str]:
    order = load(order_id, personal=True)
    order.expect(header(app, "if-match"))
    order.must_be_live()
    after, changes = foresee(order, act)
    now: Figures = figures(order, after, changes)
    given = quotes.quote(webhook_secret(quotes.SIGNED_WITH), about, asked, now, order.now)
    return reply(200, {**given, "balances": now, "lines": _touched(after, changes)}, version=order.summary.version)


def _touched(order: Order, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The lines that the changes are about, as they would be."""
    about = {line.line_id for change in changes for line in change.lines} | {layer.line_id for change in changes for layer in change.layers}
    about |= {line.id for change in changes for line in change.added}
    return [row for row in line_views(order) if row["id"] in about]
