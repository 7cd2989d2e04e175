"""From the rows of an invoice to an order: what becomes what, what is left out, and that no penny is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from infra.local.replay.mapping import Left, Sale, invoices, sale_of
from infra.local.replay.rows import Row
from oms.orders.placing import MOST_LINES, read_order
from oms.orders.pricing import price


def row(code: str = "85123A", quantity: int = 6, unit: str = "2.55", **more: Any) -> Row:
    return Row(
        **{
            "invoice": "536365",
            "code": code,
            "description": f"THE {code}",
            "quantity": quantity,
            "at": datetime(2010, 12, 1, 8, 26, tzinfo=UTC),
            "price": Decimal(unit),
            "customer": "17850",
            "country": "United Kingdom",
            **more,
        }
    )


def sale(*rows: Row, **options: Any) -> Sale:
    made = sale_of(rows, **options)
    assert isinstance(made, Sale), made
    assert price(read_order(made.body)).totals.grand_total == made.total, "the API must make the same total of it"
    return made


def left(*rows: Row) -> Left:
    made = sale_of(rows)
    assert isinstance(made, Left)
    return made


def test_an_invoice_becomes_one_order() -> None:
    body = sale(row(), row("71053", 2, "3.39"), prefix="R-").body
    assert (body["order_number"], body["channel"], body["currency"], body["tax_mode"]) == ("R-536365", "replay", "GBP", "gross")
    assert body["placed_at"] == "2010-12-01T08:26:00.000Z"
    assert body["customer"] == {"id": "17850"}
    assert body["delivery_groups"][0]["address"]["country"] == "GB"
    assert [(line["id"], line["sku"], line["quantity"], line["unit_price"]) for line in body["lines"]] == [
        ("1", "85123A", 6, 255),
        ("2", "71053", 2, 339),
    ]
    assert body["payments"] == [{"method": "card", "gateway": "sandbox", "token": "tok_approve", "amount": 6 * 255 + 2 * 339}]


def test_the_same_rows_make_the_same_order() -> None:
    assert sale(row(), row("71053")).body == sale(row(), row("71053")).body


def test_a_repeated_sku_at_one_price_is_merged_at_its_first_place() -> None:
    lines = sale(row("A", 2), row("X", 1), row("A", 3)).body["lines"]
    assert [(line["sku"], line["quantity"]) for line in lines] == [("A", 5), ("X", 1)]


def test_a_repeated_sku_at_another_price_stays_a_line_of_its_own() -> None:
    lines = sale(row("A", 2, "1.00"), row("A", 3, "0.90")).body["lines"]
    assert [(line["quantity"], line["unit_price"]) for line in lines] == [(2, 100), (3, 90)]


def test_lines_can_be_kept_as_they_are() -> None:
    lines = sale(row("A", 2), row("A", 3), merge=False).body["lines"]
    assert [(line["id"], line["quantity"]) for line in lines] == [("1", 2), ("2", 3)]


@pytest.mark.parametrize("code", ["POST", "DOT", "C2", "post", "CARRIAGE"])
def test_postage_is_the_delivery_groups_charge(code: str) -> None:
    made = sale(row(), row(code, 3, "18.00"))
    assert made.body["delivery_groups"][0]["charge"] == {"amount": 5400}
    assert len(made.body["lines"]) == 1


def test_several_rows_of_postage_are_one_charge() -> None:
    assert sale(row(), row("POST", 1, "18.00"), row("C2", 1, "50.00")).body["delivery_groups"][0]["charge"] == {"amount": 6800}


@pytest.mark.parametrize(("quantity", "unit"), [(-1, "1.20"), (1, "-1.20")])
def test_a_discount_is_an_adjustment_of_the_order(quantity: int, unit: str) -> None:
    made = sale(row(), row("D", quantity, unit))
    assert made.body["adjustments"] == [{"amount": -120, "code": "D", "description": "THE D"}]
    assert made.total == 6 * 255 - 120


def test_a_negative_amount_between_goods_sold_is_an_adjustment_too() -> None:
    assert sale(row(), row("71053", -1, "3.39")).body["adjustments"][0]["amount"] == -339


@pytest.mark.parametrize(("code", "fee"), [("M", "M"), ("m", "M"), ("BANK CHARGES", "BANK-CHARGES")])
def test_a_manual_charge_is_a_fee(code: str, fee: str) -> None:
    assert sale(row(), row(code, 1, "15.00")).body["fees"] == [{"code": fee, "amount": 1500}]


def test_a_manual_credit_is_an_adjustment() -> None:
    assert sale(row(), row("M", -1, "1.25")).body["adjustments"][0]["amount"] == -125


@pytest.mark.parametrize("code", ["AMAZONFEE", "CRUK", "B", "S"])
def test_what_is_not_the_customers_is_left_out_of_the_order(code: str) -> None:
    made = sale(row(), row(code, 1, "15.00"))
    assert made.total == 6 * 255
    assert len(made.left_rows) == 1


def test_a_price_of_zero_stays() -> None:
    made = sale(row(unit="0.0"))
    assert (made.body["lines"][0]["unit_price"], made.total, made.body["payments"]) == (0, 0, [])


def test_a_price_below_a_penny_is_left_out_and_never_rounded() -> None:
    made = sale(row(), row("PADS", 1, "0.001"))
    assert [each.reason for each in made.left_rows] == ["the price is not in whole minor units"]
    assert left(row("PADS", 1, "0.001")).reason == "no goods whose price is in whole minor units"


def test_a_currency_without_minor_units_has_whole_amounts() -> None:
    assert sale(row(unit="255", currency="JPY")).body["lines"][0]["unit_price"] == 255


def test_who_is_not_named_is_a_guest_of_that_invoice() -> None:
    assert sale(row(customer="")).body["customer"] == {"id": "guest-536365"}


@pytest.mark.parametrize(
    ("name", "code"), [("EIRE", "IE"), ("Channel Islands", "JE"), ("Unspecified", "ZZ"), ("Atlantis", "ZZ"), ("de", "DE")]
)
def test_countries_become_codes(name: str, code: str) -> None:
    assert sale(row(country=name)).body["delivery_groups"][0]["address"]["country"] == code


def test_a_sku_takes_the_form_that_the_api_knows() -> None:
    assert sale(row("GIFT #1/2")).body["lines"][0]["sku"] == "GIFT-1-2"


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row(invoice="C536379", quantity=-1)], "a credit note; the invoice it credits need not be in the file"),
        ([row(invoice="A563185", code="B", quantity=1)], "an adjustment of bad debt"),
        ([row(quantity=-723, unit="0.0")], "stock written off or counted down (negative quantities)"),
        ([row("BANK CHARGES", 1, "15.00")], "no goods, only charges or fees"),
        ([row("POST", 1, "15.00"), row("M", 1, "2.00")], "no goods, only charges or fees"),
        ([row(), row("D", -1, "100.00")], "discounts of more than the goods are worth"),
        ([row(), row("POST", -1, "18.00")], "postage is given back, not charged"),
        ([row(), row(currency="EUR")], "more than one currency"),
        ([row(currency="XXX")], "XXX is no currency"),
    ],
)
def test_an_invoice_that_is_no_sale_is_left_out_with_its_reason(rows: list[Row], reason: str) -> None:
    assert left(*rows) == Left(reason, len(rows))


def test_an_invoice_of_more_lines_than_an_order_may_have_is_left_out() -> None:
    many = [row(f"SKU{number}") for number in range(MOST_LINES + 1)]
    assert left(*many).reason == "more than 10000 lines, which the API does not take in one order"
    assert len(sale(*many[:-1]).body["lines"]) == MOST_LINES


def test_a_count_without_a_price_between_goods_sold_is_left_out() -> None:
    assert [each.reason for each in sale(row(), row("B2", -3, "0.0")).left_rows] == [
        "stock counted down (a negative quantity without a price)"
    ]


def test_invoices_keep_the_order_of_the_file() -> None:
    found = invoices([row(invoice="2"), row(invoice="1"), row("X", invoice="2")])
    assert {key: len(rows) for key, rows in found.items()} == {"2": 2, "1": 1}
    assert list(found) == ["2", "1"]
