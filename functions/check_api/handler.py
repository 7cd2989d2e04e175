"""The conservation check: whether stock adds up, and repairs of what does not."""

from __future__ import annotations

from typing import Any

from oms.api.http import Answer, after_cursor, asked, client_of, create_api, cursor_of, json_body, parsed, reply
from oms.api.observe import observed
from oms.flows.check import check, repair_once
from oms.inventory.conservation import view
from oms.inventory.repair_requests import RepairRequest

app = create_api()
_ANSWER = 25
"""Seconds: API Gateway waits for 30."""


@app.get("/v1/inventory/check")
def get_check() -> Answer:
    """What does not add up, of all stock, one location or one SKU; with a cursor, on from there."""
    query = app.current_event.query_string_parameters or {}
    context = app.lambda_context
    left = context.get_remaining_time_in_millis() / 1000
    spare = max(0.0, left - _ANSWER)
    done = check(
        query.get("location_id"),
        query.get("sku"),
        lambda: context.get_remaining_time_in_millis() / 1000 - spare,
        after_cursor(app),
    )
    looked_at = {"places": done.places, "orders": done.orders, "moving": done.moving}
    next_ = cursor_of({"at": done.next} if done.next else None)
    return reply(200, {"data": [view(finding) for finding in done.findings], "checked": looked_at, "next_cursor": next_})


@app.post("/v1/inventory/repairs")
def post_repairs() -> Answer:
    """Repair findings that are still there; says of each what became of it."""
    request = parsed(json_body(app), RepairRequest)
    done, replayed = repair_once(request, f"client:{client_of(app)}", asked(app))
    return reply(200, {"data": done}, replayed=replayed)


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
