"""Invoices and credit memos as people read them: worked examples of others, tax summaries, what is open, the printed page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from oms.errors import Conflict, Invalid, NotFound
from oms.orders.order import Order
from oms.orders.records import Personal
from oms.orders.statuses import attention
from oms.payments import documents_html
from oms.payments.documents import ALL, PAGE, credit_memo_view, invoice_view, short_view
from oms.payments.funds import open_amount, receivable
from oms.payments.numbers import number_of, unnumbered
from oms.payments.receipts import ReceivedPayment, receive_payment
from oms.payments.records import CreditMemo, Invoice
from oms.settings import ChannelSettings
from tests.support.orders import a_group, a_line, a_tax, an_order
from tests.unit.memory import World, announce, receive

LATER = "2027-01-01T00:00:00.000Z"


def invoiced(*lines: Any, **more: Any) -> tuple[Order, Invoice]:
    """The whole order in one parcel."""
    order = World({sku: {"berlin": 1000} for sku in {line["sku"] for line in lines}}).delivered(an_order(*lines, **more))
    (invoice,) = order.invoices.values()
    return order, invoice


def shown(*lines: Any, **more: Any) -> dict[str, Any]:
    return invoice_view(*invoiced(*lines, **more))


def summary(view: dict[str, Any]) -> dict[str, tuple[int, int]]:
    assert sum(tax["amount"] for tax in view["tax_summary"]) == view["tax_amount"]
    return {tax["rate"]: (tax["base"], tax["amount"]) for tax in view["tax_summary"]}


class TestWorkedExamples:
    """cases.yaml, by their names there: the whole order, invoiced."""

    def test_b01_two_taxed_lines(self) -> None:
        view = shown(a_line("1", "A", 2, 3000, "10"), a_line("2", "B", 1, 500, "50"), tax_mode="net")
        assert (view["net_amount"], view["tax_amount"], view["total_amount"]) == (6500, 850, 7350)

    def test_b02_the_discount_is_taken_before_tax(self) -> None:
        view = shown(a_line("1", "A", 2, 5000, "10", own=-1000), tax_mode="net")
        (line,) = view["lines"]
        assert (line["price_amount"], line["adjustment_amount"]) == (10000, -1000)
        assert (view["net_amount"], view["tax_amount"], view["total_amount"]) == (9000, 900, 9900)
        assert shown(a_line("1", "A", 2, 5000, "10"), tax_mode="net")["total_amount"] == 11000

    @pytest.mark.parametrize(("off", "net", "gross"), [(0, 140292, 168350), (-14029, 126263, 151516)])
    def test_b04_off_the_item_then_off_the_order(self, off: int, net: int, gross: int) -> None:
        view = shown(a_line("1", "A", 1, 155880, "20", own=-15588), off=off, tax_mode="net")
        assert (view["net_amount"], view["total_amount"]) == (net, gross)
        assert view["lines"][0]["order_adjustment_amount"] == off

    def test_b07_an_order_discount_falls_evenly_on_equal_gross_prices(self) -> None:
        view = shown(a_line("1", "A", 1, 500, "20"), a_line("2", "B", 1, 500, "0"), off=-500)
        assert [line["total_amount"] for line in view["lines"]] == [250, 250]
        assert view["total_amount"] == 500

    @pytest.mark.parametrize(
        ("one", "two", "charge", "expected"),
        [
            (["5"], ["5"], {}, {"5": (1600, 80)}),
            (["5"], ["7.5"], {}, {"5": (600, 30), "7.5": (1000, 75)}),
            (["5", "7.5"], ["5", "7.5"], {}, {"5": (1600, 80), "7.5": (1600, 120)}),
            (["5"], ["5"], {"charge": 500, "charge_rate": "20"}, {"5": (1600, 80), "20": (500, 100)}),
        ],
    )
    def test_b10_tax_summary_by_rate(self, one: list[str], two: list[str], charge: Any, expected: Any) -> None:
        view = shown(a_line("1", "A", 2, 300, *one), a_line("2", "B", 1, 1000, *two), tax_mode="net", **charge)
        assert summary(view) == expected

    @pytest.mark.parametrize("mode", ["net", "gross"])
    @pytest.mark.parametrize("rounding", ["line", "unit"])
    def test_b14_a_discount_of_everything_leaves_nothing(self, mode: str, rounding: str) -> None:
        lines = [a_line("1", "A", 1, 1150, "15"), a_line("2", "B", 1, 1150, "15")]
        view = shown(*lines, off=-2300, tax_mode=mode, tax_rounding=rounding)
        assert (view["net_amount"], view["tax_amount"], view["total_amount"], view["status"]) == (0, 0, 0, "paid")

    @pytest.mark.parametrize(("units", "each"), [(2, 500), (4, 250)])
    def test_c02_units_given_back_one_by_one_come_to_the_whole_and_not_further(self, units: int, each: int) -> None:
        world = World()
        order = world.delivered(an_order(a_line("1", "A", units, 1000 // units)))
        assert [credited(world, order, {"1": 1}).total_amount for _ in range(units)] == [each] * units
        with pytest.raises(Conflict):
            announce(order, world, {"1": 1})

    def test_c04_a_part_with_its_order_discount_then_the_rest(self) -> None:
        world = World()
        order = world.delivered(an_order(a_line("1", "A", 1, 600), a_line("2", "B", 1, 400), off=-100))
        assert [credited(world, order, {line: 1}).total_amount for line in ("1", "2")] == [540, 360]

    def test_c19_each_unit_comes_to_its_share_and_nothing_is_left(self) -> None:
        world = World()
        order = world.delivered(an_order(a_line("1", "A", 2, 5000, "10", own=-2000), tax_mode="net"))
        (invoice,) = order.invoices.values()
        assert invoice.total_amount == 8800
        assert [credited(world, order, {"1": 1}).total_amount for _ in range(2)] == [4400, 4400]


def credited(world: World, order: Order, quantities: dict[str, int]) -> CreditMemo:
    """Those units came back and are settled."""
    ret = announce(order, world, quantities)
    ret.status = "approved"
    for line_id, quantity in quantities.items():
        receive(order, world, ret, line_id, quantity)
    memo = world.settle(order, ret)
    assert memo
    return memo


class TestAnInvoice:
    def test_has_a_line_for_goods_for_each_groups_delivery_and_for_each_fee(self) -> None:
        view = shown(
            a_line("1", "A", 3, 1000, own=-10, taxes=[a_tax("20")]),
            a_line("2", "B", 1, 500, taxes=[a_tax("20")]),
            delivery_groups=[a_group(charge=600, charge_rate="10")],
            fees=[{"code": "wrapping", "amount": 240, "taxes": [a_tax("20")]}],
        )
        assert [line["kind"] for line in view["lines"]] == ["product", "product", "delivery", "fee"]
        goods, _, delivery, fee = view["lines"]
        assert (goods["line_id"], goods["sku"], goods["quantity"], goods["unit_price"]) == ("1", "A", 3, 1000)
        assert (goods["price_amount"], goods["adjustment_amount"], goods["order_adjustment_amount"]) == (3000, -10, 0)
        assert (goods["net_amount"], goods["tax_amount"], goods["total_amount"]) == (2492, 498, 2990)
        assert goods["taxes"] == [{"name": "VAT", "rate": "20", "amount": 498}]
        assert (delivery["method"], delivery["total_amount"]) == ("standard", 600)
        assert delivery["taxes"] == [{"name": "VAT", "rate": "10", "amount": 55}]
        assert (fee["code"], fee["total_amount"], fee["taxes"][0]["amount"]) == ("wrapping", 240, 40)
        assert sum(line["total_amount"] for line in view["lines"]) == view["total_amount"]
        assert sum(line["net_amount"] for line in view["lines"]) == view["net_amount"]
        assert summary(view) == {"20": (2492 + 417 + 200, 498 + 83 + 40), "10": (545, 55)}

    def test_of_a_later_parcel_has_no_fees_and_only_its_units_shares(self) -> None:
        world = World()
        order, fo = world.allocated(an_order(a_line("1", "A", 3, 333), charge=100, fees=[{"code": "f", "amount": 7, "taxes": []}]))
        world.ship(order, fo, {"1": 1}, {"1": 2})
        views = [invoice_view(order, world.invoice(order, parcel)) for parcel in list(order.shipments.values())]
        assert [[line["kind"] for line in view["lines"]] for view in views] == [["product", "delivery", "fee"], ["product", "delivery"]]
        assert [view["lines"][1]["total_amount"] for view in views] == [33, 67]
        assert sum(view["total_amount"] for view in views) == 3 * 333 + 100 + 7

    def test_says_why_nothing_is_taxed(self) -> None:
        line = a_line("1", "A", 1, 1000)
        line["taxes"] = [{"name": "VAT", "rate": "0", "exempt_reason": "Reverse charge, Article 196"}]
        view = shown(line, tax_mode="net")
        exempt = {"name": "VAT", "rate": "0", "base": 1000, "amount": 0, "exempt_reason": "Reverse charge, Article 196"}
        assert view["tax_summary"] == [exempt]
        assert "VAT 0%: Reverse charge, Article 196" in documents_html.page(view)

    def test_names_the_buyer_until_the_data_is_erased(self) -> None:
        order, invoice = invoiced(a_line(), customer={"id": "c-1", "name": "Ann & Co", "vat_id": "DE1"})
        buyer = invoice_view(order, invoice)["buyer"]
        assert (buyer["name"], buyer["vat_id"], buyer["address"]["city"]) == ("Ann & Co", "DE1", "Berlin")
        order.personal = Personal(v=1)
        assert invoice_view(order, invoice)["buyer"] is None

    def test_says_when_the_goods_left_and_who_paid(self) -> None:
        order, invoice = invoiced(a_line("1", "A", 2, 1000))
        view = invoice_view(order, invoice)
        (parcel,) = order.shipments.values()
        assert view["supplied_at"] == parcel.shipped_at
        (payment,) = view["payments"]
        assert (payment["method"], payment["amount"]) == ("card", 2000)
        assert (view["open_amount"], view["status"], view["overdue"], view["due_at"]) == (0, "paid", False, None)

    def test_of_many_lines_is_read_page_by_page(self) -> None:
        order, invoice = invoiced(a_line("1", "A", 1, 100))
        invoice.lines = invoice.lines * (PAGE + 50)
        first = invoice_view(order, invoice)
        assert (len(first["lines"]), first["more_from"]) == (PAGE, PAGE)
        rest = invoice_view(order, invoice, PAGE)
        assert (len(rest["lines"]), rest["more_from"]) == (50, None)
        assert len(invoice_view(order, invoice, 0, ALL)["lines"]) == PAGE + 50

    def test_in_a_list_is_short_and_without_personal_data(self) -> None:
        row = short_view(*invoiced(a_line()))
        assert not {"lines", "buyer", "seller", "tax_summary"} & set(row)
        assert (row["kind"], row["status"], row["total_amount"]) == ("invoice", "paid", 2000)


class TestACreditMemo:
    def test_names_the_invoice_of_its_units(self) -> None:
        world = World()
        order, fo = world.allocated(an_order(a_line("1", "A", 2, 1000, "20")))
        world.ship(order, fo, {"1": 1}, {"1": 1})
        for parcel in list(order.shipments.values()):
            world.invoice(order, parcel)
            parcel.delivered_at = order.now
        order.summary.lines["1"].delivered = 2
        memos = [credited(world, order, {"1": 1}) for _ in range(2)]
        named = [[each["id"] for each in credit_memo_view(order, memo)["invoices"]] for memo in memos]
        assert named == [[invoice_id] for invoice_id in order.invoices]
        view = credit_memo_view(order, memos[0])
        assert (view["kind"], view["total_amount"], view["tax_amount"], view["refunds"][0]["amount"]) == ("credit_memo", 1000, 166, 1000)
        assert summary(view) == {"20": (834, 166)}

    def test_of_less_than_its_units_are_worth_is_an_adjustment(self) -> None:
        order, _ = invoiced(a_line("1", "A", 2, 1000))
        row = {"line_id": "1", "quantity": 2, "units": [[1, 2]], "net_amount": 150, "taxes": [], "total_amount": 150}
        memo = CreditMemo(id="cm_1", issued_at=order.now, lines=[row], net_amount=150, total_amount=150)
        (line,) = credit_memo_view(order, memo)["lines"]
        assert (line["kind"], line["total_amount"], "price_amount" in line) == ("adjustment", 150, False)


def unpaid() -> tuple[Order, Invoice]:
    """An invoice of 20.00 of which nothing is paid: goods that were let go."""
    order, invoice = invoiced(a_line("1", "A", 2, 1000))
    for payment in order.payments.values():
        payment.events = [event for event in payment.events if event.kind != "capture"]
    invoice.captures = []
    invoice.receivables = [{"payment_id": None, "amount": 2000, "due_at": "2026-12-24T00:00:00.000Z"}]
    return order, invoice


def came_in(order: Order, invoice: Invoice, amount: int, reference: str, **more: Any) -> None:
    receive_payment(order, invoice.id, ReceivedPayment.model_validate({"amount": amount, "reference": reference, **more}))


class TestMoneyReceived:
    def test_counts_for_the_invoice_until_nothing_is_open(self) -> None:
        order, invoice = unpaid()
        came_in(order, invoice, 500, "R-1", method="bank_transfer")
        assert (open_amount(order, invoice), receivable(order)) == (1500, 1500)
        came_in(order, invoice, 1500, "R-2")
        assert [fact.type for fact in order.facts] == ["payment.captured", "payment.captured", "invoice.paid"]
        view = invoice_view(order, invoice)
        assert (view["open_amount"], view["status"]) == (0, "paid")
        assert [(row["method"], row["amount"]) for row in view["payments"]] == [("bank_transfer", 500), ("manual", 1500)]

    def test_a_reference_counts_once(self) -> None:
        order, invoice = unpaid()
        came_in(order, invoice, 500, "R-1")
        order.facts.clear()
        came_in(order, invoice, 500, "R-1")
        assert (order.facts, open_amount(order, invoice), len(order.payments)) == ([], 1500, 2)
        with pytest.raises(Conflict, match=r"counts for 5\.00 EUR already"):
            came_in(order, invoice, 501, "R-1")

    @pytest.mark.parametrize(
        ("amount", "more", "pointer", "why"),
        [
            (2001, {}, "/amount", "20.01 EUR is more than the 20.00 EUR that is open"),
            (2000, {"received_at": LATER}, "/received_at", "this time has not come yet"),
        ],
    )
    def test_more_than_is_open_or_not_yet_there_moves_nothing(self, amount: int, more: Any, pointer: str, why: str) -> None:
        order, invoice = unpaid()
        with pytest.raises(Invalid) as refused:
            came_in(order, invoice, amount, "R-1", **more)
        assert [(fault.pointer, fault.detail) for fault in refused.value.errors] == [(pointer, why)]
        assert (order.facts, open_amount(order, invoice)) == ([], 2000)

    def test_for_an_invoice_that_is_not_there(self) -> None:
        order, invoice = unpaid()
        with pytest.raises(NotFound):
            receive_payment(order, invoice.id + "9", ReceivedPayment(amount=1, reference="R"))

    def test_goes_to_the_terms_that_it_was_sold_on(self) -> None:
        order, invoice = unpaid()
        (payment,) = order.payments.values()
        payment.method = "terms"
        invoice.receivables[0]["payment_id"] = payment.id
        came_in(order, invoice, 500, "R-1")
        assert len(order.payments) == 1
        assert payment.events[-1].document == invoice.id


def test_what_is_not_paid_when_it_is_due_is_overdue_and_needs_somebody() -> None:
    order, invoice = unpaid()
    assert (invoice_view(order, invoice)["status"], "overdue" in attention(order)) == ("open", False)
    order.now = LATER
    assert (invoice_view(order, invoice)["status"], "overdue" in attention(order)) == ("overdue", True)
    came_in(order, invoice, 2000, "R-1")
    assert (invoice_view(order, invoice)["status"], "overdue" in attention(order)) == ("paid", False)


class TestThePage:
    def test_escapes_everything_and_runs_nothing(self) -> None:
        evil = "<script>alert('x')</script>"
        line = a_line("1", "A", 1, 1000, name=evil)
        line["taxes"] = [{"name": "<b>VAT", "rate": "20"}]
        order, invoice = invoiced(line, customer={"id": "c-1", "name": evil}, po_number=evil)
        invoice.number, invoice.seller = "INV-1", {"name": "A&B", "address": {"city": "<i>"}, "vat_id": '"'}
        text = documents_html.page(invoice_view(order, invoice))
        assert "INV-1" in text
        assert "A&amp;B" in text
        tags = set(re.findall(r"<(\w+)", text))
        known = {"html", "head", "meta", "title", "style", "body", "h1", "div", "b", "br", "table", "thead", "tbody", "tr", "td", "th", "p"}
        assert tags <= known | {"doctype"}
        assert text.count("<b>") == 2

    @pytest.mark.parametrize(("currency", "amount"), [("JPY", "1000 JPY"), ("EUR", "10.00 EUR"), ("KWD", "1.000 KWD")])
    def test_shows_amounts_as_people_of_that_currency_write_them(self, currency: str, amount: str) -> None:
        assert amount in documents_html.page(shown(a_line("1", "A", 1, 1000), currency=currency))

    def test_shows_what_is_open(self) -> None:
        assert "Open: 20.00 EUR</b>, due 2026-12-24" in documents_html.page(invoice_view(*unpaid()))


class TestNumbers:
    def test_are_a_prefix_and_a_place(self) -> None:
        channel = ChannelSettings(invoice_prefix="R/")
        assert (number_of("invoice", 17, channel), number_of("credit-memo", 3, channel)) == ("R/17", "CM-3")

    @pytest.mark.parametrize("prefix", ["", "A1", "7", "a b", "x#"])
    def test_no_prefix_makes_two_places_come_to_the_same(self, prefix: str) -> None:
        with pytest.raises(ValueError, match="invoice_prefix"):
            ChannelSettings(invoice_prefix=prefix)

    def test_are_wanted_by_documents_that_have_none_oldest_first(self) -> None:
        order, invoice = invoiced(a_line())
        older = invoice.model_copy(update={"id": "inv_0", "issued_at": "2000"})
        order.invoices["inv_0"] = older
        assert unnumbered(order) == [older, invoice]
        invoice.number = "INV-1"
        assert unnumbered(order) == [older]
