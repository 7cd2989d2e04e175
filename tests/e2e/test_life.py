"""One order's life on real parts, through the API only."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.local import life
from infra.local.client import Answer, Api
from infra.local.console import Console
from infra.local.sample import sample_order
from infra.local.stack import Stack


def test_the_sample_life_ends_with_every_execution_succeeded(stack: Stack, api: Api) -> None:
    order_id = life.live(stack, Console())
    order = api.get(f"/v1/orders/{order_id}")
    assert order["status"] == "completed"
    assert (order["payment"]["captured"], order["payment"]["refunded"]) == (3740, 1200)
    assert {execution["machine"]: execution["status"] for execution in order["executions"]} == {
        "order": "SUCCEEDED",
        "fulfillment": "SUCCEEDED",
        "return": "SUCCEEDED",
    }


def test_the_timeline_has_one_event_per_fact_without_gaps_and_without_personal_data(stack: Stack, api: Api) -> None:
    order_id = life.live(stack, Console(quiet=True))
    events = api.get(f"/v1/orders/{order_id}/timeline")["data"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert "Ada" not in str(events)
    assert "ada@example.com" not in str(events)


def test_execution_inputs_carry_ids_only(stack: Stack, api: Api) -> None:
    order = api.post("/v1/orders", sample_order(f"E2E-{uuid.uuid4().hex[:8]}"))
    order = life.wait(api, order["id"], "work", lambda seen: bool(seen["fulfillment_orders"] and len(seen["executions"]) == 2))
    for execution in order["executions"]:
        text = stack.aws.states.describe_execution(executionArn=execution["arn"])["input"]
        assert order["id"] in text
        assert "Ada" not in text
        assert "tok_" not in text


def test_two_locations_ship_apart_and_each_captures_its_own_share(stack: Stack, api: Api) -> None:
    body = sample_order(f"E2E-{uuid.uuid4().hex[:8]}")
    body["lines"] = [
        {"id": "1", "sku": "MUG-BLUE", "quantity": 1, "unit_price": 1000, "delivery_group": "g1"},
        {"id": "2", "sku": "POT-CAST-IRON", "quantity": 1, "unit_price": 2000, "delivery_group": "g1"},
        {"id": "3", "sku": "ONLY-BERLIN", "quantity": 1, "unit_price": 500, "delivery_group": "g1"},
    ]
    api.put("/v1/inventory/ONLY-BERLIN/berlin", {"on_hand": 5})
    body["payments"][0]["amount"] = 3990
    order = api.post("/v1/orders", body)
    order = life.wait(api, order["id"], "both fulfillment orders", lambda seen: len(seen["fulfillment_orders"]) == 2)
    first, second = order["fulfillment_orders"]
    life.ship(api, first)
    life.wait(api, order["id"], "the first capture", lambda seen: len(seen["invoices"]) == 1)
    life.ship(api, second)
    order = life.wait(api, order["id"], "the second capture", lambda seen: len(seen["invoices"]) == 2)
    assert sum(invoice["total_amount"] for invoice in order["invoices"]) == order["payment"]["captured"] == 3990
    life.deliver(stack, api, order)
    life.wait(api, order["id"], "completion", lambda seen: seen["status"] == "completed")


def test_an_asynchronous_order_is_captured_by_its_state(api: Api) -> None:
    answer = api.call("POST", "/v1/orders", sample_order(f"E2E-{uuid.uuid4().hex[:8]}"), headers={"Prefer": "respond-async"})
    assert (answer.status, answer.body["status"]) == (202, "received")
    order = life.wait(api, answer.body["id"], "capture and allocation", lambda seen: seen["fulfillment_status"] == "allocated")
    assert order["payment_status"] == "authorized"


def test_a_rejected_order_is_routed_again_by_a_second_run(api: Api) -> None:
    order = api.post("/v1/orders", sample_order(f"E2E-{uuid.uuid4().hex[:8]}"))
    order = life.wait(api, order["id"], "work", lambda seen: bool(seen["fulfillment_orders"]))
    refused = order["fulfillment_orders"][0]
    api.post(f"/v1/fulfillment-orders/{refused['id']}/reject", {"reason": "shelf is empty"})
    order = life.wait(api, order["id"], "another place", lambda seen: len(seen["fulfillment_orders"]) == 2)
    assert order["fulfillment_orders"][1]["location_id"] != refused["location_id"]
    runs = {(execution["machine"], execution["run"]) for execution in order["executions"]}
    assert ("order", 2) in runs


def test_identical_submits_at_the_same_moment_make_one_order(stack: Stack) -> None:
    body = sample_order(f"E2E-{uuid.uuid4().hex[:8]}")
    answers = _at_once(stack, [body] * 8)
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body["id"] for answer in answers if answer.status == 201}) == 1


def test_forty_in_stock_sell_forty(stack: Stack, api: Api) -> None:
    sku = f"HOT-{uuid.uuid4().hex[:6]}"
    api.put(f"/v1/inventory/{sku}/berlin", {"on_hand": 40})
    orders = []
    for _ in range(60):
        body = sample_order(f"E2E-{uuid.uuid4().hex[:8]}")
        body["lines"] = [{"id": "1", "sku": sku, "quantity": 1, "unit_price": 510, "delivery_group": "g1"}]
        body["payments"][0]["amount"] = 1000
        orders.append(body)
    answers = _at_once(stack, orders)
    assert sorted(answer.status for answer in answers) == [201] * 40 + [409] * 20
    figures = api.get(f"/v1/inventory/{sku}/berlin")
    assert figures["reserved"] <= figures["on_hand"]
    assert figures["available_to_fulfill"] == 0


def _at_once(stack: Stack, bodies: list[dict[str, Any]]) -> list[Answer]:
    def place(body: dict[str, Any]) -> Answer:
        with stack.api() as client:
            return client.call("POST", "/v1/orders", body)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(place, bodies))


def test_relay_had_to_park_nothing(stack: Stack) -> None:
    queue = stack.aws.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs["ParkedQueueUrl"], AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )
    assert set(queue["Attributes"].values()) == {"0"}
