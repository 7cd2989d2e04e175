"""Approvals, where a shop limits its agents: who asks first, and how that is decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from oms.api.agents import agent
from oms.api.changes import Kind, changed
from oms.api.commands import command
from oms.api.http import Answer, Api, client_of, json_body, parsed
from oms.errors import Stale
from oms.orders.order import Order
from oms.returns.requests import ReasonRequest
from oms.service.approvals import approved, ask_approval, must_be_allowed, needs_approval, rejected, waiting
from oms.service.figures import Figures
from oms.service.self_service import Caller
from oms.storage.settings import settings


def ask_first(app: Api, order: Order, route: str, asked: dict[str, Any], now: Figures) -> str:
    """Put before somebody else what is above the caller's limit: the id of the change that waits for it, empty if nothing has to."""
    who = agent(app, settings())
    return ask_approval(order, route, asked, now, who).id if needs_approval(order, route, now, who, settings()) else ""


def decide_approval(app: Api, order_id: str, change_id: str, action: str, kind_of: Callable[[str], Kind]) -> Answer:
    """Approve what waits, which is done then if it still comes to what was seen (else 412), or reject it."""
    note = parsed(json_body(app, required=False), ReasonRequest).reason

    def run(order: Order) -> str:
        change, approval = waiting(order, change_id)
        who = agent(app, settings())
        must_be_allowed(order, approval, who, settings())
        if action == "reject":
            rejected(order, change, who, note)
            return change_id
        kind = kind_of(approval.route)
        request = parsed(approval.body, kind.model)

        def act(fresh: Order) -> Sequence[Any]:
            return kind.act(fresh, request, Caller("agent", approval.by))

        now = kind.look(order, act).weighed
        if now != approval.figures:
            raise Stale("it would not come to what was asked for any more; reject it and ask anew", kind="stale-quote", current=now)
        approved(order, change, who)
        return " ".join(dict.fromkeys([change_id, *(made.id for made in act(order))]))

    return command(app, order_id, run, partial(changed, Caller("agent", client_of(app))))
