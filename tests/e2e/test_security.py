"""Who may call what, and what a function may do: enforced by the engine as by AWS."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from infra.local import life
from infra.local.client import Api, signed
from infra.local.sample import sample_order
from infra.local.stack import Stack

_PROBE = """
import boto3
def handler(event, context):
    try:
        getattr(boto3.client(event["service"]), event["call"])(**event["arguments"])
    except Exception as error:
        return getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
    return "allowed"
"""
Probe = Callable[[str, str, str, dict[str, Any]], str]


@pytest.fixture(scope="module")
def probe(stack: Stack) -> Probe:
    """Calls AWS with the role of one of our functions, from inside a function of the same engine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", _PROBE)
    made: dict[str, str] = {}

    def call(function: str, service: str, operation: str, arguments: dict[str, Any]) -> str:
        if function not in made:
            role = stack.aws.functions.get_function_configuration(FunctionName=f"oms-{function}")["Role"]
            made[function] = f"probe-{function}-{uuid.uuid4().hex[:6]}"
            stack.aws.functions.create_function(
                FunctionName=made[function],
                Runtime="python3.13",
                Role=role,
                Handler="index.handler",
                Code={"ZipFile": buffer.getvalue()},
                Timeout=30,
            )
        payload = json.dumps({"service": service, "call": operation, "arguments": arguments}).encode()
        answer = stack.aws.functions.invoke(FunctionName=made[function], Payload=payload)
        result: str = json.loads(answer["Payload"].read())
        return result

    return call


def test_no_token_no_entry(stack: Stack) -> None:
    with Api(stack.base_url) as api:
        assert api.call("GET", "/v1/orders?customer_id=x").status == 401


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("orders.read", "POST", "/v1/orders"),
        ("orders.write", "GET", "/v1/orders?customer_id=x"),
        ("orders.write", "PUT", "/v1/inventory/A/berlin"),
        ("inventory.write", "PUT", "/v1/locations/berlin"),
        ("settings.write", "POST", "/v1/returns/ret_x_1/approve"),
        ("service.write", "GET", "/v1/fulfillment-orders?location_id=berlin"),
        ("orders.read", "GET", "/v1/invoices/inv_x_1"),
    ],
)
def test_a_token_without_the_scope_is_refused(stack: Stack, scope: str, method: str, path: str) -> None:
    with stack.api([scope]) as api:
        assert api.call(method, path, {} if method != "GET" else None).status == 403


_WRITE = {"Item": {"pk": {"S": "x"}, "sk": {"S": "x"}}}


@pytest.mark.parametrize(
    ("function", "call", "arguments"),
    [
        ("relay", "put_item", {"TableName": "oms-inventory", **_WRITE}),
        ("relay", "update_item", {"TableName": "oms-inventory", "Key": _WRITE["Item"]}),
        ("capture-payment", "put_item", {"TableName": "oms-settings", **_WRITE}),
        ("capture-payment", "update_item", {"TableName": "oms-inventory", "Key": _WRITE["Item"]}),
        ("query-api", "put_item", {"TableName": "oms-orders", **_WRITE}),
        ("carrier-webhook", "put_item", {"TableName": "oms-inventory", **_WRITE}),
        (
            "settings-api",
            "query",
            {"TableName": "oms-inventory", "KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "x"}}},
        ),
        ("inventory-api", "put_item", {"TableName": "oms-settings", **_WRITE}),
    ],
)
def test_a_function_cannot_touch_what_it_does_not_need(probe: Probe, function: str, call: str, arguments: dict[str, Any]) -> None:
    assert probe(function, "dynamodb", call, arguments) == "AccessDeniedException"


def test_a_carrier_webhook_cannot_read_payment_secrets(probe: Probe) -> None:
    assert (
        probe("carrier-webhook", "secretsmanager", "get_secret_value", {"SecretId": "oms/webhooks/payments/sandbox"})
        == "AccessDeniedException"
    )
    assert probe("carrier-webhook", "secretsmanager", "get_secret_value", {"SecretId": "oms/webhooks/carriers/standard"}) == "allowed"


def test_the_probe_can_see_that_something_is_allowed(probe: Probe) -> None:
    assert probe("relay", "dynamodb", "get_item", {"TableName": "oms-orders", "Key": _WRITE["Item"]}) == "allowed"


def test_webhooks_are_closed_to_wrong_missing_and_stale_signatures(stack: Stack) -> None:
    path = "/v1/webhooks/carriers/standard"
    news = {"tracking_number": "x", "status": "delivered", "occurred_at": "2026-01-01T00:00:00Z"}
    payload = json.dumps({"type": "tracking.updated", "data": news}).encode()
    secret = stack.webhook_secret("carriers/standard")
    with Api(stack.base_url) as api:
        assert api.call("POST", path, payload).status == 401
        assert api.call("POST", path, payload, headers=signed(payload, "whsec_" + "QUJD" * 8)).status == 401
        assert api.call("POST", path, payload, headers=signed(payload, secret, at=int(time.time()) - 301)).status == 401
        assert api.call("POST", path, payload, headers=signed(payload, secret)).status == 200
        assert api.call("POST", "/v1/webhooks/carriers/nobody", payload, headers=signed(payload, secret)).status == 404


def test_news_of_an_unknown_parcel_are_applied_when_it_appears(stack: Stack, api: Api) -> None:
    order = api.post("/v1/orders", sample_order(f"E2E-{uuid.uuid4().hex[:8]}"))
    order = life.wait(api, order["id"], "work", lambda seen: bool(seen["fulfillment_orders"]))
    work = order["fulfillment_orders"][0]
    news = {"tracking_number": f"TRK-{work['id']}", "carrier": "standard", "status": "delivered", "occurred_at": "2026-11-01T00:00:00Z"}
    api.webhook("/v1/webhooks/carriers/standard", {"type": "tracking.updated", "data": news}, stack.webhook_secret("carriers/standard"))
    life.ship(api, work)
    order = life.wait(api, order["id"], "completion", lambda seen: seen["status"] == "completed")
    life.ended(api, order["id"])
