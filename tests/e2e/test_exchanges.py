"""Exchanges on real parts, IAM enforced: even, dearer, cheaper, in advance; the value moves over once, whatever comes back."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local import life
from infra.local.client import Api
from infra.local.stack import Stack
from tests.support import engine
from tests.support.engine import JSON, UNIT, VAT, an_order


@pytest.fixture
def old(api: Api, stack: Stack) -> Any:
    """Two units, delivered."""
    return engine.delivered(stack, api, an_order(engine.stocked(api)))


def same(old: JSON) -> JSON:
    """One more of what was bought, at what it cost."""
    return {"sku": old["lines"][0]["sku"], "quantity": 1}


def at(old: JSON, price: int) -> JSON:
    """Something for that price."""
    return {**same(old), "unit_price": price, "taxes": VAT}


def exchanged(api: Api, old: JSON, new: JSON, **more: Any) -> tuple[Any, Any]:
    """Exchange one unit, with a quote: the balances, and the exchange as the order lists it."""
    body = {"return_lines": [{"line_id": "1", "quantity": 1, "reason": "too_small"}], "new_lines": [new], **more}
    balances, answer = engine.quoted(api, f"/v1/orders/{old['id']}/exchanges", body)
    about = answer["order"]["exchanges"][-1]
    life.wait(api, about["new_order_id"], "its payment", lambda seen: seen["status"] != "received")
    return balances, about


def come_back(api: Api, about: JSON) -> None:
    """The goods arrive."""
    engine.receive(api, about["return_id"], {"line_id": "1", "quantity": 1, "condition": "resellable"})


def over(api: Api, old: JSON, status: str = "done") -> Any:
    """The old order, once its exchange has come to that."""
    return life.wait(api, old["id"], f"the exchange {status}", lambda seen: seen["exchanges"][-1]["status"] == status)


def tenders(order: JSON) -> dict[str, int]:
    """What each tender paid."""
    return {row["method"]: row["captured"] for row in order["payments"]}


def test_even(api: Api, stack: Stack, old: Any) -> None:
    balances, about = exchanged(api, old, same(old))
    assert (balances["grand_total"], balances["refund_due"], balances["amount_due"], about["balance"]) == (0, 0, 0, 0)
    new = api.get(f"/v1/orders/{about['new_order_id']}")
    assert (new["order_number"], new["status"], new["fulfillment_orders"]) == (f"{old['order_number']}-E1", "on_hold", [])
    assert [each["id"] for each in new["related_orders"]] == [old["id"]]
    come_back(api, about)
    before = over(api, old)
    engine.send(api, new["id"])
    new = engine.arrive(stack, api, new["id"])
    assert (tenders(new), new["totals"]["grand_total"], before["payment"]["refunded"]) == ({"exchange": UNIT}, UNIT, UNIT)
    for order in (before, new):
        engine.adds_up(order)
    assert engine.steps(engine.told(stack, api, old["id"], about["return_id"])) == ["Approve", "Wait for goods", "Return", "Settled"]
    assert engine.steps(engine.told(stack, api, new["id"], new["id"])) == ["Allocate", "Wait for release", "Allocate", "Allocated"]


def test_dearer_the_card_pays_the_rest(api: Api, stack: Stack, old: Any) -> None:
    balances, about = exchanged(api, old, at(old, 2500), payments=[engine.card(1500)])
    assert (balances["amount_due"], about["balance"]) == (1500, 1500)
    come_back(api, about)
    before = over(api, old)
    engine.send(api, about["new_order_id"])
    new = engine.arrive(stack, api, about["new_order_id"])
    assert tenders(new) == {"exchange": UNIT, "card": 1500}
    for order in (before, new):
        engine.adds_up(order)
    assert engine.steps(engine.told(stack, api, new["id"], new["id"]))[0] == "Capture"


def test_cheaper_the_rest_goes_back_to_the_card(api: Api, stack: Stack, old: Any) -> None:
    balances, about = exchanged(api, old, at(old, 300))
    assert (balances["refund_due"], balances["refunds"][0]["amount"], about["balance"]) == (700, 700, -700)
    come_back(api, about)
    before = over(api, old)
    engine.send(api, about["new_order_id"])
    new = engine.arrive(stack, api, about["new_order_id"])
    assert (tenders(new), before["payment"]["refunded"]) == ({"exchange": 300}, UNIT)
    for order in (before, new):
        engine.adds_up(order)
    life.ended(api, old["id"])


def test_in_advance_the_card_is_given_back_when_the_goods_have_come(api: Api, stack: Stack, old: Any) -> None:
    _, about = exchanged(api, old, same(old), advance=True, payments=[engine.card(UNIT)])
    new = engine.send(api, about["new_order_id"])
    assert (new["payment"]["captured"], new["payment"]["authorized"], new["money_owed"]) == (0, UNIT, "none")
    come_back(api, about)
    before = over(api, old)
    new = engine.arrive(stack, api, new["id"])
    assert (tenders(new), new["payment"]["voided"]) == ({"exchange": UNIT, "card": 0}, UNIT)
    for order in (before, new):
        engine.adds_up(order)
        life.ended(api, order["id"])


def test_in_advance_the_card_pays_when_nothing_has_come(api: Api, stack: Stack, old: Any) -> None:
    _, about = exchanged(api, old, same(old), advance=True, payments=[engine.card(UNIT)])
    new = engine.send(api, about["new_order_id"])
    api.post(f"/v1/returns/{about['return_id']}/reject", {"reason": "nothing came"})
    before = over(api, old, "refused")
    life.wait(api, new["id"], "the card", lambda seen: seen["payment"]["captured"] == UNIT)
    new = engine.arrive(stack, api, new["id"])
    assert (tenders(new), before["payment"]["refunded"], before["status"]) == ({"exchange": 0, "card": UNIT}, 0, "completed")
    for order in (before, new):
        engine.adds_up(order)
        life.ended(api, order["id"])


def test_when_nothing_comes_the_new_order_is_cancelled_and_its_stock_is_free(api: Api, stack: Stack, old: Any) -> None:
    _, about = exchanged(api, old, at(old, 2500), payments=[engine.card(1500)])
    api.post(f"/v1/returns/{about['return_id']}/cancel")
    over(api, old, "refused")
    new = life.wait(api, about["new_order_id"], "its end", lambda seen: seen["status"] == "cancelled")
    assert (new["payment"]["voided"], new["payment"]["captured"]) == (1500, 0)
    assert api.get(f"/v1/inventory/{old['lines'][0]['sku']}/berlin")["reserved"] == 0
    assert engine.steps(engine.told(stack, api, new["id"], new["id"]))[-1] == "Cancelled"


def test_before_it_ships_both_are_done_at_once(api: Api, stack: Stack) -> None:
    sku = engine.stocked(api)
    held = {"kind": "gift", "reason": "not before Friday", "blocks": ["allocate"]}
    before = api.post("/v1/orders", an_order(sku, holds=[held]))
    _, about = exchanged(api, before, at(before, 700))
    before = over(api, before)
    assert (about["return_id"], before["payment"]["voided"], before["lines"][0]["quantities"]["cancelled"]) == (None, UNIT, 1)
    engine.send(api, about["new_order_id"])
    new = engine.arrive(stack, api, about["new_order_id"])
    assert tenders(new) == {"card": 700}
    engine.adds_up(new)
