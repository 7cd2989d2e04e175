"""What agents may do and stop, on real parts: limits and approvals, holds on released work, a new address."""

from __future__ import annotations

import uuid

from infra.local import life
from infra.local.client import Api
from infra.local.stack import Stack
from tests.support import engine, people
from tests.support.engine import DELIVERY, UNIT, an_order

LYON = {"line1": "34 Rue Casimir Perier", "city": "Lyon", "postal_code": "69002", "country": "FR", "latitude": 45.74, "longitude": 4.81}


def test_what_is_above_a_limit_waits_for_another_agent(api: Api, stack: Stack) -> None:
    group = f"junior-{uuid.uuid4().hex[:6]}"
    (junior, _), (senior, subject) = people.an_agent(stack, group), people.an_agent(stack)
    api.put(f"/v1/roles/{group}", {"limits": {"EUR": {"goodwill": 100}}})
    api.put(f"/v1/roles/senior-{group}", {"clients": [subject], "limits": {"EUR": {"goodwill": 5000}}, "approves": [group]})
    order = engine.delivered(stack, api, an_order(engine.stocked(api)))
    path = f"/v1/orders/{order['id']}/refunds"
    asked = junior.call("POST", path, {"amount": 500, "reason": "late"})
    change = asked.body["change"]
    assert (asked.status, change["status"], asked.body["order"]["attention"]) == (202, "pending_approval", ["approval"])
    assert engine.refused(junior, f"/v1/approvals/{change['id']}/approve", {}).status == 403
    done = senior.post(f"/v1/approvals/{change['id']}/approve")
    assert done["change"]["id"] == change["id"]
    order = engine.changed(api, order["id"], change["id"])
    assert (order["payment"]["refunded"], order["attention"]) == (500, [])
    engine.adds_up(order)
    assert engine.steps(engine.told(stack, api, order["id"], change["id"])) == ["Settle", "Settled"]
    again = junior.call("POST", path, {"amount": 400, "reason": "late"}).body["change"]
    assert senior.post(f"/v1/approvals/{again['id']}/reject")["change"]["status"] == "refused"
    junior.close()
    senior.close()


def test_a_hold_on_shipping_stops_released_work_until_it_is_released(api: Api, stack: Stack) -> None:
    order = engine.placed(api, an_order(engine.stocked(api)))
    fo = order["fulfillment_orders"][0]
    held = api.post(f"/v1/orders/{order['id']}/holds", {"kind": "fraud", "reason": "a call is due", "blocks": ["ship"]})
    assert (held["status"], held["attention"], held["fulfillment_orders"][0]["status"]) == ("on_hold", ["hold"], "on_hold")
    parcel = {"packages": [{"reference": "p", "lines": [{"line_id": "1", "quantity": 2}]}]}
    assert engine.refused(api, f"/v1/fulfillment-orders/{fo['id']}/ship", parcel).status == 409
    hold = held["holds"][0]["id"]
    assert api.call("DELETE", f"/v1/orders/{order['id']}/holds/{hold}").status == 200
    order = engine.released(api, order["id"])
    assert order["status"] == "open"
    engine.send(api, order["id"])
    engine.adds_up(engine.arrive(stack, api, order["id"]))
    assert engine.steps(engine.told(stack, api, order["id"], fo["id"]))[-3:] == ["Ship", "Capture payment", "Deliver"]


def test_a_new_address_takes_the_work_elsewhere(api: Api, stack: Stack) -> None:
    channel, sku = f"ch{uuid.uuid4().hex[:6]}", engine.stocked(api)
    api.put(f"/v1/channels/{channel}", {"location_group": "all"})
    api.put(f"/v1/routing/rule-groups/{channel}", {"priority": 1, "channels": [channel], "weights": {"distance": 1}})
    api.put(f"/v1/inventory/{sku}/lyon", {"on_hand": 5})
    body = an_order(sku, channel=channel)
    body["delivery_groups"][0]["address"] = {**body["billing_address"], "latitude": 52.54, "longitude": 13.41}
    order = engine.placed(api, body)
    assert order["fulfillment_orders"][0]["location_id"] == "berlin"
    operation = {"op": "set_address", "delivery_group": "g1", "address": LYON}
    balances, _ = engine.quoted(api, f"/v1/orders/{order['id']}/edits", {"operations": [operation]})
    assert balances["grand_total"] == 0
    order = life.wait(api, order["id"], "other work", lambda seen: len(seen["fulfillment_orders"]) == 2)
    engine.released(api, order["id"])
    old, new = order["fulfillment_orders"]
    assert (old["status"], new["delivery_group"]["address"]["city"], new["location_id"]) == ("rejected", "Lyon", "lyon")
    engine.send(api, order["id"])
    order = engine.arrive(stack, api, order["id"])
    engine.adds_up(order)
    assert engine.steps(engine.told(stack, api, order["id"], order["id"])) == ["Allocate", "Allocated"] * 2
    assert engine.steps(engine.told(stack, api, order["id"], old["id"]))[-1] == "Rejected"


def test_the_warehouse_stops_some_of_what_it_was_asked_for_and_ships_the_rest(api: Api, stack: Stack) -> None:
    order = engine.placed(api, an_order(engine.stocked(api), 3))
    work = order["fulfillment_orders"][0]
    body = {"lines": [{"line_id": "1", "quantity": 2}], "reason": "changed_mind", "reduce_shipping": False}
    _, done = engine.quoted(api, f"/v1/orders/{order['id']}/cancellations", body)
    answer = {"change_id": done["change"]["id"], "lines": [{"line_id": "1", "quantity": 1}]}
    api.post(f"/v1/fulfillment-orders/{work['id']}/cancel-response", answer)
    order = engine.changed(api, order["id"], done["change"]["id"], "partial")
    assert (order["lines"][0]["quantities"]["cancelled"], order["totals"]["grand_total"]) == (1, 2 * UNIT + DELIVERY)
    life.ship(api, {**work, "lines": [{"line_id": "1", "quantity": 2}]})
    order = engine.arrive(stack, api, order["id"])
    assert (order["payment"]["captured"], order["payment"]["voided"]) == (2 * UNIT + DELIVERY, UNIT)
    engine.adds_up(order)
    assert engine.steps(engine.told(stack, api, order["id"], done["change"]["id"])) == ["Settle", "Settled"]
