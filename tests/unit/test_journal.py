"""The journal: what each kind of money event puts to which account; that it adds up for any life is in tests/properties/test_journal.py."""

from __future__ import annotations

from typing import Any

import pytest

from oms.orders.order import Order
from oms.orders.records import Entry, Fact
from oms.payments.funds import Part
from oms.payments.journal import journal_entry, journal_lines
from oms.payments.journal_files import COLUMNS, as_csv, as_json_lines
from oms.payments.positions import concerns_books, moved
from oms.payments.receipts import ReceivedPayment, receive_payment
from oms.payments.records import Change, CreditMemo
from oms.payments.transfers import Transfer
from tests.support.books import BooksWorld
from tests.support.orders import a_line, a_tax, an_order
from tests.unit.memory import announce, receive


def two_taxes(**more: Any) -> Any:
    return a_line("1", "A", 2, 1000, taxes=[a_tax("20"), a_tax("5", name="City")], **more)


def lives(*lines: Any, method: str = "card", **more: Any) -> tuple[BooksWorld, Order]:
    """A net order, delivered in one parcel, paid by a tender of that method."""
    world = BooksWorld()
    order, fo = world.allocated(an_order(*lines, tax_mode="net", **more))
    for payment in order.payments.values():
        payment.method = method
    world.ship(order, fo, {line_id: line.open for line_id, line in fo.lines.items()})
    for parcel in list(order.shipments.values()):
        world.invoice(order, parcel)
        parcel.delivered_at = order.now
    for line, state in order.lines():
        state.delivered = line.quantity
    return world, order


def back(world: BooksWorld, order: Order, **more: Any) -> None:
    ret = announce(order, world, {"1": 1}, **more)
    ret.status = "approved"
    receive(order, world, ret, "1", 1)
    world.settle(order, ret)


def test_a_card_pays_an_invoice_of_goods_delivery_and_fees() -> None:
    world, _ = lives(two_taxes(), charge=500, charge_rate="20", fees=[{"code": "f", "amount": 100, "taxes": [a_tax("20")]}])
    captured, invoice = world.entries
    assert captured == {"cash:sandbox": 3220, "customer_deposits": -3220}
    taxes = {"tax:VAT@20": -520, "tax:City@5": -100}
    assert invoice == {"customer_deposits": 3220, "revenue": -2000, "shipping": -500, "fees": -100, **taxes}


def test_a_return_is_given_back_with_its_taxes() -> None:
    world, order = lives(two_taxes())
    back(world, order)
    refund, memo = world.entries[2:]
    assert refund == {"customer_deposits": 1250, "cash:sandbox": -1250}
    assert memo == {"customer_deposits": -1250, "refunds": 1000, "tax:VAT@20": 200, "tax:City@5": 50}


@pytest.mark.parametrize(("method", "account"), [("gift_card", "store_credit_liability"), ("paypal", "cash:paypal")])
def test_a_tender_has_an_account_of_its_own(method: str, account: str) -> None:
    world, order = lives(two_taxes(), method=method)
    back(world, order)
    assert [lines[account] for lines in world.entries if account in lines] == [2500, -1250]


def test_a_gift_card_sold_is_owed_and_not_earned() -> None:
    world, order = lives(a_line("1", "A", 2, 1000, product={"gift_card": True}), a_line("2", "B", 1, 500))
    back(world, order)
    assert (world.accounts["store_credit_liability"], world.accounts["revenue"]) == (-1000, -500)
    assert "refunds" not in world.accounts


def test_a_discount_on_a_gift_card_is_lost_and_its_worth_is_owed_all_the_same() -> None:
    world, _ = lives(a_line("1", "A", 2, 1000, own=-200, product={"gift_card": True}))
    assert world.entries[-1] == {"customer_deposits": 1800, "store_credit_liability": -2000, "revenue": 200}


def test_what_is_sold_on_terms_is_a_receivable_until_it_is_paid() -> None:
    world = BooksWorld()
    order, fo = world.allocated(an_order(two_taxes(), tax_mode="net"))
    (payment,) = order.payments.values()
    payment.method, payment.gateway, payment.events = "terms", "terms", []
    world.ship(order, fo, {"1": 2})
    invoice = world.invoice(order, next(iter(order.shipments.values())))
    assert world.entries == [{"receivable": 2500, "revenue": -2000, "tax:VAT@20": -400, "tax:City@5": -100}]
    receive_payment(order, invoice.id, ReceivedPayment(amount=1500, reference="R-1"))
    world.commit(order)
    assert world.entries[1:] == [{"cash:terms": 1500, "receivable": -1500}]


def test_goods_not_paid_yet_are_credited_against_what_is_owed() -> None:
    world = BooksWorld()
    order, fo = world.allocated(an_order(two_taxes(), tax_mode="net"))
    for payment in order.payments.values():
        payment.events = []
    world.ship(order, fo, {"1": 2})
    for parcel in list(order.shipments.values()):
        world.invoice(order, parcel)
        parcel.delivered_at = order.now
    order.summary.lines["1"].delivered = 2
    back(world, order)
    assert world.entries[-1] == {"receivable": -1250, "refunds": 1000, "tax:VAT@20": 200, "tax:City@5": 50}


