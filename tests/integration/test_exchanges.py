"""Exchanges: old goods come back, new ones go out, in one call; what comes back pays for them, once, whatever dies on the way."""

from __future__ import annotations

from typing import Any

import pytest

from oms.storage.orders import load
from tests.support.orders import a_card
from tests.support.world import JSON, Answer, World, order_body

A, B = 1200, 500


def new_line(sku: str, quantity: int, unit_price: int | None = None, **more: Any) -> JSON:
    priced = {} if unit_price is None else {"unit_price": unit_price, "taxes": [{"name": "tax 20", "rate": "20"}]}
    return {"sku": sku, "quantity": quantity, **priced, **more}


def ask(world: World, order_id: str, back: dict[str, int], *lines: JSON, **more: Any) -> Answer:
    rows = [{"line_id": line_id, "quantity": units, "reason": "too small"} for line_id, units in back.items()]
    keyed = {"headers": {"Idempotency-Key": key}} if (key := more.pop("key", None)) else {}
    return world.call("POST", f"/v1/orders/{order_id}/exchanges", {"return_lines": rows, "new_lines": list(lines), **more}, **keyed)


def exchanged(world: World, order_id: str, back: dict[str, int], *lines: JSON, **more: Any) -> tuple[JSON, JSON]:
    """The exchange as the old order lists it, and the new order."""
    answer = ask(world, order_id, back, *lines, **more)
    assert answer.status == 200, answer
    about: JSON = answer.body["order"]["exchanges"][-1]
    return about, world.order(about["new_order_id"])


def come_back(world: World, order_id: str, about: JSON, lines: dict[str, int]) -> None:
    """The goods arrive and are settled."""
    return_id = about["return_id"]
    if world.done("GET", f"/v1/returns/{return_id}")["status"] == "requested":
        world.done("POST", f"/v1/returns/{return_id}/approve")
    rows = [{"line_id": line_id, "quantity": units} for line_id, units in lines.items()]
    world.done("POST", f"/v1/returns/{return_id}/receive", {"lines": rows})
    world.step("return_order", "Return", order_id, return_id=return_id)


def go_on(world: World, order_id: str) -> None:
    """The change machine does what is to be done for the order."""
    while pending := [change for change in load(order_id).changes.values() if change.status == "pending" and change.moves]:
        world.step("settle", "Settle", order_id, change_id=pending[0].id)


def send(world: World, order_id: str) -> JSON:
    """Allocate, ship and invoice an order."""
    assert world.step("allocate", "Allocate", order_id) == {"next": "allocated"}
    for fo in world.order(order_id)["fulfillment_orders"]:
        world.ship(fo["id"], {row["line_id"]: row["quantity"] for row in fo["lines"]}, f"T-{fo['id']}")
        world.step("capture_payment", "Capture payment", order_id, fulfillment_order_id=fo["id"])
    order: JSON = world.order(order_id)
    return order


def law(order: JSON, *, receivable: int = 0, unapplied: int = 0) -> None:
    """Law 2: the money is where the documents say."""
    money = order["payment"]
    assert money["captured"] - money["refunded"] - unapplied == money["invoiced"] - money["credited"] - receivable


def books(world: World) -> dict[str, int]:
    """All accounts of the journal."""
    world.keep_books()
    sums: dict[str, int] = {}
    for each in world.done("GET", "/v1/journal", query={"date": __import__("oms.clock").clock.stamp()[:10]})["data"]:
        for line in each["lines"]:
            sums[line["account"]] = sums.get(line["account"], 0) + line["amount"]
    return sums


def test_an_even_exchange_costs_nothing_and_moves_the_money_once(world: World) -> None:
    old = world.delivered(order_body())
    about, new = exchanged(world, old["id"], {"1": 1}, new_line("A", 1))
    assert (about["new_order_number"], about["balance"], about["status"]) == ("W-1-E1", 0, "pending")
    assert (new["status"], new["totals"]["grand_total"], new["money_owed"], world.figures("A")[1]) == ("on_hold", A, "none", 1)
    assert (new["related_orders"][0]["id"], new["customer"]["email"]) == (old["id"], "ann@example.com")
    assert world.step("allocate", "Allocate", new["id"]) == {"next": "wait_for_release"}
    come_back(world, old["id"], about, {"1": 1})
    go_on(world, old["id"])
    old, new = world.order(old["id"]), world.order(new["id"])
    assert (old["exchanges"][0]["status"], old["payment"]["refunded"], old["credit_memos"][0]["refunds"][0]["into"]) == ("done", A, "exchange")
    assert (new["status"], new["payment"]["captured"], world.gateway.moved("refund")) == ("open", A, [])
    new = send(world, new["id"])
    assert (new["payment"]["invoiced"], new["money_owed"]) == (A, "none")
    law(old)
    law(new)
    assert books(world).get("exchanges", 0) == 0
