"""Random lives of an order's money on the real steps: after every move law 2, law 3 and law 4 hold, and the bank's book is the ledger.

Any number of tenders of every kind; a gateway that declines, is not reached, loses its answers, decides later, tells first, twice, late or
never, and forgets our keys; steps that die around their writes and are run again, or meet each other; people who decide exceptions;
authorizations that run out; chargebacks and refunds that come back.
"""

from __future__ import annotations

from typing import Any

from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oms.errors import OmsError
from oms.flows.idempotency import Request
from oms.flows.reports import ship_packages
from oms.flows.tenders import pay_due
from oms.fulfillment import arrivals, work
from oms.fulfillment.requests import PackageLine, RejectRequest, ShipRequest
from oms.ids import invoice_of_change
from oms.orders import quantities
from oms.orders.order import Order
from oms.orders.statuses import buckets
from oms.payments.clock import authorization_news, watch_authorizations
from oms.payments.cover import due
from oms.payments.funds import open_amount
from oms.payments.ledger import fold
from oms.payments.receipts import ReceivedPayment, receive_payment
from oms.payments.records import DECLINE
from oms.payments.tender_request import Tender
from oms.returns import returns
from oms.service import exceptions
from oms.settings import ChannelSettings
from oms.storage.orders import load
from oms.storage.settings import settings
from oms.storage.timeline import timeline
from tests.properties import money_laws, order_laws
from tests.properties.orders import SKUS, bodies
from tests.support.bank import AT_THE_DOOR, TOKENS, TROUBLES
from tests.support.orders import totals_of_body
from tests.support.shop import Killed, Shop, a_shop

CURRENCIES = ("EUR", "JPY", "KWD")  # two, no and three decimals
KINDS = ("card", "card", "card", "gift_card", "store_credit", "terms", "authorized", "captured", "both", "cash")
RETURN_FEES: tuple[list[dict[str, Any]], ...] = (
    [],
    [{"code": "handling", "amount": 90}],
    [{"code": "restocking", "percent": "12.5", "taxes": [{"name": "VAT", "rate": "19"}]}],
)
ALWAYS = (
    "retry",
    "resolve:release_anyway",
    "resolve:recorded",
    "resolve:not_done",
    "resolve:cancel",
    "resolve:cancel_and_refund",
    "resolve:refund",
)


@st.composite
def paid_bodies(draw: st.DrawFn) -> dict[str, Any]:
    """An order paid by one to four tenders of any kind."""
    body = draw(bodies(most=3))
    body["currency"] = draw(st.sampled_from(CURRENCIES))
    total = totals_of_body(body).grand_total
    cuts = sorted(draw(st.lists(st.integers(0, total), max_size=3)))
    parts = [end - start for start, end in zip([0, *cuts], [*cuts, total], strict=True) if end > start]
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=len(parts), max_size=len(parts)))
    body["payments"] = [_tender(draw, number, kind, amount) for number, (kind, amount) in enumerate(zip(kinds, parts, strict=True))]
    seen: set[str] = set()
    for tender in body["payments"]:  # one on terms is enough
        if tender["method"] == "terms" and "terms" in seen:
            tender |= {"method": "card", "token": "tok_approve"}
            tender.pop("terms")
        seen.add(tender["method"])
    return body


def _tender(draw: st.DrawFn, number: int, kind: str, amount: int) -> dict[str, Any]:
    if kind == "terms":
        return {"method": "terms", "amount": amount, "terms": {"net_days": 14}}
    if kind in ("gift_card", "store_credit"):
        return {"method": kind, "account_id": kind[0], "amount": amount}
    if kind == "cash":
        return {"method": "cash", "amount": amount, "capture": {"reference": f"cash-{number}", "amount": amount}}
    if kind == "card":
        return {"method": "card", "token": "tok_" + draw(st.sampled_from([*TOKENS, *["approve"] * 8])), "amount": amount}
    given: dict[str, Any] = {"method": "card", "amount": amount}
    if kind in ("authorized", "both"):
        given["authorization"] = {"reference": f"auth-{number}", "amount": amount + draw(st.integers(0, 50))}
        if draw(st.booleans()):
            given["authorization"]["expires_at"] = "2026-11-25T08:00:00.000Z"
    if kind in ("captured", "both"):
        part = amount if kind == "captured" else draw(st.integers(1, amount))
        given["capture"] = {"reference": f"cap-{number}", "amount": part}
    return given


