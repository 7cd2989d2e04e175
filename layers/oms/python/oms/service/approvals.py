"""Approvals: what is above an agent's limit waits, with its figures, for somebody who may decide it. Until then nothing has happened.

What was asked for is kept with the waiting change and done as it is when it is approved; it must still come to what was seen.
"""

from __future__ import annotations

from typing import Any

from oms.errors import Conflict, Forbidden, NotFound
from oms.orders.order import Order
from oms.payments.records import Approval, Change
from oms.service.figures import Figures
from oms.service.limits import Agent, Asked, Limited, exceeds, may_approve
from oms.service.self_service import Caller
from oms.settings import Settings

KINDS: dict[str, tuple[str, Limited]] = {
    "cancellations": ("cancellation", "cancel"),
    "adjustments": ("adjustment", "adjust"),
    "edits": ("edit", "adjust"),
    "refunds": ("goodwill", "goodwill"),
    "returns": ("return", "refund"),
    "return-approvals": ("return", "refund"),
    "claims": ("claim", "goodwill"),
    "reshipments": ("reshipment", "goodwill"),
    "exchanges": ("exchange", "refund"),
}
"""Routes with a limit: the kind of change they make, and which limit counts."""


def given_away(figures: Figures) -> int:
    """What a change takes off the price, and what goods it sends once more for nothing, in whole minor units: what limits are about."""
    return max(0, -int(figures["grand_total"])) + int(figures.get("goods_amount", 0))


def needs_approval(order: Order, route: str, figures: Figures, agent: Agent, settings: Settings) -> bool:
    """Whether somebody else has to agree."""
    if route not in KINDS or not settings.roles:
        return False
    return exceeds(agent, KINDS[route][1], given_away(figures), order.placed.currency, settings)


def ask_approval(order: Order, route: str, body: dict[str, Any], figures: Figures, agent: Agent) -> Change:
    """Let it wait. Conflict for what cannot: an address is personal data and a payment token a secret, and changes keep neither."""
    if any(isinstance(each, dict) and each.get("op") == "set_address" for each in body.get("operations", ())):
        raise Conflict(
            "this needs an approval, and a new address cannot wait for one; ask for the address by itself", kind="needs-approval"
        )
    if body.get("payments"):
        raise Conflict("this needs an approval, and a payment token cannot wait for one; ask without payments", kind="needs-approval")
    approval = Approval(route=route, body=body, figures=figures, by=agent.id, roles=list(agent.roles))
    change = Change(
        id=order.next_id("chg"),
        kind=KINDS[route][0],
        status="pending_approval",
        actor=Caller("agent", agent.id).actor,
        reason=body.get("reason"),
        requested_at=order.now,
        moves=False,
        approval=approval,
    )
    order.changes[change.id] = change
    order.record("approval.requested", change_id=change.id, kind=change.kind, amount=given_away(figures))
    return change


def waiting(order: Order, change_id: str) -> tuple[Change, Approval]:
    """A change that waits for approval; Conflict if it does not (any more)."""
    change = order.changes.get(change_id)
    if change is None or change.approval is None:
        raise NotFound(f"there is no approval '{change_id}'")
    if change.status != "pending_approval":
        raise Conflict(f"{change_id} was decided already: it is {change.status}")
    return change, change.approval


def must_be_allowed(order: Order, approval: Approval, agent: Agent, settings: Settings) -> None:
    """Forbidden unless the agent may decide this: not their own request, and within their own limit."""
    asked = Asked(Agent(approval.by, tuple(approval.roles)), KINDS[approval.route][1], given_away(approval.figures), order.placed.currency)
    if not may_approve(agent, asked, settings):
        raise Forbidden("it takes somebody else, whose own limit reaches that far, to decide this")


def approved(order: Order, change: Change, agent: Agent) -> None:
    """The change is made now, under the id that it has."""
    order.approving = change.id
    order.record("approval.given", change_id=change.id, by=agent.id)


def approved_as(order: Order, change_id: str, return_id: str) -> None:
    """What was approved is a return: the request for it is done, and names it."""
    update = {"status": "done", "closed_at": order.now, "return_id": return_id}
    order.changes[change_id] = order.changes[change_id].model_copy(update=update)
    order.approving = ""


def rejected(order: Order, change: Change, agent: Agent, note: str | None) -> None:
    """It is not done."""
    update = {"status": "refused", "closed_at": order.now, "note": note}
    order.changes[change.id] = change.model_copy(update=update)
    order.record("approval.rejected", change_id=change.id, by=agent.id)
