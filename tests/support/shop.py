"""The product's own steps on tables in memory, with a bank that gives trouble: what Step Functions, people and gateways do, one move at a
time, killed around any write.

Executions are followed as the state machines define them: a waiting state goes on when `outcome` says so, a task that fails for good
waits for somebody's decision about its exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count
from typing import Any

import pytest

from oms import clock
from oms.errors import OmsError, Retryable
from oms.flows.allocate import allocate_step
from oms.flows.capture import Placed, capture_step, place
from oms.flows.capture_payment import capture_payment_step
from oms.flows.credit import Credit, put_account
from oms.flows.gateways import GATEWAYS
from oms.flows.idempotency import Request
from oms.flows.inventory import counted
from oms.flows.payments import note
from oms.flows.returns import settle_return_step
from oms.flows.secure_payment import secure_payment_step
from oms.flows.settle import settle_step
from oms.inventory.stock import Stock
from oms.machines.executions import Execution, needed
from oms.machines.outcomes import outcome, state_key
from oms.orders.order import Order
from oms.orders.placing import read_order
from oms.payments.credit import CreditAccountRequest
from oms.payments.news import PaymentNews
from oms.service.exceptions import open_exception
from oms.service.records import Wait
from oms.settings import ChannelSettings, LocationSettings
from oms.storage import settings as stored_settings
from oms.storage.environment import environment
from oms.storage.inventory import stock_at
from oms.storage.order_items import records
from oms.storage.orders import Cause, load, update
from oms.storage.settings import put_setting
from tests.support.bank import Bank
from tests.support.tables import Tables

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
PLACES = ("berlin", "lyon")
ENVIRONMENT = {"ORDERS_TABLE": "orders", "INVENTORY_TABLE": "inventory", "SETTINGS_TABLE": "settings"}
FIRST = {"order": "allocate", "fulfillment": "ship", "return": "approve", "change": "settle"}
NAMES = {
    "wait_for_release": "Wait for release",
    "wait_for_stock": "Wait for stock",
    "hold": "Wait for release",
    "ship": "Ship",
    "deliver": "Deliver",
    "approve": "Approve",
    "wait_for_goods": "Wait for goods",
    "allocate": "Allocate",
    "capture": "Capture",
    "capture_payment": "Capture payment",
    "secure_payment": "Secure payment",
    "return": "Return",
    "settle": "Settle",
}
WAITS = {"wait_for_release", "wait_for_stock", "hold", "ship", "deliver", "approve", "wait_for_goods"}
TASKS = {"allocate", "capture", "capture_payment", "secure_payment", "return", "settle"}
PATIENCE = 6
"""Tries of a task before its exception is raised."""


class Killed(BaseException):
    """The process died here: no `except Exception` sees it."""


@dataclass
class Run:
    """One execution: where it is, since when, and which exception it waits for."""

    execution: Execution
    state: str
    exception_id: str = ""
    tries: int = 0
    not_before: str = ""
    visits: int = 0


@dataclass
class Shop:
    """One order's world. `kill_at`: the process dies before or after its n-th write from now on."""

    tables: Tables = field(default_factory=Tables)
    bank: Bank = field(default_factory=Bank)
    now: datetime = START
    runs: dict[str, Run] = field(default_factory=dict)
    kill_at: tuple[int, str] | None = None
    busy: list[Run] = field(default_factory=list)
    order_id: str = ""
    seen: tuple[int, Order] | None = None

    # --- what the world consists of ---

    def furnish(self, stock: dict[str, int], channel: ChannelSettings) -> None:
        """Two locations with so many of each SKU, and how the channel sells."""
        for location in PLACES:
            put_setting("locations", location, LocationSettings(name=location, type="warehouse").model_dump())
        put_setting("channels", "web", channel.model_dump())
        for sku, units in stock.items():
            self.count(sku, units)

    def count(self, sku: str, units: int) -> None:
        """Count stock anew, at every place."""
        for number, location in enumerate(PLACES):
            known = stock_at(sku, location) or Stock(sku=sku, location_id=location)
            at = clock.stamp()
            counted(known, max(known.reserved, units // (number + 1)), at, f"count {at}", "test", {}, None)

    def open_credit(self, account_id: str, kind: str, currency: str, balance: int) -> None:
        """A gift card or store credit."""
        put_account(account_id, CreditAccountRequest.model_validate({"kind": kind, "currency": currency, "balance": balance}), "test")

    def wrote(self, when: str) -> None:
        """Dies where it was told to."""
        if self.kill_at is None:
            return
        left, at = self.kill_at
        if when == at:
            self.kill_at = (left - 1, at) if left > 1 else None
            if left <= 1:
                raise Killed

    def pass_time(self, **delta: float) -> None:
        """Time goes by; the bank decides what it has thought about."""
        self.now += timedelta(**delta)
        self.bank.decide()

    # --- what people do ---

    def order(self) -> Order:
        """As stored now, to be looked at."""
        if self.seen is None or self.seen[0] != self.tables.writes:
            self.seen = (self.tables.writes, load(self.order_id))
        self.seen[1].now = clock.stamp()
        return self.seen[1]

    def change(self, command: Callable[[Order], Any]) -> Order:
        """A request to an edge, repeated by its caller until it is answered. It must be safe to repeat. What it leaves in memory is what
        is read from then on, though not all of it is stored."""
        while True:
            try:
                done = update(self.order_id, command, Cause("test", "test"))
            except Killed:
                continue
            again = load(self.order_id)
            assert [(sk, record.model_dump()) for sk, record in sorted(records(done))] == [
                (sk, record.model_dump()) for sk, record in sorted(records(again))
            ]
            return done

    def place(self, body: dict[str, Any], *, later_on: bool = False) -> Placed:
        """Place the order, with a key, until somebody answers."""
        asked = Request("shop", "orders", "key", "digest")
        while True:
            try:
                placed = place(read_order(body), asked, actor="test", later_on=later_on)
            except (Killed, Retryable):
                self.pass_time(seconds=40)
                continue
            self.order_id = placed.order.id
            return placed

    def hear(self, index: int) -> None:
        """Hand over one of the bank's notifications, the first time or again."""
        news = self.bank.notifications[index % len(self.bank.notifications)]
        while True:
            try:
                note(news, "sandbox", "webhook")
            except Killed:
                continue
            return

    def hear_now(self, news: PaymentNews) -> None:
        """What the bank tells before it answers."""
        note(news, "sandbox", "webhook")

    def hear_all(self) -> None:
        """Hand over all of them."""
        for index in range(len(self.bank.notifications)):
            self.hear(index)

    # --- what the state machines do ---

    def follow(self) -> None:
        """Start what should be running, as relay does, and reconcile for what has ended too early."""
        order = self.order()
        for execution in needed(order):
            known = self.runs.get(execution.record_id)
            if known is None or known.execution.name != execution.name or known.state == "ended":
                first = execution.input.get("outcome", {}).get("next") or FIRST[execution.machine]
                self.runs[execution.record_id] = Run(execution, first)

    def ready(self) -> list[Run]:
        """Executions that can go on."""
        self.follow()
        order = self.order()
        return [run for run in self.runs.values() if self._can_go_on(order, run)]

    def _can_go_on(self, order: Order, run: Run) -> bool:
        if run.state == "raised":
            return order.exceptions[run.exception_id].status != "open"
        if run.state in WAITS:
            return outcome(order, Wait(id=run.execution.record_id, state=NAMES[run.state], token="", entered="")) is not None
        return run.state in TASKS and run.not_before <= clock.stamp()

    def step(self, run: Run) -> None:
        """One move of one execution."""
        order, record_id = self.order(), run.execution.record_id
        if run.state == "raised":
            problem = order.exceptions[run.exception_id]
            self._go(run, "ended" if problem.status == "abandoned" else state_key(problem.step))
        elif run.state in WAITS:
            how = outcome(order, Wait(id=record_id, state=NAMES[run.state], token="", entered=""))
            assert how
            assert how.output, "no parcel goes back in these lives"
            self._go(run, how.output["next"])
        else:
            self._task(run)

    def run(self, most: int = 60) -> None:
        """Whatever can go on goes on, until everything waits."""
        for _ in range(most):
            ready = self.ready()
            if not ready:
                return
            self.step(ready[0])
        raise AssertionError(f"the machines do not come to rest: { {name: run.state for name, run in self.runs.items()} }")

    def _task(self, run: Run) -> None:
        self.busy.append(run)
        try:
            answer = self._do(run.state, run.execution)
        except Killed:
            return  # Lambda is asked again
        except Exception as error:
            run.tries += 1
            if isinstance(error, OmsError) and isinstance(error, Retryable) and run.tries < PATIENCE:
                return
            if not isinstance(error, OmsError):
                raise
            self._raise(run, type(error).__name__, str(error))
            return
        finally:
            self.busy.pop()
        if answer["next"].startswith("later_"):
            run.not_before = clock.later(clock.stamp(), seconds=answer["seconds"])
            return
        if answer["next"] == "unfillable":
            run.state = "allocate"
            self._raise(run, "Unfillable", "no location can serve it")
            return
        self._go(run, answer["next"])

    def _do(self, state: str, execution: Execution) -> dict[str, Any]:
        order_id, record_id, name = self.order_id, execution.record_id, execution.name
        tasks: dict[str, Callable[[], dict[str, Any]]] = {
            "allocate": lambda: allocate_step(order_id, name),
            "capture": lambda: capture_step(order_id, name),
            "capture_payment": lambda: capture_payment_step(order_id, record_id, name),
            "secure_payment": lambda: secure_payment_step(order_id, record_id, name),
            "return": lambda: settle_return_step(order_id, record_id, name),
            "settle": lambda: settle_step(order_id, record_id, name),
        }
        return tasks[state]()

    def _raise(self, run: Run, error: str, cause: str) -> None:
        run.visits += 1
        opened: list[str] = []

        def open_(order: Order) -> None:
            step, visit = NAMES[run.state], f"{run.execution.name}/{run.visits}"
            opened.append(open_exception(order, run.execution.record_id, step, error, cause, run.execution.name, visit).id)

        self.change(open_)
        run.state, run.exception_id, run.tries = "raised", opened[-1], 0

    def _go(self, run: Run, state: str) -> None:
        run.state = state if state in WAITS | TASKS else "ended"
        run.tries, run.not_before = 0, ""


@contextmanager
def a_shop(**bank: Any) -> Iterator[Shop]:
    """A fresh one; nothing of it outlives the block."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        environment.cache_clear()
        stored_settings._cached.clear()
        shop = Shop(bank=Bank(**bank))
        shop.tables.on_write = shop.wrote
        shop.bank.tell = shop.hear_now
        shop.bank.wait = lambda: shop.pass_time(hours=25)
        monkeypatch.setattr("oms.storage.table.client", lambda service: shop.tables)
        monkeypatch.setattr("time.sleep", lambda seconds: shop.pass_time(seconds=seconds))
        monkeypatch.setattr(clock, "datetime", _ticking(shop))
        numbers = count(1)
        monkeypatch.setattr("oms.orders.capture.new_order_id", lambda: f"ord_{next(numbers):020d}")
        monkeypatch.setitem(GATEWAYS, "sandbox", shop.bank)
        monkeypatch.setitem(GATEWAYS, "credit", Credit())
        yield shop
    environment.cache_clear()
    stored_settings._cached.clear()


def _ticking(shop: Shop) -> type[datetime]:
    class Ticking(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            shop.now += timedelta(milliseconds=1)
            return shop.now

    return Ticking
