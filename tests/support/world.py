"""A small AWS in this process (moto) with the real handlers in it: tables, queue, bus, secrets, and the stream that feeds relay.

Every AWS call passes through `Wire`, so that a test can count calls, hold one up, let it fail, or kill the process around it.
"""

from __future__ import annotations

import importlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, cast

import botocore.client
import pytest
from moto import mock_aws

from infra.parts.routes import ROUTES
from oms import clock
from oms.api.signatures import sign
from oms.flows import gateways
from oms.flows.gateways import GATEWAYS
from oms.flows.inventory import counted
from oms.inventory.stock import Stock
from oms.payments.gateway import Gateway, Instruction, Outcome
from oms.payments.records import Payment
from oms.settings import LocationSettings
from oms.storage import secrets
from oms.storage import settings as stored_settings
from oms.storage.clients import client
from oms.storage.environment import environment
from oms.storage.settings import put_setting
from tests.support.answers import serialize_attributes_as_they_are
from tests.support.orders import a_line, an_order
from tests.support.transactions import keep_only_what_is_touched

ARN = "arn:aws:{service}:us-east-1:123456789012:{name}"
MACHINES = {name: ARN.format(service="states", name=f"stateMachine:oms-{name}") for name in ("order", "fulfillment", "return", "change")}
TABLES = ("oms-orders", "oms-inventory", "oms-settings")
INDEXES = {"oms-orders": ("lists", "list", "at"), "oms-inventory": ("places", "place", "pk")}
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "ORDERS_TABLE": "oms-orders",
    "INVENTORY_TABLE": "oms-inventory",
    "SETTINGS_TABLE": "oms-settings",
    "EVENT_BUS": "oms",
    "PARKED_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/oms-parked",
    "BOOKS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/oms-books.fifo",
    "WEBHOOK_SECRETS": "oms/webhooks/",
    "GATEWAY_SECRETS": "oms/gateways/",
    "LOADS_BUCKET": "oms-loads",
    **{f"{name.upper()}_MACHINE_ARN": arn for name, arn in MACHINES.items()},
}
SECRETS = {
    name: "whsec_" + letter * 32
    for name, letter in (
        ("carriers/standard", "s"),
        ("carriers/sandbox", "c"),
        ("payments/sandbox", "p"),
        ("payments/stripe", "t"),
        ("links/payment", "l"),
        ("quotes/service", "q"),
        ("links/tracking", "g"),
    )
}
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "SendMessage", "DeleteMessage", "PutEvents", "StartExecution"}
WRITES |= {"SendTaskSuccess", "SendTaskFailure"}
FIRST_COUNT = "2026-01-01T00:00:00.000Z"
PRICES = {"A": 1200, "B": 500}
JSON = dict[str, Any]


class Killed(BaseException):
    """The process died here: no `except Exception` sees it."""


@dataclass(frozen=True)
class Call:
    """One AWS call, e.g. dynamodb TransactWriteItems."""

    service: str
    operation: str
    given: JSON

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.operation in WRITES


Watcher = Callable[[Call], None]


@dataclass
class Wire:
    """All AWS calls of this process, one at a time (moto is not made for threads); watchers run outside that lock and may raise or wait."""

    before: list[Watcher] = field(default_factory=list)
    after: list[Watcher] = field(default_factory=list)
    made: list[Call] = field(default_factory=list)
    stream: list[JSON] = field(default_factory=list)
    work: threading.local = field(default_factory=threading.local)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand between every botocore client and its service."""
        real = cast(Any, botocore.client.BaseClient)._make_api_call

        def call(that: Any, operation: str, given: JSON) -> Any:
            made = Call(that.meta.service_model.service_name, operation, given)
            for watch in list(self.before):
                watch(made)
            with self._lock:
                answer = real(that, operation, given)
                self._took_effect(made)
            for watch in list(self.after):
                watch(made)
            return answer

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)

    @contextmanager
    def working(self, function: str, event: JSON) -> Iterator[None]:
        """Note what this thread is at, so that watchers know; another attempt at the same thing has the same name."""
        before = vars(self.work).copy()
        same = {key: value for key, value in event.items() if key not in ("retry", "token", "headers")}
        self.work.name, self.work.writes = f"{function} {json.dumps(same, sort_keys=True)}", 0
        try:
            yield
        finally:
            vars(self.work).clear()
            vars(self.work).update(before)

    def _took_effect(self, made: Call) -> None:
        self.made.append(made)
        puts = [made.given] if made.operation == "PutItem" else []
        puts += [each["Put"] for each in made.given.get("TransactItems", []) if "Put" in each]
        self.stream += [put["Item"] for put in puts if put["Item"]["sk"]["S"].startswith("timeline#")]

    @contextmanager
    def watched(self, *, before: Watcher | None = None, after: Watcher | None = None) -> Iterator[None]:
        """Watchers for a while."""
        pairs = [(self.before, before), (self.after, after)]
        for watchers, watch in pairs:
            if watch:
                watchers.append(watch)
        try:
            yield
        finally:
            for watchers, watch in pairs:
                if watch:
                    watchers.remove(watch)


@dataclass
class CountingGateway:
    """The sandbox gateway, with a book of what it was asked: per key, every call as (kind, amount, state)."""

    inner: Gateway
    calls: dict[str, list[tuple[str, int, str]]] = field(default_factory=dict)

    @property
    def key_hours(self) -> int | None:
        return self.inner.key_hours

    @property
    def voids_parts(self) -> bool:
        return self.inner.voids_parts

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        return self._noted(what, self.inner.perform(what, payment))

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        return self.inner.look_up(what, payment)

    def moved(self, kind: str) -> list[int]:
        """The amounts that really moved: one per key, however often it was asked."""
        made = [{call for call in calls if call[0] == kind and call[2] == "succeeded"} for calls in self.calls.values()]
        assert all(len(different) <= 1 for different in made), f"one key was used for different amounts: {self.calls}"
        return sorted(amount for different in made for _, amount, _ in different)

    def _noted(self, what: Instruction, outcome: Outcome) -> Outcome:
        kind = "authorize" if what.kind == "authorization" else what.kind
        self.calls.setdefault(what.key, []).append((kind, outcome.amount, outcome.state))
        return outcome


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def pointers(self) -> set[str]:
        """Where a problem's faults are."""
        return {fault.get("pointer", "") for fault in self.body["errors"]}


