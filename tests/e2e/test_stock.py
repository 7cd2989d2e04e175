"""Stock and routing on real parts, IAM enforced: what stockkeeper does after a change comes through the table's stream."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from infra.local import life
from infra.local.client import Api
from infra.local.sample import sample_order
from infra.local.stack import Stack


@pytest.fixture
def sku(api: Api) -> str:
    """A SKU of this test's own, six in Berlin and two in Lyon."""
    name = f"S-{uuid.uuid4().hex[:8]}"
    api.put(f"/v1/inventory/{name}/berlin", {"on_hand": 6})
    api.put(f"/v1/inventory/{name}/lyon", {"on_hand": 2})
    return name


def an_order(sku: str, units: int, **line: Any) -> dict[str, Any]:
    """An order of so many units at 5.10; delivery is 4.90."""
    body = sample_order(f"E2E-{uuid.uuid4().hex[:10]}")
    body["lines"] = [{"id": "1", "sku": sku, "quantity": units, "unit_price": 510, "delivery_group": "g1", **line}]
    body["payments"][0]["amount"] = 490 + 510 * units
    return body


def placed(api: Api, sku: str, units: int, **line: Any) -> Any:
    return api.post("/v1/orders", an_order(sku, units, **line))


def with_work(api: Api, order: Any, count: int = 1) -> Any:
    return life.wait(api, order["id"], "work", lambda seen: len(seen["fulfillment_orders"]) >= count)


def figures(api: Api, sku: str, place: str = "berlin") -> tuple[int, int]:
    row = api.get(f"/v1/inventory/{sku}/{place}")
    return row["on_hand"], row["reserved"]


