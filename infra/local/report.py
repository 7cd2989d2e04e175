"""What people read: an order's timeline, yesterday's orders, how to go on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from infra.local.client import Api
from infra.local.console import Console
from infra.local.sample import CUSTOMER, sample_order
from infra.local.settings import ROOT
from infra.local.stack import Stack
from oms.clock import parse
from oms.money.currencies import EXPONENTS

# the stage that a kind of fact belongs to, by the first word of its type
_STAGES = {
    "order": "capture",
    "payment": "capture",
    "fulfillment_order": "fulfillment",
    "invoice": "fulfillment",
    "shipment": "delivery",
    "return": "service",
    "credit_memo": "service",
    "change": "service",
    "exception": "operations",
    "execution": "operations",
}
_STAGE_OF = {
    "order.allocated": "fulfillment",
    "order.completed": "delivery",
    "order.opened": "service",
    "order.reopened": "fulfillment",
    "order.units_replaced": "service",
    "order.replacement_cancelled": "service",
    "shipment.claimed": "service",
    "payment.captured": "fulfillment",
    "payment.refunded": "service",
}
_DETAILS = ("fulfillment_order_id", "location_id", "shipment_id", "invoice_id", "credit_memo_id", "return_id", "hold_id")
_AMOUNTS = ("amount", "total_amount", "grand_total")


def timeline(api: Api, order_id: str, console: Console) -> None:
    """Print the order's life: stage, what happened, money, and the execution (or the caller) that did it."""
    order = api.get(f"/v1/orders/{order_id}")
    facts = api.get(f"/v1/orders/{order_id}/timeline", limit=200)["data"]
    names = {execution["name"]: execution["machine"] for execution in order["executions"]}
    console.say(f"\nOrder {order['order_number']} ({order_id})")
    console.say(f"  {'seconds':>8}  {'stage':<12} {'what happened':<48} {'money':>10}  done by")
    began = _moment(facts[0]["at"]) if facts else 0.0
    for fact in facts:
        happened = words(fact).replace(f"_{order_id.removeprefix('ord_')}", "")  # fo_1 says enough under the order's own heading
        when, moved = _moment(fact["at"]) - began, money(fact["data"], order["currency"])
        console.say(f"  {when:8.2f}  {stage(fact['type']):<12} {happened:<48} {moved:>10}  {_doer(fact, names)}")
    console.say(f"\n  {state(order)}")
    for execution in order["executions"]:
        console.say(f"  {execution['machine']:<12} {execution['name']:<40} {execution['status'].lower()}")


def waiting(stack: Stack, order: dict[str, Any], console: Console) -> None:
    """Print where each running execution stands, and what needs somebody."""
    for execution in order["executions"]:
        if execution["status"] == "RUNNING":
            events = stack.aws.states.get_execution_history(executionArn=execution["arn"], reverseOrder=True, maxResults=20)["events"]
            entered = (event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event)
            console.say(f"  {execution['name']} is in: {next(entered, '(not begun)')}")
    for problem in order.get("exceptions", []):
        if problem["status"] == "open":
            console.say(f"  {problem['id']} {problem['step']}: {problem['cause']}. {problem['hint']} ({', '.join(problem['actions'])})")


def state(order: dict[str, Any]) -> str:
    """The order's statuses and money in one line."""
    axes = ("status", "payment_status", "fulfillment_status", "delivery_status", "return_status")
    paid = {name: order["payment"][name] for name in ("captured", "refunded")}
    figures = ", ".join(f"{name} {amount(value, order['currency'])}" for name, value in paid.items())
    return "; ".join([", ".join(f"{axis.removesuffix('_status')} {order[axis]}" for axis in axes), f"{figures} {order['currency']}"])


def stage(fact_type: str) -> str:
    """capture, fulfillment, delivery, service or operations."""
    return _STAGE_OF.get(fact_type) or _STAGES.get(fact_type.partition(".")[0], "")


def words(fact: dict[str, Any]) -> str:
    """A fact in words: `fulfillment order shipped (fo_1, shp_1)`."""
    data = fact["data"]
    details = [str(data[key]) for key in _DETAILS if data.get(key)]
    text = fact["type"].replace("_", " ").replace(".", " ")
    return f"{text} ({', '.join(details)})" if details else text


def money(data: dict[str, Any], currency: str) -> str:
    """The amount that a fact moved or fixed; empty if none."""
    found = next((data[key] for key in _AMOUNTS if isinstance(data.get(key), int)), None)
    return "" if found is None else amount(found, currency)


def amount(minor: int, currency: str) -> str:
    """Minor units as people write them: 3740 EUR is 37.40."""
    digits = EXPONENTS.get(currency, 2)
    sign, text = "-" if minor < 0 else "", str(abs(minor)).rjust(digits + 1, "0")
    return sign + (f"{text[:-digits]}.{text[-digits:]}" if digits else text)


def earlier_orders(stack: Stack, console: Console) -> bool:
    """Name the sample customer's newest orders; False if there are none."""
    api = stack.api(["orders.read"])
    try:
        orders = api.get("/v1/orders", customer_id=CUSTOMER, limit=5)["data"]
    finally:
        api.close()
    if orders:
        console.say(f"\nOrders of {CUSTOMER} from earlier, newest first")
    for order in orders:
        console.say(f"  {order.get('order_number', order['id']):<28} {order['status']:<12} {order['id']}")
    return bool(orders)


def how_to(stack: Stack, console: Console, *, foreground: bool) -> None:
    """Where it answers, a token, three calls to try, how to stop, where the logs are."""
    oms = ".venv/bin/oms"
    bearer = '-H "Authorization: Bearer $TOKEN"'
    home = stack.local.home
    shown = home.relative_to(ROOT) if home.is_relative_to(ROOT) else home
    number = f"TRY-{datetime.now(UTC):%d%H%M%S}"  # a new one each time: the same number with other content is refused
    (home / "order.json").write_text(json.dumps(sample_order(number), indent=2) + "\n")
    console.say(
        f"""
The order management system is up
  API        {stack.base_url}
  engine     {stack.local.engine_url}  (every AWS service: set AWS_ENDPOINT_URL to it)
  token      {stack.token()}
             (all scopes, an hour; a new one: {oms} token)

Try it, from this folder in another terminal:
  API='{stack.base_url}'; TOKEN=$({oms} token)
  curl -s "$API/v1/orders" {bearer} -H 'Content-Type: application/json' -d @{shown}/order.json
  curl -s "$API/v1/orders?channel=web&order_number={number}" {bearer}
  curl -s "$API/v1/orders?customer_id={CUSTOMER}" {bearer}

  another life        make demo
  a record            {oms} open {number}
  function logs       {oms} logs [function] [--follow]
  other logs, data    {shown}/logs, {shown}
  to stop             {"Ctrl-C here" if foreground else "make stop"} (everything is kept for the next start)"""
    )


def _doer(fact: dict[str, Any], executions: dict[str, str]) -> str:
    cause = str(fact.get("cause") or "")
    for name, machine in executions.items():
        if cause and cause.partition("-")[0] == name.partition("-")[0]:  # an earlier run of the same record counts too
            return f"{machine} {cause}"
    actor = str(fact.get("actor") or "")
    return "a caller of the API" if actor.startswith("client:") else actor.replace(":", " ")


def _moment(text: str) -> float:
    return parse(text).timestamp()
