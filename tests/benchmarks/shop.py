"""The driver: one client that places orders and sees them through their lives, as light as it can be.

The engine and the driver share the machine. So connections stay open, every request is one packet, and a client that has to wait
sleeps about as long as it had to the last times before it asks.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from infra.local.client import Answer, Api, problem
from infra.local.stack import Stack
from oms.clock import stamp

CHANNEL = LOCATION = "bench"
SKUS = tuple(f"BENCH-{number:02d}" for number in range(40))
_PATIENCE_SECONDS = 60.0
_TOKEN_SECONDS = 45 * 60


class Failed(Exception):
    """A life that went wrong: what, and where."""


class OutOfTime(Exception):
    """The measurement is over; what was under way does not count."""


class Wait:
    """Learns how long something takes, over all clients that wait for it."""

    def __init__(self, expected: float = 0.1) -> None:
        self._expected, self._spread = expected, 0.0

    def until(self, fetch: Callable[[], Any], done: Callable[[Any], bool], what: str) -> Any:
        """What `fetch` returns once `done`; Failed after a minute."""
        began = time.monotonic()
        pause = self._expected + self._spread / 2  # to ask too early costs the engine more than to ask a little late
        while True:
            time.sleep(pause)
            took = time.monotonic() - began
            seen = fetch()
            if done(seen):
                off = took * 0.9 - self._expected  # it was there before it was asked for
                self._expected, self._spread = self._expected + off * 0.2, self._spread + (abs(off) - self._spread) * 0.2
                return seen
            if took > _PATIENCE_SECONDS:
                raise Failed(f"waited a minute in vain for {what}: {seen.get('id')} is {seen.get('status')}")
            pause = max(0.04, min(self._expected / 2, 1.0))


class Waits:
    """One of each that a life has."""

    def __init__(self) -> None:
        self.work, self.money, self.refund, self.end = Wait(), Wait(), Wait(), Wait(0.02)


class Tokens:
    """One access token for all clients, renewed before it expires."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._lock = stack, threading.Lock()
        self._token, self._until = "", 0.0

    def __call__(self) -> str:
        with self._lock:
            if time.monotonic() > self._until:
                self._token, self._until = self._stack.token(), time.monotonic() + _TOKEN_SECONDS
            return self._token


