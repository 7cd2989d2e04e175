"""One way for an edge to change what an order costs: preview, quote, submit. Money is moved by the change machine, never here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from oms.api import quotes
from oms.api.commands import command
from oms.api.http import Answer, Api, header, json_body, parsed, reply
from oms.api.service import order_answer
from oms.errors import Conflict, Stale
from oms.orders.order import Order
from oms.orders.statuses import totals
from oms.orders.view import line_views
from oms.payments.records import Change
from oms.service.asking import Asked
from oms.service.changes import change_view
from oms.service.figures import Figures, figures, foresee, goods_sent_again
from oms.service.self_service import Caller, refuse_named
from oms.storage.orders import load
from oms.storage.secrets import webhook_secret
from oms.storage.settings import settings

_SHOWN = ("id", "kind", "status", "lines", "requested_at", "new_order_number")
"""What customers see of a change."""


@dataclass(frozen=True)
class Foreseen:
    """What a command comes to: `balances` of a preview, the lines that it touches, as they would be, and the order that it would make.
    `goods`: what the goods are worth that it sends once more for nothing, in whole minor units."""

    figures: Figures
    lines: list[dict[str, Any]]
    new_order: dict[str, Any] | None = None
    goods: int = 0

    @property
    def weighed(self) -> Figures:
        """The figures as limits look at them: what goods are given away counts like money."""
        return {**self.figures, "goods_amount": self.goods} if self.goods else self.figures


def look_at_changes(order: Order, act: Callable[[Order], Sequence[Any]]) -> Foreseen:
    """What changes come to, every answer that they ask for being yes."""
    after, changes = foresee(order, act)
    new_order = _new_order(after.born[0]) if after.born else None
    return Foreseen(figures(order, after, changes), _touched(after, changes), new_order, goods_sent_again(after, changes))


def always(request: Any) -> bool:
    """Every request of the kind is limited."""
    return True


@dataclass(frozen=True)
class Kind:
    """A way to change an order: the name of its route, the shape of its request, and what it does: it returns the records that it made.

    `look`: what that would come to. `made`: the status of its answer. `limited`: which requests agents' limits are about.
    """

    route: str
    model: type[Asked]
    act: Callable[[Order, Any, Caller], Sequence[Any]]
    self_service: str = ""  # the name by which customers may ask for it; empty: they may not
    unquoted: frozenset[str] = frozenset()  # fields that a quote leaves open
    look: Callable[[Order, Callable[[Order], Sequence[Any]]], Foreseen] = look_at_changes
    view: Callable[[Caller, Order, Any], dict[str, Any]] | None = None
    made: int = 200
    limited: Callable[[Any], bool] = always
    offered: Sequence[str] = ("refund",)  # the resolutions that customers may name; the rules of each line say more


def change_order(app: Api, order_id: str, kind: Kind, caller: Caller, **named: str) -> Answer:
    """Preview what is asked for, or do it; with a `quote_id` only if it comes to what was quoted (else 412, with the figures now). What is
    above the caller's limit waits for approval (202). `named`: fields of the request that its path names."""
    body = {**json_body(app), **named}
    if caller.self_service:
        refuse_named(body, kind.self_service, kind.offered)
    request = parsed(body, kind.model)
    about = f"{order_id} {kind.route}"
    asked = {name: body[name] for name in body if name not in Asked.model_fields}
    quoted = {name: asked[name] for name in asked if name not in kind.unquoted}

    def act(order: Order) -> Sequence[Any]:
        return kind.act(order, request, caller)

    def act_as_quoted(order: Order) -> Sequence[Any]:
        return kind.act(order, parsed({**quoted, "preview": True}, kind.model) if kind.unquoted else request, caller)

    def look(order: Order) -> Foreseen:
        return kind.look(order, act)

    if body.get("preview"):
        return _preview(app, order_id, about, quoted, look, caller)

    def run(order: Order) -> str:
        order.must_be_live()
        now = _expect_quoted(order, body.get("quote_id"), about, quoted, lambda fresh: kind.look(fresh, act_as_quoted))
        if settings().roles and not caller.self_service and kind.limited(request):
            from oms.api.approvals import ask_first  # noqa: PLC0415 few shops limit their agents

            if waits := ask_first(app, order, kind.route, asked, (now or look(order)).weighed):
                return waits
        return " ".join(change.id for change in act(order))

    return command(app, order_id, run, partial(kind.view or changed, caller), status=partial(status_of, kind.made), caller=caller)


def status_of(made: int, order: Order, subjects: Any) -> int:
    """202 where what was asked for waits for approval, else `made`."""
    changes = [order.changes[change_id] for change_id in str(subjects or "").split() if change_id in order.changes]
    return 202 if any(change.status == "pending_approval" for change in changes) else made


def changed(caller: Caller, order: Order, subjects: Any) -> dict[str, Any]:
    """What every change answers: the change (of several the last, which is the one that moves money), all of them, and the order."""
    changes = [change_view(order.changes[change_id]) for change_id in str(subjects or "").split() if change_id in order.changes]
    if caller.self_service:
        changes = [{name: each[name] for name in _SHOWN if name in each} for each in changes]
    return {"change": changes[-1] if changes else None, "changes": changes, "order": order_answer(caller, order)}


def _expect_quoted(order: Order, quote_id: Any, about: str, asked: dict[str, Any], look: Callable[[Order], Foreseen]) -> Foreseen | None:
    """What it comes to now. Stale unless that is what was quoted, also where it is not possible any more: the answer tells how the order
    stands. None without a quote."""
    now: Figures = {}
    if not quote_id:
        return None
    try:
        foreseen = look(order)
        now = foreseen.figures
        quotes.check(webhook_secret(quotes.SIGNED_WITH), str(quote_id), about, asked, now, order.now)
    except (Conflict, Stale) as error:
        standing = {"version": order.summary.version, "status": order.summary.status, "totals": totals(order).model_dump(), "balances": now}
        raise Stale(error.detail, kind="stale-quote", errors=error.errors, current=standing) from error
    return foreseen


def _preview(app: Api, order_id: str, about: str, asked: dict[str, Any], look: Callable[[Order], Foreseen], caller: Caller) -> Answer:
    order = load(order_id, personal=True)
    caller.must_own(order)
    order.expect(header(app, "if-match"))
    order.must_be_live()
    foreseen = look(order)
    now, lines = foreseen.figures, foreseen.lines
    given = quotes.quote(webhook_secret(quotes.SIGNED_WITH), about, asked, now, order.now)
    if caller.self_service:
        now = {**now, "refunds": [{name: row[name] for name in ("amount", "into") if name in row} for row in now["refunds"]]}
        lines = [{name: row[name] for name in ("id", "sku", "name", "status", "quantities", "amounts")} for row in lines]
    made = {"new_order": foreseen.new_order} if foreseen.new_order else {}
    return reply(200, {**given, "balances": now, "lines": lines, **made}, version=order.summary.version)


def _new_order(order: Order) -> dict[str, Any]:
    """The order that an exchange would make."""
    rows = [{name: row[name] for name in ("id", "sku", "name", "quantity", "amounts")} for row in line_views(order)]
    return {"order_number": order.placed.order_number, "totals": totals(order).model_dump(), "lines": rows}


def _touched(order: Order, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The lines that the changes are about, as they would be."""
    about = {line.line_id for change in changes for line in change.lines} | {layer.line_id for change in changes for layer in change.layers}
    about |= {line.id for change in changes for line in change.added}
    return [row for row in line_views(order) if row["id"] in about]
