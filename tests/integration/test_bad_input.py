"""What is wrong is refused with every fault named, and nothing is written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import JSON, World, order_body


def refused(world: World, body: JSON | str, status: int) -> Any:
    """Place an order that must be refused without a trace."""
    before, writes = world.items(), len([call for call in world.wire.made if call.writes])
    answer = world.call("POST", "/v1/orders", body)
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["status"] == status
    assert answer.body["type"].startswith("urn:oms:problem:")
    assert len([call for call in world.wire.made if call.writes]) == writes
    assert world.items() == before
    assert not world.gateway.calls
    return answer


@pytest.mark.parametrize("body", ["", "{", "[]", '"text"', "1", "null"])
def test_a_body_that_is_no_json_object(world: World, body: str) -> None:
    refused(world, body, 400)


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        (("colour",), "red", "/colour"),
        (("lines", 0, "colour"), "red", "/lines/0/colour"),
        (("customer", "ssn"), "1", "/customer/ssn"),
        (("lines", 0, "quantity"), -2, "/lines/0/quantity"),
        (("lines", 0, "quantity"), 0, "/lines/0/quantity"),
        (("lines", 0, "quantity"), 10**7, "/lines/0/quantity"),
        (("lines", 0, "quantity"), 1.5, "/lines/0/quantity"),
        (("lines", 0, "quantity"), "2", "/lines/0/quantity"),
        (("lines", 0, "quantity"), True, "/lines/0/quantity"),
        (("lines", 0, "unit_price"), 12.5, "/lines/0/unit_price"),
        (("lines", 0, "unit_price"), 12.0, "/lines/0/unit_price"),
        (("lines", 0, "unit_price"), -1, "/lines/0/unit_price"),
        (("lines", 0, "unit_price"), 10**13, "/lines/0/unit_price"),
        (("lines", 0, "sku"), "A B", "/lines/0/sku"),
        (("lines", 0, "delivery_group"), "g9", "/lines/0/delivery_group"),
        (("lines", 0, "bundle_of"), "1", "/lines/0/bundle_of"),
        (("lines", 1, "id"), "1", "/lines"),
        (("lines", 0, "taxes", 0, "rate"), "twenty", "/lines/0/taxes/0/rate"),
        (("lines", 0, "taxes", 0, "rate"), 20, "/lines/0/taxes/0/rate"),
        (("lines",), [], "/lines"),
        (("currency",), "EURO", "/currency"),
        (("currency",), "XYZ", "/currency"),
        (("tax_mode",), "both", "/tax_mode"),
        (("placed_at",), "yesterday", "/placed_at"),
        (("placed_at",), "2026-01-01T00:00:00", "/placed_at"),
        (("payments", 0, "amount"), 34.99, "/payments/0/amount"),
        (("payments", 0, "amount"), 3499, "/payments"),
        (("payments", 0, "amount"), 3501, "/payments"),
        (("payments", 0, "gateway"), "nobody", "/payments/0/gateway"),
        (("payments", 0, "card_number"), "4111", "/payments/0/card_number"),
        (("payments",), [], "/payments"),
        (("delivery_groups", 0, "address", "country"), "Germany", "/delivery_groups/0/address/country"),
        (("delivery_groups", 0, "type"), "pickup", "/delivery_groups/0"),
        (("adjustments",), [{"amount": -99999}], "/adjustments"),
    ],
)
def test_one_fault_is_named_with_its_place(world: World, path: tuple[str | int, ...], value: Any, pointer: str) -> None:
    body = order_body()
    place: Any = body
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    answer = refused(world, body, 422)
    assert pointer in answer.pointers, answer.body
    assert all(fault["detail"] for fault in answer.body["errors"])


@pytest.mark.parametrize("missing", ["channel", "order_number", "currency", "tax_mode", "customer", "delivery_groups", "lines"])
def test_what_is_missing_is_named(world: World, missing: str) -> None:
    body = order_body()
    del body[missing]
    assert f"/{missing}" in refused(world, body, 422).pointers


def test_every_fault_is_named_not_only_the_first(world: World) -> None:
    body = order_body(colour="red", currency="EURO")
    body["lines"][0] |= {"quantity": -2, "unit_price": 10.5, "delivery_group": "g9"}
    body["lines"][1] |= {"id": "1", "taxes": [{"name": "VAT", "rate": "x"}]}
    body["delivery_groups"][0]["address"]["country"] = "Germany"
    body["payments"][0]["amount"] = "3500"
    assert refused(world, body, 422).pointers == {
        "/colour",
        "/currency",
        "/lines",
        "/lines/0/quantity",
        "/lines/0/unit_price",
        "/lines/0/delivery_group",
        "/lines/1/taxes/0/rate",
        "/delivery_groups/0/address/country",
        "/payments/0/amount",
    }


def test_money_that_does_not_add_up_names_both_figures(world: World) -> None:
    body = order_body()
    body["payments"][0]["amount"] = 3499
    (fault,) = refused(world, body, 422).body["errors"]
    assert "3499" in fault["detail"]
    assert "3500" in fault["detail"]


def test_amounts_are_minor_units_of_the_currency_whatever_its_exponent(world: World) -> None:
    """1200 JPY is 1200 yen: nothing is multiplied or divided on the way."""
    order = world.place(order_body(currency="JPY"))
    assert order["totals"]["grand_total"] == 3500
    assert world.gateway.moved("authorize") == [3500]


def test_short_stock_names_the_lines_and_leaves_nothing(world: World) -> None:
    answer = refused(world, order_body(quantities={"A": 21, "B": 1, "C": 1}), 409)
    assert answer.pointers == {"/lines/0/quantity", "/lines/2/quantity"}
    assert answer.body["type"] == "urn:oms:problem:out-of-stock"


def test_no_personal_data_or_token_is_repeated_in_a_refusal(world: World) -> None:
    body = order_body(token="tok_secret")
    body["customer"]["email"] = "x" * 200
    answer = refused(world, body, 422)
    assert "tok_secret" not in str(answer.body)
    assert "x" * 50 not in str(answer.body)


@pytest.mark.parametrize("path", ["/v1/orders/ord_nothing", "/v1/returns/ret_x", "/v1/invoices/x", "/v1/fulfillment-orders/fo_x"])
def test_what_is_not_there_is_404(world: World, path: str) -> None:
    answer = world.call("GET", path)
    assert (answer.status, answer.body["type"]) == (404, "urn:oms:problem:not-found")
