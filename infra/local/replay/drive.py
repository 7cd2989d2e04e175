"""One order: placed, shipped, paid for. Through the API only, as a shop and its warehouse would."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.local.client import Answer, Api
from infra.local.replay.mapping import Sale

_PATIENCE_SECONDS = 180.0  # thousands of orders share one engine with the driver
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0


@dataclass
class Outcome:
    """What became of one sale. Amounts in minor units, times in seconds; `problem` is empty when all went well."""

    sale: Sale
    status: str = "refused"  # placed | repeated | refused
    order_id: str = ""
    problem: str = ""
    detail: str = ""
    placed: int = 0
    captured: int = 0
    retries: int = 0
    place_seconds: float = 0.0
    captured_seconds: float | None = None  # from before the call that placed it; None if it was not driven


def play(api: Api, sale: Sale, *, drive: bool = True) -> Outcome:
    """Place the sale and, unless told otherwise, see it through shipment to captured money. Never raises for what the API says."""
    outcome = Outcome(sale)
    began = time.monotonic()
    answer = _post(api, "/v1/orders", sale.body, outcome)
    outcome.place_seconds = time.monotonic() - began
    if not answer.ok:
        outcome.problem, outcome.detail = _refusal(answer)
        return outcome
    order = answer.body
    outcome.status = "repeated" if answer.headers.get("idempotent-replayed") == "true" else "placed"
    outcome.order_id, outcome.placed = order["id"], order["placed_totals"]["grand_total"]
    if drive:
        _see_through(api, order, outcome)
        if not outcome.problem:
            outcome.captured_seconds = time.monotonic() - began
    return outcome


def _see_through(api: Api, order: dict[str, Any], outcome: Outcome) -> None:
    order, outcome.problem = _until(api, order, "its fulfillment orders", _handed_out)
    for work in order["fulfillment_orders"]:
        if not outcome.problem and work["status"] == "released":  # a repeated order's parcel has left already
            _ship(api, work, outcome)
    if not outcome.problem:
        order, outcome.problem = _until(api, order, "its invoice and payment", _paid)
    outcome.captured = order["payment"]["captured"]


def _ship(api: Api, work: dict[str, Any], outcome: Outcome) -> None:
    lines = [{"line_id": line["line_id"], "quantity": line["quantity"]} for line in work["lines"]]
    parcel = {"reference": "parcel-1", "carrier": "standard", "tracking_number": f"RPL-{work['id']}", "lines": lines}
    answer = _post(api, f"/v1/fulfillment-orders/{work['id']}/ship", {"packages": [parcel]}, outcome)
    if not answer.ok:
        kind, outcome.detail = _refusal(answer)
        outcome.problem = f"shipping was refused: {kind}"


def _post(api: Api, path: str, body: Any, outcome: Outcome) -> Answer:
    """The answer, asked again while the API says that trying again helps."""
    for pause in (0.2, 1.0, 3.0):
        answer = api.call("POST", path, body)
        if answer.status != 503:
            return answer
        outcome.retries += 1
        time.sleep(pause)
    return api.call("POST", path, body)


def _until(api: Api, order: dict[str, Any], what: str, done: Callable[[dict[str, Any]], bool]) -> tuple[dict[str, Any], str]:
    """The order once `done`, and what is wrong with it if that does not come to pass."""
    deadline, pause = time.monotonic() + _PATIENCE_SECONDS, _FIRST_PAUSE
    while not done(order):
        for problem in order["exceptions"]:
            if problem["status"] == "open":
                return order, f"{problem['step']}: {problem['cause']}"
        if order["status"] == "declined":  # a large order hears only later that stock is short
            return order, "declined"
        if time.monotonic() > deadline:
            return order, f"waited {_PATIENCE_SECONDS:.0f} seconds in vain for {what}"
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
        seen = api.call("GET", f"/v1/orders/{order['id']}")
        order = seen.body if seen.ok else order
    return order, ""


def _handed_out(order: dict[str, Any]) -> bool:
    return order["fulfillment_status"] in ("allocated", "partially_shipped", "shipped") and bool(order["fulfillment_orders"])


def _paid(order: dict[str, Any]) -> bool:
    billed = order["shipments"] and all(shipment["invoice_id"] for shipment in order["shipments"])
    return bool(billed) and order["payment"]["captured"] >= order["placed_totals"]["grand_total"]


def _refusal(answer: Answer) -> tuple[str, str]:
    """The kind of a refusal, good for counting, and its words."""
    body = answer.body if isinstance(answer.body, dict) else {}
    kind = str(body.get("type", "")).rpartition(":")[2] or str(body.get("message") or body.get("title") or "no problem details")
    faults = "; ".join(str(fault.get("detail", "")) for fault in body.get("errors", [])[:3])
    return f"{answer.status} {kind}", faults or str(body.get("detail") or body.get("message") or "")