class Life(RuleBasedStateMachine):
    """Rules are what people, machines, gateways and time do."""

    shop: Shop

    def __init__(self) -> None:
        super().__init__()
        self._context: Any = None
        self.parcels = self.checked = 0

    def teardown(self) -> None:
        try:
            if self._context and self.shop.order_id:
                self.end_well()
        finally:
            if self._context:
                self._context.__exit__(None, None, None)

    @initialize(
        body=paid_bodies(),
        stock=st.integers(1, 8),
        voids_parts=st.booleans(),
        later_on=st.booleans(),
        cancels=st.booleans(),
        asks=st.booleans(),
        troubles=st.lists(st.sampled_from(AT_THE_DOOR), max_size=1),
        far=st.booleans(),
    )
    def place(
        self,
        body: dict[str, Any],
        stock: int,
        voids_parts: bool,
        later_on: bool,
        cancels: bool,
        asks: bool,
        troubles: list[str],
        far: bool,
    ) -> None:
        self._context = a_shop(voids_parts=voids_parts)
        self.shop = self._context.__enter__()
        shop = self.shop
        wanted = {sku: sum(line["quantity"] for line in body["lines"] if line["sku"] == sku) for sku in SKUS}
        channel = {"on_unfillable": "cancel_and_refund" if cancels else "exception", "reauthorize": "ask" if asks else "automatic"}
        shop.furnish({sku: units + stock for sku, units in wanted.items()}, ChannelSettings.model_validate(channel))
        for number, tender in enumerate(body["payments"]):
            if tender["method"] in ("gift_card", "store_credit"):
                balance = sum(each["amount"] for each in body["payments"] if each["method"] == tender["method"])
                shop.open_credit(tender["account_id"], tender["method"], body["currency"], balance)
            elif tender["method"] == "card":
                if given := tender.get("authorization"):
                    shop.bank.given(given["reference"], given["amount"], "authorization", expires_at=given.get("expires_at"))
                if given := tender.get("capture"):
                    shop.bank.given(
                        given["reference"], given["amount"], "capture", of=f"auth-{number}" if "authorization" in tender else None
                    )
        shop.bank.troubles = troubles
        shop.place(body, later_on=later_on)
        for payment in shop.order().payments.values():
            shop.bank.adopt(payment)
        shop.run()
        if far:
            self.all_goes_well()

    # --- what goes wrong next ---

    @rule(what=st.sampled_from([*TROUBLES, "dies before", "dies after", "another machine", "news"]), after=st.integers(0, 2))
    def something_goes_wrong(self, what: str, after: int) -> None:
        """With the next instructions to the bank; or the process dies around one of its next writes; or while the bank works at the next
        instruction another execution goes on, or all the bank's news come in."""
        if what.startswith("dies"):
            self.shop.kill_at = (after + 1, what.removeprefix("dies "))
        elif what in TROUBLES:
            self.shop.bank.troubles = [""] * after + [what]
        else:
            self.shop.bank.meanwhile = [self._another_machine if what == "another machine" else self.shop.hear_all]

    def _another_machine(self) -> None:
        if len(self.shop.busy) == 1:
            others = [run for run in self.shop.ready() if run not in self.shop.busy]
            if others:
                self.shop.step(others[0])

    # --- machines and time ---

    @precondition(lambda self: self.shop.ready())
    @rule(data=st.data())
    def one_machine_moves(self, data: st.DataObject) -> None:
        ready = self.shop.ready()
        self.shop.step(ready[data.draw(st.integers(0, len(ready) - 1))])

    @rule()
    def all_machines_move(self) -> None:
        self.shop.run()

    @rule(hours=st.sampled_from([0, 1, 2, 25, 100, 170]), minutes=st.integers(1, 59))
    def time_passes(self, hours: int, minutes: int) -> None:
        self.shop.pass_time(hours=hours, minutes=minutes)

    @rule()
    def reconcile_looks(self) -> None:
        if authorization_news(self.shop.order()):
            self.shop.change(watch_authorizations)

    # --- goods ---

    @precondition(lambda self: self._open_work())
    @rule(data=st.data(), everything=st.booleans(), run=st.booleans())
    def ship(self, data: st.DataObject, everything: bool, run: bool) -> None:
        fo = data.draw(st.sampled_from(self._open_work()))
        left = {line_id: line.open for line_id, line in fo.lines.items() if line.open}
        sent = left if everything else {line_id: data.draw(st.integers(0, units)) for line_id, units in left.items()}
        self._send(fo.id, {line_id: units for line_id, units in sent.items() if units})
        if run:
            self.shop.run()

    @precondition(lambda self: self._open_work())
    @rule()
    def all_goes_well(self) -> None:
        """Everything open is shipped, paid for and delivered, so that lives get as far as returns."""
        for fo in self._open_work():
            self._send(fo.id, {line_id: line.open for line_id, line in fo.lines.items() if line.open})
        self.shop.run()
        self.shop.change(_arrive)

    @precondition(lambda self: self._open_work())
    @rule(data=st.data(), quantity=st.integers(1, 3), run=st.booleans())
    def pick_short(self, data: st.DataObject, quantity: int, run: bool) -> None:
        """Units that no other place may have either: re-routed, or cancelled, or put before a person."""
        fo = data.draw(st.sampled_from(self._open_work()))
        line_id = data.draw(st.sampled_from([line_id for line_id, line in fo.lines.items() if line.open]))
        rows = [PackageLine(line_id=line_id, quantity=min(quantity, fo.lines[line_id].open))]
        self._act(lambda order: work.reject(order, order.fulfillment_order(fo.id), RejectRequest(lines=rows, reason="not found")))
        if run:
            self.shop.run()

    @precondition(lambda self: any(not parcel.ended for parcel in self.shop.order().shipments.values()))
    @rule()
    def parcels_arrive(self) -> None:
        self.shop.change(_arrive)

    @precondition(lambda self: any(self._returnable()))
    @rule(
        data=st.data(),
        reduce_shipping=st.booleans(),
        resolution=st.sampled_from(["refund", "refund", "store_credit", "replace"]),
        also=st.none() | st.sampled_from(["refund", "store_credit", "replace"]),
        fees=st.sampled_from(RETURN_FEES),
        run=st.booleans(),
    )
    def goods_come_back(
        self, data: st.DataObject, reduce_shipping: bool, resolution: str, also: str | None, fees: list[dict[str, Any]], run: bool
    ) -> None:
        """Fewer than announced, as many, or more; for one resolution, or the last unit for another."""
        line_id, free = data.draw(st.sampled_from(list(self._returnable())))
        quantity, received = data.draw(st.integers(1, free)), data.draw(st.integers(1, free))
        parts = [(quantity, resolution)]
        if also not in (None, resolution) and quantity > 1:
            parts = [(quantity - 1, resolution), (1, str(also))]
        lines = [{"line_id": line_id, "quantity": units, "resolution": for_} for units, for_ in parts]
        body = {"lines": lines, "reduce_shipping": reduce_shipping, "fees": fees}

        def send(order: Order) -> None:
            ret = returns.request_return(order, returns.ReturnRequest.model_validate(body), settings())
            returns.approve(order, ret)
            row = {"line_id": line_id, "quantity": received}
            returns.receive(order, ret, returns.ReceiveRequest.model_validate({"lines": [row]}), settings())

        self._act(send)
        if run:
            self.shop.run()

    # --- people and the outside ---

    @precondition(lambda self: self._open_problems())
    @rule(data=st.data(), run=st.booleans())
    def somebody_decides(self, data: st.DataObject, run: bool) -> None:
        problem = data.draw(st.sampled_from(self._open_problems()))
        self._decide(problem.id, data.draw(st.sampled_from(self._choices(problem))))
        if run:
            self.shop.run()

    @precondition(lambda self: self.shop.order().summary.status not in ("received", "declined") and due(self.shop.order()) > 0)
    @rule(data=st.data(), token=st.sampled_from(TOKENS), run=st.booleans())
    def another_card_comes(self, data: st.DataObject, token: str, run: bool) -> None:
        self._pay(data.draw(st.integers(1, due(self.shop.order()))), token)
        if run:
            self.shop.run()

    @precondition(lambda self: any(open_amount(self.shop.order(), each) > 0 for each in self.shop.order().invoices.values()))
    @rule(data=st.data())
    def a_transfer_comes_in(self, data: st.DataObject) -> None:
        order = self.shop.order()
        invoice = data.draw(st.sampled_from([each for each in order.invoices.values() if open_amount(order, each) > 0]))
        self._receive(invoice.id, data.draw(st.integers(1, open_amount(order, invoice))))

    @precondition(lambda self: self.shop.bank.notifications)
    @rule(data=st.data())
    def news_come_in(self, data: st.DataObject) -> None:
        self.shop.hear(data.draw(st.integers(0, len(self.shop.bank.notifications) - 1)))

    @precondition(lambda self: any(taken.amount > taken.back for taken in self.shop.bank.taken.values()))
    @rule(data=st.data())
    def money_is_charged_back(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([name for name, taken in self.shop.bank.taken.items() if taken.amount > taken.back]))
        taken = self.shop.bank.taken[name]
        self.shop.bank.charge_back(name, data.draw(st.integers(1, taken.amount - taken.back)))

    @precondition(lambda self: self._refunds())
    @rule(data=st.data())
    def a_refund_comes_back(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self._refunds()))
        self.shop.bank.send_back(entry, data.draw(st.integers(1, entry.parts[0][1])))

    # --- the laws ---

    @invariant()
    def laws_hold(self) -> None:
        if self._context and self.shop.order_id and self.checked != self.shop.tables.writes:
            money_laws.check(self.shop.order(), list(timeline(self.shop.order_id)), self.shop.bank)
            order_laws.statuses(load(self.shop.order_id))
            order_laws.stock([load(order_id) for order_id in self._orders()])
            self.checked = self.shop.tables.writes

    def _orders(self) -> list[str]:
        return [self.shop.order_id]

    def end_well(self) -> None:
        """From here on nothing goes wrong any more: the order comes to its end, and nothing of it stays behind (law 5)."""
        shop = self.shop
        shop.kill_at, shop.bank.troubles, shop.bank.meanwhile = None, [], []
        for number in range(60):
            shop.pass_time(minutes=2)
            shop.hear_all()
            shop.run()
            if not self._go_on(number):
                break
            money_laws.check(shop.order(), list(timeline(shop.order_id)), shop.bank)
        order = shop.order()
        money_laws.check(order, list(timeline(shop.order_id)), shop.bank)
        money_laws.check_books(order, list(timeline(shop.order_id)), shop.bank)
        money_laws.check_end(order, shop.bank)

    def _go_on(self, number: int) -> bool:
        """The next thing that somebody who looks after the order would do; False if there is none."""
        shop, order = self.shop, self.shop.order()
        if self._open_work():
            fo = self._open_work()[0]
            self._send(fo.id, {line_id: line.open for line_id, line in fo.lines.items() if line.open})
        elif any(not parcel.ended for parcel in order.shipments.values()):
            shop.change(_arrive)
        elif authorization_news(order):
            shop.change(watch_authorizations)
        elif any(ret.status in ("approved", "partially_received") for ret in order.returns.values()):
            shop.change(_close_returns)
        elif self._open_problems():
            problems = self._open_problems()
            problem = problems[number // 2 % len(problems)]
            choices = self._choices(problem)
            owed = [each for each in order.invoices.values() if open_amount(order, each) > 0]
            if problem.cause.startswith("Unpaid") and number % 2 == 0 and owed:
                own = [each for each in owed if each.id == invoice_of_change(problem.subject)]
                self._receive_all((own or owed)[0].id)
                return True
            if problem.cause.startswith("Retryable"):
                shop.pass_time(hours=25)  # until it has forgotten that it had a fault
            self._decide(problem.id, "retry" if number % 2 and len(choices) > 1 else choices[-1])
        elif any(open_amount(order, each) > 0 for each in order.invoices.values()):
            self._receive_all(next(each.id for each in order.invoices.values() if open_amount(order, each) > 0))
        else:
            moving = shop.ready() or any(run.not_before for run in shop.runs.values() if run.state != "ended")
            return bool(moving) or any(sums.pending_void + sums.pending_refund for sums in map(fold, order.payments.values()))
        return True

    # --- helpers ---

    def _act(self, command: Any) -> None:
        """A request that may be refused."""
        try:
            self.shop.change(command)
        except OmsError:
            return

    def _open_work(self) -> list[Any]:
        """Work with units that may be sent; a location may be asked for all that is left."""
        open_ = [fo for fo in self.shop.order().fulfillment_orders.values() if fo.status in work.OPEN]
        return [fo for fo in open_ if any(row.open for row in fo.lines.values())]

    def _send(self, fulfillment_order_id: str, sent: dict[str, int]) -> None:
        if sent:
            self.parcels += 1
            rows = [{"line_id": line_id, "quantity": units} for line_id, units in sent.items()]
            request = ShipRequest.model_validate({"packages": [{"reference": f"P{self.parcels}", "lines": rows}]})
            self._act(lambda order: ship_packages(order, fulfillment_order_id, request))

    def _returnable(self) -> Any:
        for line_id, state in self.shop.order().summary.lines.items():
            if free := quantities.available_to_return(state, confirmed=True):
                yield line_id, free

    def _open_problems(self) -> list[Any]:
        return [each for each in self.shop.order().exceptions.values() if each.status == "open"]

    def _choices(self, problem: Any) -> list[str]:
        """What an honest person may choose: what was done by hand has been done, and the bank's book says what it has done."""
        offered = [action for action in ALWAYS if action in problem.actions]
        if problem.cause.startswith("Unsure"):
            return ["retry", "resolve:not_done"]
        if problem.subject == DECLINE and buckets(self.shop.order()).charged_back:
            return ["abandon"]  # what was to be paid back was taken back
        if "resolve:accept" in problem.actions:
            return ["resolve:accept"]
        if problem.step == "Settle" and "the refund of" not in problem.cause:
            offered = [action for action in offered if action != "resolve:recorded"] or ["retry"]
        return offered

    def _decide(self, exception_id: str, action: str) -> None:
        def decide(order: Order) -> None:
            problem = exceptions.find(order, exception_id)
            if problem.status != "open":
                return
            if action == "retry":
                exceptions.retry(order, problem, exceptions.RetryRequest())
            elif action == "abandon":
                exceptions.abandon(order, problem, None)
            else:
                exceptions.resolve(order, problem, action.removeprefix("resolve:"), None, "somebody")

        self._act(decide)

    def _pay(self, amount: int, token: str) -> None:
        tender = Tender.model_validate({"method": "card", "token": f"tok_{token}", "amount": amount})
        self.parcels += 1
        asked = Request("shop", "payments", f"pay-{self.parcels}", "digest")
        while True:
            try:
                pay_due(self.shop.order_id, tender, asked, actor="test")
            except Killed:
                continue
            except OmsError:
                return
            return

    def _receive(self, invoice_id: str, amount: int) -> None:
        self.parcels += 1
        request = ReceivedPayment.model_validate({"amount": amount, "reference": f"R{self.parcels}"})
        self._act(lambda order: receive_payment(order, invoice_id, request))

    def _receive_all(self, invoice_id: str) -> None:
        if left := open_amount(self.shop.order(), self.shop.order().invoices[invoice_id]):
            self._receive(invoice_id, left)

    def _refunds(self) -> list[Any]:
        return [
            e for e in self.shop.bank.history if e.what.kind == "refund" and e.outcome.state == "succeeded" and e.parts and e.parts[0][1]
        ]


def _arrive(order: Order) -> None:
    arrivals.arrive(order, [parcel for parcel in order.shipments.values() if not parcel.ended], order.now)


def _close_returns(order: Order) -> None:
    for ret in order.returns.values():
        if ret.status in ("approved", "partially_received"):
            returns.close(order, ret)


TestLife = Life.TestCase
_THOROUGH = hypothesis_settings().max_examples > 100
# Phase.explain traces every line, which takes three times as long as the lives themselves.
TestLife.settings = hypothesis_settings(
    max_examples=2000 if _THOROUGH else 40,
    stateful_step_count=60 if _THOROUGH else 30,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