def test_money_that_came_before_the_goods_is_a_deposit() -> None:
    world = BooksWorld()
    order, fo = world.allocated(an_order(two_taxes(), tax_mode="net"))
    (payment,) = order.payments.values()
    world.tell(order, payment, "capture", 2500, "up-front")
    world.moves(order, Transfer("refund", "chg_1"), [Part(payment, 1250)])
    world.ship(order, fo, {"1": 1})
    world.invoice(order, next(iter(order.shipments.values())))
    deposits = [lines["customer_deposits"] for lines in world.entries]
    assert deposits == [-2500, 1250, 1250]
    assert world.accounts["cash:sandbox"] == 1250


def test_a_chargeback_is_a_loss_until_it_is_won() -> None:
    world, order = lives(two_taxes())
    (payment,) = order.payments.values()
    world.tell(order, payment, "chargeback", 2500, "dispute")
    assert world.entries[-1] == {"chargebacks": 2500, "cash:sandbox": -2500}


def test_a_refund_that_comes_back_is_owed_again() -> None:
    world, order = lives(two_taxes())
    back(world, order)
    (payment,) = order.payments.values()
    world.tell(order, payment, "refund_reversal", 1250, "reversed")
    assert world.entries[-1] == {"cash:sandbox": 1250, "customer_deposits": -1250}


def test_goodwill_is_an_expense_and_no_loss_of_revenue() -> None:
    _, order = lives(two_taxes())
    row = {"line_id": "1", "quantity": 2, "units": [[1, 2]], "net_amount": 100, "taxes": [20, 5], "total_amount": 125}
    memo = CreditMemo(id="cm_1", change_id="chg_1", issued_at=order.now, lines=[row], net_amount=100, tax_amount=25, total_amount=125)
    order.credit_memos[memo.id] = memo
    order.changes["chg_1"] = Change(id="chg_1", kind="goodwill", requested_at=order.now)
    entry = Entry(
        sequence=9, at=order.now, actor="a", cause="c", facts=[Fact(type="credit_memo.created", data={"credit_memo_id": memo.id})]
    )
    lines = {line.account: line.amount for line in journal_lines(order, entry)}
    assert lines == {"customer_deposits": -125, "goodwill": 100, "tax:VAT@20": 20, "tax:City@5": 5}


def test_an_entry_that_does_not_add_up_is_never_written() -> None:
    _, order = lives(two_taxes())
    (invoice,) = order.invoices.values()
    invoice.total_amount += 1
    entry = Entry(sequence=9, at=order.now, actor="a", cause="c", facts=[Fact(type="invoice.created", data={"invoice_id": invoice.id})])
    with pytest.raises(ValueError, match=r"off by 0\.01 EUR"):
        journal_lines(order, entry)


def test_only_what_is_different_is_moved() -> None:
    before = {"pay_1": {"captured": 5, "refunded": 0}, "inv_1": {"open": 7}}
    after = {"pay_1": {"captured": 5, "refunded": 2}, "inv_1": {"open": 7}, "pay_2": {"captured": 1, "refunded": 0}}
    assert moved(before, after) == {"pay_1": {"refunded": 2}, "pay_2": {"captured": 1}}


@pytest.mark.parametrize(
    ("type_", "moves", "concerns"),
    [("payment.authorized", {}, False), ("payment.captured", {"pay_1": {"captured": 1}}, True), ("invoice.created", {}, True)],
)
def test_what_concerns_the_books(type_: str, moves: Any, concerns: bool) -> None:
    facts = [Fact(type=type_, data={"invoice_id": "inv_1"})]
    assert concerns_books(Entry(sequence=1, at="", actor="", cause="", facts=facts, moved=moves)) is concerns


class TestFiles:
    def entry(self, **more: Any) -> Any:
        _, order = lives(two_taxes(), **more)
        (invoice,) = order.invoices.values()
        invoice.number = "INV-1"
        fact = Fact(type="invoice.created", data={"invoice_id": invoice.id})
        return journal_entry(order, Entry(sequence=9, at=order.now, actor="a", cause="c", facts=[fact]))

    def test_csv_has_a_row_per_line(self) -> None:
        rows = [row.split(",") for row in as_csv([self.entry()], header=True).splitlines()]
        assert tuple(rows[0]) == COLUMNS
        assert [(row[3], row[5], row[-3], row[-2], row[-1]) for row in rows[1:]] == [
            ("W-1001", "INV-1", "customer_deposits", "EUR", "2500"),
            ("W-1001", "INV-1", "revenue", "EUR", "-2000"),
            ("W-1001", "INV-1", "tax:City@5", "EUR", "-100"),
            ("W-1001", "INV-1", "tax:VAT@20", "EUR", "-400"),
        ]
        assert len(as_csv([self.entry()], header=False).splitlines()) == 4

    def test_csv_holds_no_formula(self) -> None:
        assert "'=1+1" in as_csv([self.entry(number="=1+1")], header=False)

    def test_json_lines_has_a_line_per_entry(self) -> None:
        assert as_json_lines([self.entry(), self.entry()]).count("\n") == 2
