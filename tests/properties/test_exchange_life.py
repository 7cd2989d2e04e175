"""Random lives of several orders that come of each other by exchanges, with everything that service does and all that goes wrong with
money. Every law holds for each of them after every move; and in the end what one has given, another has taken."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from oms.errors import Refused
from oms.flows.exchanges import desk
from oms.orders.order import Order
from oms.orders.quantities import available_to_cancel, available_to_return
from oms.payments.journal import journal_lines
from oms.service.exchange_request import ExchangeRequest
from oms.service.exchanges import exchange
from oms.service.figures import figures, foresee
from oms.storage.orders import Cause, load, update
from oms.storage.timeline import timeline
from tests.properties import money_laws, order_laws
from tests.properties.orders import SKUS
from tests.properties.test_service_life import ServiceLife
from tests.support.bank import TOKENS
from tests.support.shop import Killed, Run

MOST = 3
THEN = (
    "machines",
    "machines",
    "receive 9",
    "receive 9",
    "receive 1",
    "close",
    "reject",
    "new goes out",
    "new goes out",
    "new is cancelled",
)


class ExchangeLife(ServiceLife):
    """One order is looked at; all rules of service are for that one, and another may be looked at next."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: list[str] = []
        self.runs: dict[str, dict[str, Run]] = {}

    @rule(
        data=st.data(),
        prices=st.lists(st.none() | st.integers(0, 3000), min_size=1, max_size=2),
        advance=st.booleans(),
        reduce=st.booleans(),
        token=st.none() | st.sampled_from(["approve"] * len(TOKENS) + list(TOKENS)),
        then=st.lists(st.sampled_from(THEN), max_size=4),
    )
    def goods_are_exchanged(
        self, data: st.DataObject, prices: list[int | None], advance: bool, reduce: bool, token: str | None, then: list[str]
    ) -> None:
        order = self.shop.order()
        free = {line_id: available_to_cancel(s) + available_to_return(s, True) for line_id, s in order.summary.lines.items()}
        lines = [line_id for line_id, units in free.items() if units]
        if len(self._orders()) == MOST or not lines or order.summary.status in ("received", "declined"):
            return
        wanted = data.draw(st.lists(st.sampled_from(lines), min_size=1, max_size=2, unique=True))
        body: dict[str, Any] = {
            "return_lines": [{"line_id": line_id, "quantity": data.draw(st.integers(1, free[line_id]))} for line_id in wanted],
            "new_lines": [
                {
                    "sku": data.draw(st.sampled_from(SKUS)),
                    "quantity": data.draw(st.integers(1, 3)),
                    **({} if price is None else {"unit_price": price, "taxes": [{"name": "VAT", "rate": "20"}]}),
                }
                for price in prices
            ],
            "advance": advance,
            "reduce_shipping": reduce,
        }

        def ask(order: Order) -> None:
            order.must_be_live()
            before = foresee(order, lambda copy: exchange(copy, ExchangeRequest.model_validate({**body, "preview": True}), desk(), "agent"))
            said = figures(order, *before)
            about = next(change.exchange for change in before[1] if change.exchange)
            due = about.price if advance else said["amount_due"]
            payments = [{"method": "card", "token": f"tok_{token}", "amount": due}] if token and due else []
            exchange(order, ExchangeRequest.model_validate({**body, "payments": payments}), desk(), "agent")
            about = next(change.exchange for change in reversed(order.changes.values()) if change.exchange)
            assert said["amount_due"] == about.price - min(about.price, about.expected)

        while True:
            try:
                update(self.shop.order_id, ask, Cause("test", "test"), personal=True)
            except Killed:
                continue
            except Refused:
                pass  # or it was done before the process died, and the same again is not possible
            break
        made = [change.exchange.new_order_id for change in self.shop.order().changes.values() if change.exchange]
        self.orders = list(dict.fromkeys([*self._orders(), *made]))
        if made:
            here = self.shop.order_id
            for what in then:
                self._then(what, here, made[-1])
            self._look_at(here)

    def _then(self, what: str, old: str, new: str) -> None:
        """What comes next of an exchange, mostly."""
        self._look_at(new if "new" in what else old)
        rets = list(self.shop.order().returns)[-1:]
        if what == "machines":
            self._run_all()
        elif what == "new goes out" and self._open_work():
            self.all_goes_well()
        elif what == "new is cancelled":
            self.all_is_cancelled(reduce=None, fees=[], run=True)
        elif what in ("receive 9", "receive 1", "close", "reject") and rets:
            action, _, units = what.partition(" ")
            self._act(lambda order: self.go_back(order, order.returns[rets[0]], action, int(units or 0)))

    @precondition(lambda self: len(self._orders()) > 1)
    @rule(data=st.data())
    def another_order_is_looked_at(self, data: st.DataObject) -> None:
        self._look_at(data.draw(st.sampled_from(self._orders())))

    @invariant()
    def laws_hold_for_all(self) -> None:
        for order_id in self.orders:
            if order_id != self.shop.order_id:
                money_laws.check(load(order_id), list(timeline(order_id)), self.shop.bank)
                order_laws.statuses(load(order_id))

    def end_well(self) -> None:
        """Each comes to its end, whatever it waits for of the others; then nothing hangs between them."""
        for _ in range(6):
            for order_id in self._orders():
                self._look_at(order_id)
                self._calm()
        hanging: Counter[str] = Counter()
        for order_id in self._orders():
            self._look_at(order_id)
            super().end_well()
            order = self.shop.order()
            for entry in timeline(order_id):
                hanging.update({line.account: line.amount for line in journal_lines(order, entry)})
        assert hanging["exchanges"] == 0

    def _calm(self) -> None:
        shop = self.shop
        shop.kill_at, shop.bank.troubles, shop.bank.meanwhile = None, [], []
        for number in range(20):
            shop.pass_time(minutes=2)
            shop.hear_all()
            shop.run()
            if not self._go_on(number):
                return

    def _orders(self) -> list[str]:
        return self.orders or [self.shop.order_id]

    def _look_at(self, order_id: str) -> None:
        self.runs[self.shop.order_id] = self.shop.runs
        self.shop.order_id, self.shop.runs, self.shop.seen = order_id, self.runs.setdefault(order_id, {}), None
        self.checked = 0

    def _run_all(self) -> None:
        here = self.shop.order_id
        for order_id in [*self._orders(), here]:
            self._look_at(order_id)
            self.shop.run()


TestExchangeLife = ExchangeLife.TestCase
_THOROUGH = hypothesis_settings().max_examples > 100
TestExchangeLife.settings = hypothesis_settings(
    max_examples=1500 if _THOROUGH else 30,
    stateful_step_count=60 if _THOROUGH else 30,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
