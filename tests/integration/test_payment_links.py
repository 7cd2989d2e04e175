"""Pay by link: the token is the permission, for one order, up to an amount, until a time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import World, order_body


def owing(world: World) -> Any:
    """An order whose authorization has run out before it shipped."""
    order = world.allocated(order_body())
    world.advance(days=8)
    world.invoke("reconcile", {})
    return order


def link(world: World, order: Any, **body: Any) -> Any:
    return world.done("POST", f"/v1/orders/{order['id']}/payment-links", body)


def test_a_link_shows_what_is_owed_and_takes_the_payment_once(world: World) -> None:
    order = owing(world)
    made = link(world, order)
    assert (made["amount"], made["currency"]) == (3500, "EUR")
    page = world.call("GET", made["path"])
    assert (page.status, "35.00 EUR" in page.body, "script" in page.body) == (200, True, False)
    paid = world.call("POST", made["path"], {"token": "tok_approve"})
    assert (paid.status, paid.body["amount"]) == (202, 3500)
    assert world.call("POST", made["path"], {"token": "tok_approve"}).status == 409, "the first is under way"
    assert [change["kind"] for change in world.order(order["id"])["changes"]] == ["payment"]


def test_the_form_of_the_page_works_without_a_script(world: World) -> None:
    made = link(world, owing(world))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert world.call("POST", made["path"], "token=tok_approve&gateway=sandbox", headers=headers).status == 202


def test_nothing_is_owed_nothing_is_linked(world: World) -> None:
    order = world.allocated(order_body())
    assert world.call("POST", f"/v1/orders/{order['id']}/payment-links", {}).status == 409


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t.replace(".3500.", ".1."), lambda t: "x", lambda t: "a.b.c.d"]
)
def test_a_forged_link_is_not_found(world: World, spoil: Any) -> None:
    made = link(world, owing(world))
    assert world.call("GET", "/v1/pay/" + spoil(made["path"].rpartition("/")[2])).status == 404


def test_a_link_runs_out(world: World) -> None:
    made = link(world, owing(world), expires_in=60)
    world.advance(seconds=61)
    assert world.call("GET", made["path"]).status == 404
    assert world.call("POST", made["path"], {"token": "tok_approve"}).status == 404


def test_a_card_number_is_no_token(world: World) -> None:
    made = link(world, owing(world))
    answer = world.call("POST", made["path"], {"token": "4242424242424242"})
    assert (answer.status, "4242424242424242" in str(answer.body)) == (422, False)
