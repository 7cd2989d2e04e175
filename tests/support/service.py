"""What happens after the sale, as agents ask for it over HTTP, and what the order looks like then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.world import JSON, Answer, World

_EVENTS = Path(__file__).resolve().parents[2] / "events"


def event(name: str) -> JSON:
    """A body of events/."""
    body: JSON = json.loads((_EVENTS / f"{name}.json").read_text())
    return body


def reship(world: World, order: JSON, *lines: JSON, **more: Any) -> Answer:
    """Send units once more."""
    return world.call("POST", f"/v1/orders/{order['id']}/reshipments", {"lines": list(lines), **more.pop("body", {})}, **more)


def claim(world: World, parcel: JSON, kind: str, remedy: str, *lines: JSON, **more: Any) -> Answer:
    """Claim units of a parcel."""
    return world.call("POST", f"/v1/shipments/{parcel['id']}/claims", {"kind": kind, "remedy": remedy, "lines": list(lines), **more})


def refund(world: World, order: JSON, **body: Any) -> Answer:
    """Give money back for goodwill."""
    return world.call("POST", f"/v1/orders/{order['id']}/refunds", {"reason": "late", **body})


def adjust(world: World, order_id: str, *lines: JSON, **more: Any) -> Answer:
    """Change prices."""
    return world.call("POST", f"/v1/orders/{order_id}/adjustments", {"lines": list(lines), **more})


def off(line_id: str, amount: int, type_: str = "amount_with_tax", **more: Any) -> JSON:
    """So much on a line's price; negative is off."""
    return {"line_id": line_id, "type": type_, "amount": amount, "reason": "late", **more}


def units(line_id: str, quantity: int) -> JSON:
    """So many units of a line."""
    return {"line_id": line_id, "quantity": quantity, "reason": "lost"}


def settled(world: World, order: JSON, answer: Answer) -> JSON:
    """The order, once the money of what was done has moved."""
    assert answer.status == 200, answer
    for change in answer.body["changes"]:
        if change["status"] == "pending":
            assert world.step("settle", "Settle", order["id"], change_id=change["id"])["next"] == "settled"
    after: JSON = world.order(order["id"])
    return after


def shipped(world: World, body: JSON) -> JSON:
    """An order that has left and is paid for."""
    order = world.allocated(body)
    world.ship_all(order)
    for fo in order["fulfillment_orders"]:
        world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo["id"])
    after: JSON = world.order(order["id"])
    return after


def quantities(order: JSON, line: int = 0) -> JSON:
    """The counters of a line that are not zero."""
    return {name: value for name, value in order["lines"][line]["quantities"].items() if value}


def replacement(order: JSON, index: int = 0) -> JSON:
    """The order's replacements: the work on one of them."""
    found: JSON = [fo for fo in order["fulfillment_orders"] if "replaces" in fo][index]
    return found


def law_two(order: JSON) -> None:
    """What was taken and kept is what was invoiced and not credited, which is what the order costs."""
    money = order["payment"]
    assert money["captured"] - money["refunded"] == money["invoiced"] - money["credited"] == order["totals"]["grand_total"]
