"""Business customers: pay after the invoice, within a credit limit that holds whoever orders at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.world import JSON, World, order_body

ACCOUNT = "acme"
SETTINGS: JSON = {"credit_limit": 5000, "net_days": 14, "vat_id": "DE123456789", "ship_complete": False}


def on_terms(number: str = "W-1", *, account: str | None = ACCOUNT, card: int = 0, **more: Any) -> JSON:
    """An order of 35.00 EUR of which a card pays a part, the account the rest."""
    terms: JSON = {"method": "terms", **more.pop("terms", {})}
    payments = [terms] + ([{"method": "card", "token": "tok_approve", "amount": card}] if card else [])
    body = order_body(number, business_model="b2b", payments=payments, **more)
    body["customer"] = {"id": "c-1", "name": "Acme", **({"account_id": account} if account else {})}
    return body


def owed(world: World, currency: str = "EUR") -> tuple[int, int | None]:
    """What the account owes and will owe, and what is left of its limit."""
    rows = world.done("GET", f"/v1/accounts/{ACCOUNT}/credit")["data"]
    return next(((row["exposure"], row["available"]) for row in rows if row["currency"] == currency), (0, None))


@pytest.fixture
def acme(world: World) -> World:
    world.done("PUT", f"/v1/accounts/{ACCOUNT}", SETTINGS)
    return world


def test_an_account_is_put_and_got_and_no_part_of_the_picture_of_settings(acme: World) -> None:
    got = acme.done("GET", f"/v1/accounts/{ACCOUNT}")
    assert SETTINGS.items() <= got.items()
    revision = [item for item in acme.items()["oms-settings"] if item["pk"]["S"] == "revision"]
    acme.done("PUT", f"/v1/accounts/{ACCOUNT}", {**SETTINGS, "net_days": 7})
    assert [item for item in acme.items()["oms-settings"] if item["pk"]["S"] == "revision"] == revision
    assert acme.call("PUT", "/v1/accounts/x", {"credit_limit": -1}).pointers == {"/credit_limit"}


def test_an_order_on_terms_is_invoiced_and_owed(acme: World) -> None:
    order = acme.delivered(on_terms())
    [invoice] = order["invoices"]
    [row] = invoice["receivables"]
    assert (row["amount"], row["due_at"][:10] > invoice["issued_at"][:10]) == (3500, True)
    assert (order["payments"][0]["net_days"], acme.gateway.calls) == (14, {})
    assert owed(acme) == (3500, 1500)


def test_the_tender_may_say_more_than_the_account(acme: World) -> None:
    order = acme.place(on_terms(terms={"terms": {"net_days": 60}}))
    assert order["payments"][0]["net_days"] == 60


def test_terms_take_what_a_card_leaves(acme: World) -> None:
    order = acme.place(on_terms(card=500))
    assert [(payment["method"], payment["amount"]) for payment in order["payments"]] == [("terms", 3000), ("card", 500)]
    assert owed(acme) == (3000, 2000)


def test_without_an_account_terms_say_themselves_when_they_are_due(world: World) -> None:
    assert world.call("POST", "/v1/orders", on_terms(account=None)).pointers == {"/payments/0/terms/net_days"}
    assert world.call("POST", "/v1/orders", on_terms()).pointers == {"/payments/0/terms/net_days"}
    order = world.place(on_terms(terms={"terms": {"net_days": 30}}))
    assert (order["status"], owed(world)) == ("open", (3500, None))


def test_beyond_the_limit_an_order_is_taken_and_held(acme: World) -> None:
    acme.place(on_terms())
    order = acme.place(on_terms("W-2"))
    assert (order["status"], [(hold["kind"], hold["blocks"]) for hold in order["holds"]]) == ("on_hold", [("credit_limit", ["allocate"])])
    assert order["holds"][0]["reason"] == "with this order the account owes 70.00 EUR; its limit is 50.00 EUR"
    assert acme.step("allocate", "Allocate", order["id"]) == {"next": "wait_for_release"}
    assert owed(acme) == (7000, 0)


def test_who_releases_the_hold_lets_the_order_go(acme: World) -> None:
    acme.place(on_terms())
    order = acme.place(on_terms("W-2"))
    acme.done("DELETE", f"/v1/orders/{order['id']}/holds/{order['holds'][0]['id']}")
    assert acme.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}


def test_two_orders_at_the_same_moment_never_both_pass(acme: World) -> None:
    for sku in ("A", "B"):
        acme.stock(sku, "berlin", 100)
    bodies = [on_terms(f"W-{n}") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        orders = [answer.body for answer in pool.map(lambda body: acme.call("POST", "/v1/orders", body), bodies)]
    assert sorted(order["status"] for order in orders) == ["on_hold", "on_hold", "on_hold", "open"]
    assert owed(acme)[0] == 4 * 3500


def test_a_limit_that_is_met_exactly_is_kept(acme: World) -> None:
    acme.done("PUT", f"/v1/accounts/{ACCOUNT}", {**SETTINGS, "credit_limit": 7000})
    assert [acme.place(on_terms(f"W-{n}"))["status"] for n in range(3)] == ["open", "open", "on_hold"]


def test_a_limit_in_one_currency_gives_no_credit_in_another(acme: World) -> None:
    acme.done("PUT", f"/v1/accounts/{ACCOUNT}", {**SETTINGS, "currency": "USD"})
    assert acme.place(on_terms())["status"] == "on_hold"
    assert acme.place(on_terms("W-2", currency="USD"))["status"] == "open"
    assert (owed(acme), owed(acme, "USD")) == ((3500, 0), (3500, 1500))


def test_what_is_cancelled_or_declined_is_owed_no_more(acme: World) -> None:
    acme.done("PUT", "/v1/channels/web", {"location_group": "all", "on_unfillable": "cancel_and_refund"})
    for sku in ("A", "B"):
        acme.stock(sku, "lyon", 0)
    order = acme.allocated(on_terms())
    acme.done("POST", f"/v1/fulfillment-orders/{order['fulfillment_orders'][0]['id']}/reject", {"reason": "flood"})
    acme.step("allocate", "Allocate", order["id"])
    assert owed(acme) == (0, 5000)
    body = on_terms("W-2", card=500)
    body["payments"][1]["token"] = "tok_decline"
    assert acme.place(body, status=402)["status"] == "declined"
    assert owed(acme) == (0, 5000)


def test_what_comes_back_is_owed_no_more(acme: World) -> None:
    order = acme.delivered(on_terms())
    ret = acme.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1, "reason": "too small"}]})
    acme.done("POST", f"/v1/returns/{ret['id']}/approve")
    acme.done("POST", f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    acme.step("return_order", "Return", order["id"], return_id=ret["id"])
    assert owed(acme) == (2300, 2700)


def test_a_declined_order_is_taken_on_terms(acme: World) -> None:
    body = on_terms(card=3500)
    body["payments"] = body["payments"][1:]
    body["payments"][0]["token"] = "tok_decline"
    order = acme.place(body, status=402)
    answer = acme.call("POST", f"/v1/orders/{order['id']}/payments", {"method": "terms"})
    assert (answer.status, answer.body["status"], owed(acme)) == (201, "open", (3500, 1500))


def test_the_accounts_wishes_are_the_orders(acme: World) -> None:
    acme.done("PUT", f"/v1/accounts/{ACCOUNT}", {**SETTINGS, "ship_complete": True})
    order = acme.place(on_terms())
    assert [group["ship_complete"] for group in order["delivery_groups"]] == [True]
    assert order["customer"]["vat_id"] == "DE123456789"
