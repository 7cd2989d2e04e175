"""One order alone on the stack, from placed to delivered: what it consumed, counted, and what a million of them would cost.

Write units are what the engine reports (ReturnConsumedCapacity), which `probe` checks against item sizes. The engine counts every
read as one unit whatever its size, so the reads of the order's collection are computed anew from the sizes of its items.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from infra.local.stack import Stack
from oms.storage.codec import item_bytes
from tests.benchmarks import prices
from tests.benchmarks.shop import Shop

_READ_BYTES = 4096  # one read unit
_LONGEST_TOKEN = 1024  # of Step Functions on AWS; the engine's are short
_BESIDE = ("oms-reconcile", "oms-query-api")  # what runs by the clock, and what the benchmark itself reads
_TRIES = 3


@dataclass(frozen=True)
class Invocation:
    """One run of a function: when it ended (ms since 1970), what it cost, how long it took."""

    function: str
    at: int
    order_id: str | None
    request_id: str
    what: str
    write_units: float
    read_units: float
    ms: float


@dataclass
class Life:
    """What one life consumed."""

    order_id: str
    invocations: list[Invocation]
    transitions: dict[str, int]
    items: dict[str, int]
    read_units: float
    read_units_on_aws: float
    gb_seconds: Decimal
    log_bytes: int
    events: int
    alone: bool
    api_calls: int = 3  # place, ship, the carrier's webhook
    terms: list[tuple[str, str, Decimal]] = field(default_factory=list)

    @property
    def write_units(self) -> float:
        """As the engine reports them: transactions at twice, the index beside."""
        return sum(each.write_units for each in self.invocations)

    @property
    def usd_per_million(self) -> Decimal:
        """The sum of the terms."""
        return sum((usd for _, _, usd in self.terms), Decimal(0))


def measure(stack: Stack, shop: Shop) -> Life:
    """Live one life; again if something else ran beside it."""
    for attempt in range(_TRIES):
        life = _measure(stack, shop)
        if life.alone or attempt == _TRIES - 1:
            break
    life.terms = _terms(life)
    return life


def _measure(stack: Stack, shop: Shop) -> Life:
    began = int(time.time() * 1000)
    placed = shop.place()
    order_id = placed["id"]
    shop.to_delivered(placed)
    done = shop.to_the_end(order_id, executions=2)
    time.sleep(1.0)  # the last relay and its log line
    lines = _log(stack, began)
    invocations = [each for each in _invocations(lines) if each.function not in _BESIDE]
    items = _items(stack, done)
    mine = [each for each in invocations if each.order_id in (None, order_id)]
    ids = {each.request_id for each in mine}
    facts = shop.get(f"/v1/orders/{order_id}/timeline?limit=200")["data"]
    reads, on_aws = _reads(mine, items)
    return Life(
        order_id=order_id,
        invocations=sorted(mine, key=lambda each: each.at),
        transitions=_transitions(stack, done),
        items={sk: item_bytes(item) for sk, item in items.items()},
        read_units=reads,
        read_units_on_aws=on_aws,
        gb_seconds=_gb_seconds(stack, mine),
        log_bytes=sum(len(text.encode()) for _, _, text in lines if any(request in text for request in ids)),
        events=len(facts),
        alone=len(mine) == len(invocations) and sum(each.function == "oms-relay" for each in mine) <= len(facts),
    )


def _log(stack: Stack, since: int) -> list[tuple[str, int, str]]:
    """All lines of all functions since then: function, time, text."""
    lines = []
    for group in stack.aws.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/oms-")["logGroups"]:
        for page in stack.aws.logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"], startTime=since):
            lines += [(group["logGroupName"].rpartition("/")[2], event["timestamp"], event["message"]) for event in page["events"]]
    return lines


def _invocations(lines: Iterable[tuple[str, int, str]]) -> list[Invocation]:
    found = []
    for function, at, text in lines:
        said = _parsed(text)
        if said.get("message") == "invoked":
            order_id = said.get("order_id") or _order_in(said)
            what = str(said.get("step") or said.get("route") or f"{said.get('records', 0)} records")
            units = (float(said["write_units"]), float(said["read_units"]))
            found.append(Invocation(function, at, order_id, str(said["request_id"]), what, *units, float(said["ms"])))
    return found


def _parsed(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _order_in(said: dict[str, Any]) -> str | None:
    """The order that a route's id belongs to: fo_<order>_1 belongs to ord_<order>."""
    given = str(said.get("id", ""))
    return f"ord_{given.split('_')[1]}" if given.count("_") > 1 else given or None