class Context:
    """What Lambda hands to a handler."""

    aws_request_id = "request"
    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn"

    def __init__(self) -> None:
        self._end = time.monotonic() + 60

    def get_remaining_time_in_millis(self) -> int:
        """A minute from the beginning."""
        return int(1000 * (self._end - time.monotonic()))


@dataclass
class World:
    """Tables with two locations and some stock, the handlers, and what is needed to play storefront, warehouse, carrier and AWS."""

    wire: Wire
    gateway: CountingGateway
    ahead: timedelta = timedelta()

    def invoke(self, function: str, event: JSON) -> Any:
        """Run a handler."""
        handler = importlib.import_module(f"functions.{function}.handler").handler
        with self.wire.working(function, event):
            return handler(event, Context())

    def call(
        self,
        method: str,
        path: str,
        body: JSON | str | None = None,
        *,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        who: str = "shop",
        scopes: Sequence[str] = (),
        subject: str = "",
        source: str = "192.0.2.1",
    ) -> Answer:
        """An HTTP request, routed as API Gateway routes it. A token has the scopes given, and of those that the route asks for one at
        least; `subject`: the customer who has signed in."""
        route, names = _route(method, path)
        needed = route.scope.split()
        granted = [*scopes, *([] if set(needed) & set(scopes) else needed[:1])]
        claims = {"client_id": who, "sub": subject or who, "scope": " ".join(f"oms/{name}" for name in granted)}
        event = {
            "version": "2.0",
            "routeKey": f"{method} {route.path}",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {name.lower(): value for name, value in (headers or {}).items()},
            "pathParameters": names,
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": source},
                "domainName": "api.example.com",
                "stage": "$default",
                **({"authorizer": {"jwt": {"claims": claims}}} if needed else {}),
            },
            "isBase64Encoded": False,
        }
        if query:
            event["queryStringParameters"] = query
        if body is not None:
            event["body"] = body if isinstance(body, str) else json.dumps(body)
        answer = self.invoke(route.function, event)
        sent = {k.lower(): v for k, v in {**answer.get("headers", {}), **answer.get("multiValueHeaders", {})}.items()}
        kinds = sent.get("content-type", "")
        content = json.loads(answer["body"]) if kinds.endswith("json") else answer["body"]
        return Answer(answer["statusCode"], content, sent)

    def done(self, method: str, path: str, body: JSON | None = None, **more: Any) -> Any:
        """A request that must succeed; its body."""
        answer = self.call(method, path, body, **more)
        assert answer.status < 300, answer
        return answer.body

    def place(self, body: JSON, *, status: int = 201, **more: Any) -> Any:
        """Place an order and expect that status; the order."""
        answer = self.call("POST", "/v1/orders", body, **more)
        assert answer.status == status, answer
        return answer.body

    def order(self, order_id: str) -> Any:
        """The order as the API shows it now."""
        return self.done("GET", f"/v1/orders/{order_id}")

    def signed(self, path: str, body: JSON | str, *, secret: str | None = None, message: str = "msg_1", age: float = 0) -> Answer:
        """A webhook, signed as its sender signs it."""
        text = body if isinstance(body, str) else json.dumps(body)
        key = secret if secret is not None else SECRETS[path.removeprefix("/v1/webhooks/")]
        at = int(time.time() - age)
        headers = {"webhook-id": message, "webhook-timestamp": str(at), "webhook-signature": sign(key, message, at, text.encode())}
        return self.call("POST", path, text, headers=headers)

    def carrier(self, number: str, status: str, *, at: str = "", carrier: str = "standard", message: str = "msg_1") -> Answer:
        """News of a parcel."""
        data = {"tracking_number": number, "status": status, "occurred_at": at or clock.stamp()}
        return self.signed(f"/v1/webhooks/carriers/{carrier}", {"type": "tracking.updated", "data": data}, message=message)

    def step(self, function: str, step: str, order_id: str, **more: Any) -> Any:
        """A Step Functions task of an order that runs at once."""
        given = {"schema": 1, "order_id": order_id, **{k: v for k, v in more.items() if k.endswith("_id")}}
        return self.invoke(function, {"step": step, "input": given, "execution": "test", "entered": clock.stamp(), "retry": 0})

    def allocated(self, body: JSON) -> Any:
        """An order placed and allocated, without state machines."""
        order_id = self.place(body)["id"]
        assert self.step("allocate", "Allocate", order_id) == {"next": "allocated"}
        return self.order(order_id)

    def ship_all(self, order: JSON) -> list[str]:
        """Ship every open fulfillment order of `order` as one parcel each; their tracking numbers."""
        numbers = []
        for fo in order["fulfillment_orders"]:
            numbers.append(f"T-{fo['id']}")
            self.ship(fo["id"], {line["line_id"]: line["quantity"] for line in fo["lines"]}, numbers[-1])
        return numbers

    def ship(self, fulfillment_order_id: str, lines: dict[str, int], number: str) -> Any:
        """Ship one parcel."""
        rows = [{"line_id": line_id, "quantity": quantity} for line_id, quantity in lines.items()]
        package = {"tracking_number": number, "lines": rows}
        return self.done("POST", f"/v1/fulfillment-orders/{fulfillment_order_id}/ship", {"packages": [package]})

    def delivered(self, body: JSON) -> Any:
        """An order delivered and paid, without state machines."""
        order = self.allocated(body)
        for number, fo in zip(self.ship_all(order), order["fulfillment_orders"], strict=True):
            self.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo["id"])
            assert self.carrier(number, "delivered").body["changed"]
        return self.order(order["id"])

    def stock(self, sku: str, place: str, on_hand: int) -> None:
        """Count stock."""
        self.done("PUT", f"/v1/inventory/{sku}/{place}", {"on_hand": on_hand})

    def figures(self, sku: str, place: str = "berlin") -> tuple[int, int]:
        """on_hand and reserved."""
        row = self.done("GET", f"/v1/inventory/{sku}/{place}")
        return row["on_hand"], row["reserved"]

    def advance(self, **delta: float) -> None:
        """Let time pass for the product; AWS does not notice."""
        self.ahead += timedelta(**delta)

    def pump(self) -> None:
        """Play the stream: relay gets what has been committed, until nothing is left. A batch it died over is handed to it again."""
        while self.wire.stream:
            batch = list(self.wire.stream)
            del self.wire.stream[: len(batch)]
            try:
                self.relay(batch)
            except Killed:
                self.wire.stream[:0] = batch

    def relay(self, images: list[JSON]) -> list[str]:
        """Hand these timeline items to who gets them: relay those of orders, stockkeeper the others; what they parked."""
        parked: list[str] = []
        for function in ("relay", "stockkeeper"):
            mine = [image for image in images if image["pk"]["S"].startswith("ord_") == (function == "relay")]
            records = [{"eventName": "INSERT", "dynamodb": {"NewImage": image}} for image in mine]
            parked += self.invoke(function, {"Records": records})["parked"] if mine else []
        return parked

    def keep_books(self) -> None:
        """Play the stream, then the books' queue: the bookkeeper gets its messages until nothing is left; what it leaves stays there."""
        self.pump()
        queue, sqs = ENVIRONMENT["BOOKS_QUEUE_URL"], client("sqs")
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            records = [{"messageId": message["MessageId"], "body": message["Body"]} for message in messages]
            left = {each["itemIdentifier"] for each in self.invoke("bookkeeper", {"Records": records})["batchItemFailures"]}
            for message in messages:
                if message["MessageId"] not in left:
                    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    def published(self) -> list[JSON]:
        """Every event put on the bus so far, in order, repetitions included."""
        puts = [call.given["Entries"] for call in self.wire.made if call.operation == "PutEvents"]
        return [json.loads(entry["Detail"]) for entries in puts for entry in entries]

    def started(self) -> list[str]:
        """Names of the executions started so far, in order."""
        return [call.given["name"] for call in self.wire.made if call.operation == "StartExecution"]

    def facts(self, order_id: str) -> list[tuple[str, JSON]]:
        """The order's timeline: what happened, with its figures."""
        rows = self.done("GET", f"/v1/orders/{order_id}/timeline", query={"limit": "200"})["data"]
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
        return [(row["type"], row["data"]) for row in rows]

    def items(self) -> JSON:
        """Everything stored, to compare; a scan answers a megabyte at a time."""
        pages = {table: client("dynamodb").get_paginator("scan").paginate(TableName=table) for table in TABLES}
        rows = {table: [item for page in pages[table] for item in page["Items"]] for table in TABLES}
        return {table: sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"])) for table, found in rows.items()}


def order_body(number: str = "W-1", *, quantities: dict[str, int] | None = None, **more: Any) -> JSON:
    """An order of A (12.00 each, 20 percent VAT included) and B (5.00 each), 6.00 for delivery; paid by one card."""
    wanted = {"A": 2, "B": 1} if quantities is None else quantities
    lines = [a_line(str(n), sku, quantity, PRICES.get(sku, 100), "20") for n, (sku, quantity) in enumerate(wanted.items(), 1)]
    return an_order(*lines, number=number, charge=600, charge_rate="20", **more)


@contextmanager
def a_world(monkeypatch: pytest.MonkeyPatch, definitions: dict[str, JSON] | None = None) -> Iterator[World]:
    """A fresh world; nothing of it outlives the block. With `definitions` the state machines really run, else executions stand still."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    # Clients are kept from world to world: making one costs more than a whole test.
    forget = [environment.cache_clear, gateways.forget, secrets._kept.clear, stored_settings._cached.clear]
    with mock_aws(config=cast(Any, {"stepfunctions": {"execute_state_machine": definitions is not None}})):
        for each in forget:
            each()
        keep_only_what_is_touched(monkeypatch)
        serialize_attributes_as_they_are(monkeypatch)
        wire = Wire()
        world = World(wire, CountingGateway(GATEWAYS["sandbox"]))
        wire.patch(monkeypatch)
        monkeypatch.setitem(GATEWAYS, "sandbox", world.gateway)
        monkeypatch.setattr(clock, "datetime", _moved(world))
        _furnish(definitions or {})
        yield world
    for each in forget:
        each()


def _furnish(definitions: dict[str, JSON]) -> None:
    dynamodb = client("dynamodb")
    for table in TABLES:
        keys = {"pk": "HASH", "sk": "RANGE"}
        index: JSON = {}
        names = list(keys)
        if table in INDEXES:
            name, *listed = INDEXES[table]
            schema = [{"AttributeName": key, "KeyType": kind} for key, kind in zip(listed, ("HASH", "RANGE"), strict=True)]
            index = {"GlobalSecondaryIndexes": [{"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": "KEYS_ONLY"}}]}
            names = sorted({*names, *listed})
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            BillingMode="PAY_PER_REQUEST",
            **index,
        )
    client("sqs").create_queue(QueueName="oms-parked", Attributes={"VisibilityTimeout": "1"})
    client("sqs").create_queue(QueueName="oms-books.fifo", Attributes={"FifoQueue": "true", "VisibilityTimeout": "1"})
    client("events").create_event_bus(Name="oms")
    nothing = {"StartAt": "Nothing", "States": {"Nothing": {"Type": "Succeed"}}}
    for name in MACHINES:
        text, role = json.dumps(definitions.get(name, nothing)), ARN.format(service="iam", name="role/machine").replace(":us-east-1:", "::")
        client("stepfunctions").create_state_machine(name=f"oms-{name}", definition=text, roleArn=role)
    for name, value in SECRETS.items():
        client("secretsmanager").create_secret(Name=f"oms/webhooks/{name}", SecretString=value)
    _stock_shelves()


_shelves: dict[str, list[JSON]] = {}
"""Items of the two locations and their stock, written by the product itself for the first world and copied into the others."""


def _stock_shelves() -> None:
    dynamodb = client("dynamodb")
    if not _shelves:
        for place in ("berlin", "lyon"):
            put_setting("locations", place, LocationSettings(name=place.title(), type="warehouse").model_dump())
            for sku in PRICES:
                counted(Stock(sku=sku, location_id=place), 10, FIRST_COUNT, "first count", "test", {}, None)
        _shelves.update({table: dynamodb.scan(TableName=table)["Items"] for table in TABLES})
    else:
        requests = {table: [{"PutRequest": {"Item": item}} for item in items] for table, items in _shelves.items() if items}
        dynamodb.batch_write_item(RequestItems=requests)


def _moved(world: World) -> type[datetime]:
    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + world.ahead

    return Moved


def _route(method: str, path: str) -> tuple[Any, dict[str, str]]:
    for route in ROUTES:
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path), path)
        if found and route.method == method:
            return route, found.groupdict()
    raise LookupError(f"API Gateway has no route {method} {path}")
