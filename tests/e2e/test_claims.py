"""What went wrong on the way, and what is given for it, on real parts: claims, reshipments, goodwill."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local import life
from infra.local.client import Api
from infra.local.stack import Stack
from tests.support import engine
from tests.support.engine import DELIVERY, JSON, UNIT, an_order


@pytest.fixture
def body(api: Api) -> JSON:
    """Two units of a SKU of its own."""
    return an_order(engine.stocked(api))


def units(quantity: int) -> JSON:
    """So many units of the only line."""
    return {"line_id": "1", "quantity": quantity, "reason": "lost"}


def replacement(order: JSON) -> Any:
    """The work of sending units again."""
    return next(fo for fo in order["fulfillment_orders"] if fo.get("replaces"))


def test_a_lost_parcel_is_sent_again(api: Api, stack: Stack, body: JSON) -> None:
    order = engine.placed(api, body)
    order = engine.send(api, order["id"])
    path = f"/v1/shipments/{order['shipments'][0]['id']}/claims"
    balances, done = engine.quoted(api, path, {"kind": "lost", "remedy": "reship", "lines": [units(2)], "cost": 450})
    assert (balances["refund_due"], done["change"]["status"], done["change"]["claim"]["cost"]) == (0, "done", 450)
    order = engine.released(api, order["id"])
    life.ship(api, replacement(order))
    order = life.wait(api, order["id"], "the other parcel", lambda seen: len(seen["shipments"]) == 2)
    engine.news(stack, api, order["shipments"][1]["tracking_number"], "delivered")
    order = life.wait(api, order["id"], "completion", lambda seen: seen["status"] == "completed")
    counters = order["lines"][0]["quantities"]
    assert (counters["lost"], counters["reshipped"], counters["available_to_return"], len(order["invoices"])) == (2, 2, 2, 1)
    engine.adds_up(order)
    told = [engine.steps(engine.told(stack, api, order["id"], fo["id"])) for fo in order["fulfillment_orders"]]
    assert [names[0] for names in told] == ["Ship", "Ship"]
    assert "Capture payment" in told[0]


def test_what_is_damaged_is_paid_back_and_stays(api: Api, stack: Stack, body: JSON) -> None:
    order = engine.delivered(stack, api, body)
    path = f"/v1/shipments/{order['shipments'][0]['id']}/claims"
    balances, done = engine.quoted(api, path, {"kind": "damaged", "remedy": "refund", "lines": [units(1)]})
    assert balances["refund_due"] == UNIT
    order = engine.changed(api, order["id"], done["change"]["id"])
    assert (order["payment"]["refunded"], order["return_status"], order["status"]) == (UNIT, "none", "completed")
    engine.adds_up(order)
    again = engine.refused(api, path, {"kind": "damaged", "remedy": "refund", "lines": [units(2)]})
    assert (again.status, again.body["type"]) == (409, "urn:oms:problem:not-claimable")
    assert engine.steps(engine.told(stack, api, order["id"], done["change"]["id"])) == ["Settle", "Settled"]


def test_a_reshipment_costs_nothing_and_counts_nowhere_else(api: Api, stack: Stack, body: JSON) -> None:
    order = engine.delivered(stack, api, body)
    balances, done = engine.quoted(api, f"/v1/orders/{order['id']}/reshipments", {"lines": [units(1)]})
    assert (balances["grand_total"], done["change"]["kind"]) == (0, "reshipment")
    order = engine.released(api, order["id"])
    life.ship(api, replacement(order))
    order = engine.arrive(stack, api, order["id"])
    assert (order["totals"]["grand_total"], order["lines"][0]["quantities"]["shipped"], len(order["invoices"])) == (
        2 * UNIT + DELIVERY,
        2,
        1,
    )
    engine.adds_up(order)
    engine.told(stack, api, order["id"], order["id"])


@pytest.mark.parametrize("to", ["original", "store_credit"])
def test_goodwill_is_a_credit_memo(api: Api, stack: Stack, body: JSON, to: str) -> None:
    order = engine.delivered(stack, api, body)
    balances, done = engine.quoted(api, f"/v1/orders/{order['id']}/refunds", {"amount": 300, "reason": "late", "to": to})
    assert (balances["refund_due"], done["change"]["kind"]) == (300, "goodwill")
    order = engine.changed(api, order["id"], done["change"]["id"])
    (memo,) = order["credit_memos"]
    assert (memo["total_amount"], memo["into"] if to == "store_credit" else "original") == (300, to)
    engine.adds_up(order)
    assert engine.steps(engine.told(stack, api, order["id"], done["change"]["id"])) == ["Settle", "Settled"]