class Shop:
    """One client: a shop, its warehouse, the carrier and the service desk in one. Not for several threads."""

    _numbers: Iterator[int] = count()
    _run = uuid.uuid4().hex[:6].upper()

    def __init__(self, stack: Stack, tokens: Tokens, waits: Waits | None = None, *, deadline: float = math.inf) -> None:
        """`deadline`, on the monotonic clock, is when every call raises OutOfTime."""
        self.api = Api(stack.base_url, tokens)
        self._deadline = deadline
        self._waits = waits or Waits()
        self._carrier_secret = stack.webhook_secret("carriers/standard")

    def place(self) -> dict[str, Any]:
        """Place an order of two lines: the order. Failed unless it is taken."""
        placed: dict[str, Any] = self._taken("POST /v1/orders", self.buy(self.next_order()))
        return placed

    def buy(self, body: dict[str, Any]) -> Answer:
        """Place any order, whatever the answer."""
        return self._post("/v1/orders", body)

    def next_order(self, *skus: str) -> dict[str, Any]:
        """A body with a number of its own; two lines of different SKUs unless they are named."""
        number = next(self._numbers)
        return order(f"B-{self._run}-{number}", *(skus or (SKUS[number % len(SKUS)], SKUS[(number * 7 + 1) % len(SKUS)])))

    def to_allocated(self, placed: dict[str, Any]) -> dict[str, Any]:
        """Wait for its fulfillment order: the order as it then is."""
        path = f"/v1/orders/{placed['id']}"
        return dict(self._waits.work.until(lambda: self.get(path), lambda now: bool(now["fulfillment_orders"]), "its fulfillment order"))

    def to_delivered(self, placed: dict[str, Any]) -> dict[str, Any]:
        """Ship in one parcel, wait for the money, deliver: the order as it was when its money was there."""
        path, waits = f"/v1/orders/{placed['id']}", self._waits
        (work,) = self.to_allocated(placed)["fulfillment_orders"]
        lines = [{"line_id": line["line_id"], "quantity": line["quantity"]} for line in work["lines"]]
        tracking = f"BEN-{work['id']}"
        self.post(f"/v1/fulfillment-orders/{work['id']}/ship", {"packages": [{"tracking_number": tracking, "lines": lines}]})
        total = placed["totals"]["grand_total"]
        seen = waits.money.until(lambda: self.get(path), lambda now: bool(now["payment"]["captured"] == total), "its money")
        event = {"tracking_number": tracking, "status": "delivered", "occurred_at": stamp()}
        self.api.webhook("/v1/webhooks/carriers/standard", {"type": "tracking.updated", "data": event}, self._carrier_secret)
        return dict(seen)

    def to_refunded(self, order_id: str) -> None:
        """Send one unit back: requested, approved, received, settled."""
        wanted = {"line_id": "1", "quantity": 1, "reason": "changed_mind", "resolution": "refund"}
        back = self.post(f"/v1/orders/{order_id}/returns", {"lines": [wanted]})["change"]["id"]
        self.post(f"/v1/returns/{back}/approve", {})
        self.post(f"/v1/returns/{back}/receive", {"lines": [{"line_id": "1", "quantity": 1, "condition": "resellable"}]})
        self._waits.refund.until(lambda: self.get(f"/v1/returns/{back}"), lambda now: bool(now["status"] == "settled"), "its refund")

    def to_the_end(self, order_id: str, executions: int) -> dict[str, Any]:
        """Wait until all of its executions have ended; Failed if one did not succeed."""

        def ended(now: dict[str, Any]) -> bool:
            states = [execution["status"] for execution in now["executions"]]
            if {"FAILED", "TIMED_OUT", "ABORTED"} & set(states):
                raise Failed(f"an execution of {order_id} ended as {states}")
            return len(states) == executions and set(states) == {"SUCCEEDED"}

        seen: dict[str, Any] = self._waits.end.until(lambda: self.get(f"/v1/orders/{order_id}"), ended, "its executions to end")
        return seen

    def life(self) -> None:
        """Place, ship, capture, deliver, return, refund, until the executions have ended."""
        placed = self.place()
        self.to_delivered(placed)
        self.to_refunded(placed["id"])
        done = self.to_the_end(placed["id"], executions=3)
        if done["payment"]["refunded"] == 0:
            raise Failed(f"{placed['id']} has ended without its refund")

    def get(self, path: str) -> Any:
        """The body of a GET; Failed unless 200."""
        self._in_time()
        return self._taken(f"GET {path}", self.api.call("GET", path))

    def post(self, path: str, body: Any) -> Any:
        """The body of a POST; Failed unless 2xx."""
        return self._taken(f"POST {path}", self._post(path, body))

    def _post(self, path: str, body: Any) -> Answer:
        """With a key, so that a client that is told to try again may."""
        self._in_time()
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        for pause in (0.05, 0.2, 0.5):
            answer = self.api.call("POST", path, body, headers=headers)
            if answer.status != 503:
                return answer
            time.sleep(pause)
        return self.api.call("POST", path, body, headers=headers)

    def _in_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise OutOfTime

    @staticmethod
    def _taken(what: str, answer: Answer) -> Any:
        if not answer.ok:
            raise Failed(f"{what} answered {answer.status}: {problem(answer.body)}")
        return answer.body


def open_shop(api: Api) -> None:
    """A location, a channel that sells from it alone, and more stock than a benchmark can sell."""
    location = {"name": "Benchmark warehouse", "type": "warehouse", "groups": [LOCATION], "enabled": True}
    api.put(f"/v1/locations/{LOCATION}", location)
    api.put(f"/v1/channels/{CHANNEL}", {"location_group": LOCATION})
    stock(api, SKUS, 1_000_000)


def stock(api: Api, skus: tuple[str, ...], on_hand: int) -> None:
    """Count `on_hand` units of each."""
    records = [{"record_id": uuid.uuid4().hex, "sku": sku, "location_id": LOCATION, "on_hand": on_hand} for sku in skus]
    refused = [answer for answer in api.post("/v1/inventory/batch", {"records": records})["data"] if answer["status"] == "refused"]
    if refused:
        raise Failed(f"the API refused stock: {refused[0].get('detail')}")


def order(number: str, *skus: str) -> dict[str, Any]:
    """A body as a shop would send it: one unit of each SKU, with tax, delivery charge, names and addresses."""
    vat = [{"name": "VAT", "rate": "20"}]
    home = {"line1": "Kastanienallee 12", "city": "Berlin", "postal_code": "10435", "country": "DE"}
    return {
        "channel": CHANNEL,
        "order_number": number,
        "currency": "EUR",
        "tax_mode": "gross",
        "placed_at": stamp(),
        "customer": {"id": f"cus-{number}", "email": "ada@example.com", "name": "Ada Lindgren"},
        "billing_address": home,
        "delivery_groups": [
            {
                "id": "g1",
                "recipient": {"name": "Ada Lindgren"},
                "address": home,
                "method": "standard",
                "charge": {"amount": 490, "taxes": vat},
            }
        ],
        "lines": [
            {"id": str(place), "sku": sku, "name": f"Thing {sku}", "quantity": 1, "unit_price": 1200, "delivery_group": "g1", "taxes": vat}
            for place, sku in enumerate(skus, 1)
        ],
        "payments": [{"method": "card", "gateway": "sandbox", "token": "tok_approve", "amount": 490 + 1200 * len(skus)}],
    }
