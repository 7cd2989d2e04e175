"""Buy label: a step of the return machine. The carrier is asked under the label's own key, so a label is bought and paid for once."""

from __future__ import annotations

from typing import Any

from oms.carriers.labels import CARRIERS, LabelOrder
from oms.carriers.tracking import Tracking
from oms.errors import Conflict
from oms.machines.outcomes import after_goods, go
from oms.orders.order import Claim, Order, tracking_key
from oms.orders.records import Personal
from oms.returns import labels
from oms.returns.records import Label, Return
from oms.returns.states import find, shipped_from, wants_label
from oms.storage.claims import claim_of
from oms.storage.orders import Cause, load, update
from oms.storage.settings import settings


def buy_label_step(order_id: str, return_id: str, execution: str) -> dict[str, Any]:
    """Buy every label that is wanted. NoLabel and Conflict become a process exception; nothing wanted any more: nothing is done."""
    order = load(order_id, personal=True)
    while wants_label(find(order, return_id)):
        order = _buy(order, find(order, return_id), Cause("return_order", execution))
    return (after_goods(order, find(order, return_id)) or go("wait_for_goods")).output or {}


def _buy(order: Order, ret: Return, cause: Cause) -> Order:
    label = next(label for label in ret.labels if label.status == "wanted")
    sold = CARRIERS[label.carrier].buy_label(_order_for(order, ret, label))
    name = tracking_key(sold.tracking_number)

    def book(fresh: Order) -> None:
        mine = find(fresh, ret.id)
        if not labels.bought(fresh, mine, label, sold):
            return
        holder = claim_of(name) or {}
        if holder.get("order_id"):
            raise Conflict(f"tracking number {sold.tracking_number} is in use already", kind="duplicate-tracking-number")
        fresh.claims.append(Claim(name, {"order_id": fresh.id, "return_id": mine.id}, seen=int(holder.get("v", 0))))
        for news in sorted(holder.get("kept", []), key=lambda item: item["occurred_at"]):
            labels.follow(fresh, mine, Tracking(**news))

    return update(order.id, book, cause, personal=True)


def _order_for(order: Order, ret: Return, label: Label) -> LabelOrder:
    line, _ = order.line(ret.lines[0].line_id)
    group = (order.personal or Personal()).groups.get(line.delivery_group, {})
    place = settings().locations.get(ret.location_id or shipped_from(order, line.id))
    return LabelOrder(
        key=label.key,
        reference=ret.id,
        currency=order.placed.currency,
        sender={**group.get("address", {}), "name": group.get("recipient", {}).get("name")},
        destination=place.address if place else {},
    )