def until(fetch: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """Ask until there is something."""
    end = time.monotonic() + seconds
    while not (found := fetch()):
        assert time.monotonic() < end, f"no {what} after {seconds} seconds"
        time.sleep(0.2)
    return found


def test_an_order_takes_the_reservation_that_it_brings(api: Api, sku: str) -> None:
    held = api.post("/v1/reservations", {"lines": [{"sku": sku, "quantity": 6}], "expires_in": 600})
    assert figures(api, sku) == (6, 6)
    assert api.call("POST", "/v1/orders", an_order(sku, 3)).status == 409, "two are left, in Lyon"
    order = api.post("/v1/orders", {**an_order(sku, 6), "reservation_id": held["id"]})
    assert (order["status"], figures(api, sku)) == ("open", (6, 6))
    assert api.get(f"/v1/reservations/{held['id']}")["status"] == "taken"


def test_a_reservation_that_is_over_is_swept_by_the_sale_that_needs_it(api: Api, sku: str) -> None:
    api.post("/v1/reservations", {"lines": [{"sku": sku, "quantity": 8}], "expires_in": 1})
    time.sleep(1.2)
    assert placed(api, sku, 8)["status"] == "open"


def test_who_waits_is_served_when_goods_arrive_and_before_anybody_else(api: Api, sku: str) -> None:
    order = placed(api, sku, 11, backorder="allow")
    life.wait(api, order["id"], "waiting", lambda seen: "backordered" in seen["attention"] and len(seen["fulfillment_orders"]) == 2)
    [waiting] = api.get(f"/v1/backorders?sku={sku}")["data"]
    assert (waiting["order_id"], waiting["units"], waiting["position"]) == (order["id"], 3, 1)
    api.put(f"/v1/inventory/{sku}/berlin", {"on_hand": 10})
    assert api.call("POST", "/v1/orders", an_order(sku, 2)).status == 409, "three of the four that came are owed"
    order = with_work(api, order, 3)
    assert (order["fulfillment_status"], order["attention"]) == ("allocated", [])
    assert figures(api, sku) == (10, 9)


def test_a_count_below_what_is_reserved_raises_one_exception_and_reroute_moves_the_work(api: Api, sku: str) -> None:
    order = with_work(api, placed(api, sku, 2))
    api.put(f"/v1/inventory/{sku}/berlin", {"on_hand": 1})

    def raised() -> Any:
        return [each for each in api.get("/v1/exceptions?status=open&limit=100")["data"] if sku in each["cause"]]

    [problem] = until(raised, "exception")
    assert problem["details"][0]["orders"] == [{"order_id": order["id"], "units": 1}]
    api.post(f"/v1/exceptions/{problem['id']}/resolve", {"action": "reroute"})
    order = with_work(api, order, 2)
    assert [(fo["location_id"], fo["status"]) for fo in order["fulfillment_orders"]] == [("berlin", "rejected"), ("lyon", "released")]


def test_open_work_is_rerouted_by_hand_and_says_why_it_went_where_it_went(api: Api, sku: str) -> None:
    order = with_work(api, placed(api, sku, 1))
    [work] = order["fulfillment_orders"]
    assert work["explanation"]["proven"] is True
    api.post(f"/v1/fulfillment-orders/{work['id']}/reroute", {"location_id": "lyon"})
    order = with_work(api, order, 2)
    assert order["fulfillment_orders"][1]["location_id"] == "lyon"
    life.ship(api, order["fulfillment_orders"][1])
    life.wait(api, order["id"], "capture", lambda seen: seen["payment_status"] == "captured")


def test_a_file_is_loaded_reported_and_reverted(stack: Stack, api: Api, sku: str) -> None:
    rows = [
        {"record_id": "1", "sku": sku, "location_id": "berlin", "on_hand": 60},
        {"record_id": "2", "sku": sku, "location_id": "lyon", "delta": 5},
        {"record_id": "3", "sku": sku, "location_id": "nowhere", "on_hand": 1},
    ]
    bucket = stack.outputs["LoadsBucket"]
    stack.aws.client("s3").put_object(Bucket=bucket, Key=f"loads/{sku}.jsonl", Body="\n".join(map(json.dumps, rows)).encode())
    load = api.post("/v1/inventory/loads", {"source": f"s3://{bucket}/loads/{sku}.jsonl"})

    def reached(status: str) -> Any:
        seen = api.get(f"/v1/inventory/loads/{load['id']}")
        return seen if seen["status"] == status else None

    until(lambda: reached("done_with_refusals"), "end of the load")
    assert (figures(api, sku), figures(api, sku, "lyon")) == ((60, 0), (7, 0))
    api.post(f"/v1/inventory/loads/{load['id']}/revert")
    until(lambda: reached("reverted"), "end of the revert")
    assert (figures(api, sku), figures(api, sku, "lyon")) == ((6, 0), (2, 0))


def test_the_feed_tells_what_changed_since_the_cursor(api: Api, sku: str) -> None:
    cursor = api.get("/v1/inventory/changes")["next_cursor"]
    placed(api, sku, 1)

    def changed() -> Any:
        return [row for row in api.get("/v1/inventory/changes", cursor=cursor)["data"] if row["sku"] == sku]

    [row] = until(changed, "change")
    assert (row["location_id"], row["on_hand"], row["reserved"]) == ("berlin", 6, 1)


def test_a_preview_routes_by_distance_without_touching_anything(api: Api, sku: str) -> None:
    before = figures(api, sku), figures(api, sku, "lyon")
    lines = [{"line_id": "1", "sku": sku, "quantity": 1}]
    lyon = {"country": "FR", "postal_code": "69002", "latitude": 45.75, "longitude": 4.85}
    answer = api.post("/v1/routing/preview", {"address": lyon, "lines": lines, "rules": {"weights": {"distance": 1}}})
    assert answer["routes"][0]["assignments"][0]["location_id"] == "lyon"
    assert answer["proven"] is True
    assert (figures(api, sku), figures(api, sku, "lyon")) == before


def test_everything_adds_up_in_the_end(api: Api) -> None:
    findings = api.get("/v1/inventory/check")
    assert findings["data"] == [], findings