def _items(stack: Stack, placed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The order's collection, and the items of its own that stand beside it (its number, its tracking numbers)."""
    table = stack.outputs["OrdersTable"]
    client = stack.aws.client("dynamodb")
    key = {":pk": {"S": placed["id"]}}
    found = client.query(TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=key)["Items"]
    items = {item["sk"]["S"]: item for item in found}
    names = {f"number#{placed['order_number']}": f"claim#{placed['channel']}"}
    names |= {f"tracking#BEN-{work['id']}": "claim" for work in placed["fulfillment_orders"]}
    for name, sk in names.items():
        claim = client.get_item(TableName=table, Key={"pk": {"S": name}, "sk": {"S": sk}}).get("Item")
        items |= {name: claim} if claim else {}
    return items


def _reads(invocations: list[Invocation], items: dict[str, dict[str, Any]]) -> tuple[float, float]:
    """Read units by size. Every invocation but the one that places the order loads it once; it never was larger than it is at the end.

    The second figure is for task tokens as long as those of AWS.
    """
    loaded = {sk: item for sk, item in items.items() if "doc#" <= sk <= "state#~"}
    size = sum(item_bytes(item) for item in loaded.values())
    tokens = [item["token"]["S"] for sk, item in loaded.items() if sk.startswith("state#wait#") and "token" in item]
    longer = size + sum(max(0, _LONGEST_TOKEN - len(token)) for token in tokens)
    counted, loads = sum(each.read_units for each in invocations), sum(each.what != "POST /v1/orders" for each in invocations)
    more, more_on_aws = (loads * (math.ceil(bytes_ / _READ_BYTES) - 1) for bytes_ in (size, longer))
    return counted + more, counted + more_on_aws


def _transitions(stack: Stack, order: dict[str, Any]) -> dict[str, int]:
    """States entered, by machine."""
    entered = {}
    for execution in order["executions"]:
        pages = stack.aws.states.get_paginator("get_execution_history").paginate(executionArn=execution["arn"])
        entered[execution["machine"]] = sum(event["type"].endswith("StateEntered") for page in pages for event in page["events"])
    return entered


def _gb_seconds(stack: Stack, invocations: list[Invocation]) -> Decimal:
    """Billed by the started millisecond, at the memory that each function has."""
    total = Decimal(0)
    for name in {each.function for each in invocations}:
        memory = stack.aws.functions.get_function_configuration(FunctionName=name)["MemorySize"]
        total += Decimal(sum(math.ceil(each.ms) for each in invocations if each.function == name)) * memory / (1000 * 1024)
    return total


def _terms(life: Life) -> list[tuple[str, str, Decimal]]:
    """What a million lives cost, term by term: the name, the quantity of one life in words, USD."""
    steps, runs = sum(life.transitions.values()), len(life.invocations)
    lines = [
        ("Step Functions, Standard", f"{steps} transitions", steps * prices.STATE_TRANSITION),
        ("DynamoDB writes", f"{life.write_units:g} units", Decimal(str(life.write_units)) * prices.WRITE_UNIT),
        ("DynamoDB reads", f"{life.read_units:g} units", Decimal(str(life.read_units)) * prices.READ_UNIT),
        ("Lambda requests", f"{runs} invocations", runs * prices.LAMBDA_REQUEST),
        ("Lambda time, arm64", f"{life.gb_seconds:.4f} GB-seconds, warm", life.gb_seconds * prices.LAMBDA_GB_SECOND),
        ("API Gateway, HTTP API", f"{life.api_calls} calls", life.api_calls * prices.HTTP_API_CALL),
        ("EventBridge", f"{life.events} events", life.events * prices.CUSTOM_EVENT),
        ("CloudWatch Logs", f"{life.log_bytes:,} bytes", life.log_bytes * prices.LOG_BYTE),
        ("X-Ray", f"{prices.TRACED_SHARE:.0%} of {runs} invocations", runs * prices.TRACED_SHARE * prices.TRACE),
    ]
    return [(name, quantity, usd * prices.MILLION) for name, quantity, usd in lines]
