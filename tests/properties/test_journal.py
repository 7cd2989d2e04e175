"""The journal over random lives: every entry adds up to zero, and the accounts say what the order's records say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oms.errors import Conflict
from oms.orders.order import Order
from oms.orders.records import Entry, Fact
from oms.payments.funds import Part, ensure_excess, excess, open_amount, receivable
from oms.payments.journal import journal_lines
from oms.payments.ledger import fold
from oms.payments.receipts import ReceivedPayment, receive_payment
from oms.payments.records import Payment
from oms.payments.transfers import Transfer
from tests.properties.orders import SKUS, bodies
from tests.support.books import BooksWorld
from tests.unit.memory import announce, receive

METHODS = ("card", "gift_card", "terms", "cheque", "up front", "nothing")
ACTIONS = ("ship", "ship", "ship", "come back", "come back", "pay", "chargeback", "reverse", "give excess back")


class Life:
    """One order's life; every action is possible at any time or does nothing."""

    def __init__(self, body: dict[str, Any], gift_cards: bool) -> None:
        for line in body["lines"]:
            line["product"] = {"gift_card": gift_cards and line["sku"] == "A" and line["unit_price"] > 0}
        self.world = BooksWorld({sku: {"berlin": 100} for sku in SKUS})
        self.order: Order
        self.order, self.fo = self.world.allocated(body)
        self.lost = 0

    def pay_by(self, payment: Payment, method: str) -> None:
        """Make a tender another than the card that it is."""
        if method in ("terms", "nothing"):
            payment.events, payment.gateway = [], "terms"
        payment.method = "terms" if method == "terms" else "cheque" if method in ("cheque", "nothing") else method
        if method == "up front":
            payment.method = "card"
            authorization = next(event.reference for event in payment.events)
            self.world.tell(self.order, payment, "capture", payment.amount, f"{payment.id}-first", of=authorization)

    def act(self, action: str, share: int) -> None:
        """`share`: of what could be done, in tenths."""
        {
            "ship": self.ship,
            "come back": self.come_back,
            "pay": self.pay,
            "chargeback": self.charge_back,
            "reverse": self.reverse,
            "give excess back": self.give_excess_back,
        }[action](share)

    def ship(self, share: int) -> None:
        for fo in self.order.fulfillment_orders.values():
            parcel = {line_id: max(1, line.open * share // 10) for line_id, line in fo.lines.items() if line.open}
            if parcel:
                self.world.ship(self.order, fo, parcel)
                shipment = list(self.order.shipments.values())[-1]
                self.world.invoice(self.order, shipment)
                shipment.delivered_at = self.order.now
                for line_id, units in parcel.items():
                    self.order.summary.lines[line_id].delivered += units

    def come_back(self, share: int) -> None:
        for line, state in self.order.lines():
            units = (state.delivered - state.return_initiated) * share // 10
            if units:
                ret = announce(self.order, self.world, {line.id: units}, reduce_shipping=bool(share % 2))
                ret.status = "approved"
                receive(self.order, self.world, ret, line.id, units)
                try:
                    self.world.settle(self.order, ret)
                except Conflict:
                    assert self.lost, "only a chargeback leaves too little to pay back"
                    self.order.facts.clear()
                    for row in ret.lines:
                        row.settling = row.settled

    def pay(self, share: int) -> None:
        for invoice in list(self.order.invoices.values()):
            part = open_amount(self.order, invoice) * share // 10
            if part > 0:
                receive_payment(self.order, invoice.id, ReceivedPayment(amount=part, reference=f"R-{len(self.world.entries)}"))
                self.world.commit(self.order)

    def charge_back(self, share: int) -> None:
        for payment in self.order.payments.values():
            part = fold(payment).refundable * share // 10
            if part > 0:
                self.lost += part
                self.world.tell(self.order, payment, "chargeback", part, f"cb-{len(self.world.entries)}")

    def reverse(self, share: int) -> None:
        for payment in self.order.payments.values():
            part = fold(payment).refunded * share // 10
            if part > 0:
                self.world.tell(self.order, payment, "refund_reversal", part, f"rr-{len(self.world.entries)}")

    def give_excess_back(self, share: int) -> None:
        amount = excess(self.order) * share // 10
        if amount > 0:
            try:
                parts: list[Part] = ensure_excess(self.order, amount)
            except Conflict:
                assert self.lost
                return
            self.world.moves(self.order, Transfer("refund", f"chg_{len(self.world.entries)}"), parts)

    def in_step(self) -> None:
        """The accounts against the records."""
        sums, order = self.world.accounts, self.order
        tenders = [(payment, fold(payment)) for payment in order.payments.values()]
        invoiced = sum(invoice.total_amount for invoice in order.invoices.values())
        credited = sum(memo.total_amount for memo in order.credit_memos.values())
        assert all(sum(lines.values()) == 0 for lines in self.world.entries)
        assert sums.get("receivable", 0) == receivable(order)
        kept = sum(each.captured - each.refunded - each.charged_back for _, each in tenders)
        earned = sum(a for n, a in sums.items() if n in ("revenue", "refunds", "shipping", "fees") or n.startswith("tax:"))
        cash = sum(amount for account, amount in sums.items() if account.startswith("cash:"))
        liability = sums.get("store_credit_liability", 0)
        assert cash + liability + earned == kept - invoiced + credited
        if not any(payment.method == "gift_card" for payment, _ in tenders):
            assert cash == kept
            assert earned + liability == credited - invoiced
        assert sums.get("chargebacks", 0) == sum(each.charged_back for _, each in tenders)
        if not self.lost:
            assert sums.get("customer_deposits", 0) == -excess(order)


@given(
    bodies(),
    st.lists(st.sampled_from(METHODS), min_size=2, max_size=2),
    st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(1, 10)), max_size=12),
    st.booleans(),
)
def test_the_accounts_of_any_life_say_what_its_records_say(
    body: dict[str, Any], methods: list[str], actions: list[tuple[str, int]], gift_cards: bool
) -> None:
    life = Life(body, gift_cards)
    for payment, method in zip(list(life.order.payments.values()), methods, strict=False):
        life.pay_by(payment, method)
    for action, share in actions:
        life.act(action, share)
        life.in_step()


@given(bodies())
def test_an_entry_written_later_is_the_same(body: dict[str, Any]) -> None:
    """Whatever happens to the order after a commit, its lines stay what they were."""
    life = Life(body, False)
    life.act("ship", 10)
    (invoice, *_) = life.order.invoices.values()
    fact = Fact(type="invoice.created", data={"invoice_id": invoice.id})
    entry = Entry(sequence=1, at="", actor="", cause="", facts=[fact])
    before = journal_lines(life.order, entry)
    for action in ("come back", "chargeback", "pay"):
        life.act(action, 5)
    invoice.number = "INV-1"
    assert journal_lines(life.order, entry) == before
