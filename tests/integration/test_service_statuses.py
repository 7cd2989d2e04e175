"""Every axis by the contract's predicates, where the newer kinds of change are involved: store credit, exchanges, claims, replacements."""

from __future__ import annotations

from tests.support.service import claim, replacement, settled, shipped, units
from tests.support.world import JSON, World, order_body

AXES = ("status", "payment_status", "money_owed", "fulfillment_status", "delivery_status", "return_status", "attention")


def axes(world: World, order: JSON) -> JSON:
    now = world.order(order["id"])
    return {name: now[name] for name in AXES}


def come_back(world: World, order: JSON, resolution: str, *lines: tuple[str, int]) -> str:
    """Goods handed over and settled; the return's id."""
    rows = [{"line_id": line_id, "quantity": quantity, "reason": "small", "resolution": resolution} for line_id, quantity in lines]
    body = {"lines": rows, "mode": "immediate", "reduce_shipping": True}
    ret: JSON = world.done("POST", f"/v1/orders/{order['id']}/returns", body)
    world.step("return_order", "Return", order["id"], return_id=ret["id"])
    return str(ret["id"])


def test_what_goes_into_store_credit_counts_as_refunded(world: World) -> None:
    order = world.delivered(order_body())
    come_back(world, order, "store_credit", ("1", 1))
    part = {"payment_status": "partially_refunded", "return_status": "partially_returned"}
    assert axes(world, order) == {**axes(world, order), **part, "status": "completed", "money_owed": "none", "attention": []}
    come_back(world, order, "store_credit", ("1", 1), ("2", 1))
    whole = {"payment_status": "refunded", "return_status": "returned", "delivery_status": "delivered"}
    assert axes(world, order) == {**axes(world, order), **whole, "status": "completed", "money_owed": "none", "attention": []}


def test_money_that_a_claim_owes_is_owed_until_it_has_moved(world: World) -> None:
    order = shipped(world, order_body())
    answer = claim(world, order["shipments"][0], "lost", "refund", units("1", 2), units("2", 1))
    owed = {"status": "open", "payment_status": "captured", "money_owed": "credit_owed", "delivery_status": "delivered"}
    assert axes(world, order) == {**axes(world, order), **owed, "attention": ["payment"]}
    settled(world, order, answer)
    done = {"status": "completed", "payment_status": "partially_refunded", "money_owed": "none", "delivery_status": "delivered"}
    assert axes(world, order) == {**axes(world, order), **done, "return_status": "none", "attention": []}


def test_a_replacement_keeps_the_order_open_and_moves_no_other_axis(world: World) -> None:
    order = world.delivered(order_body())
    before = axes(world, order)
    assert before["status"] == "completed"
    come_back(world, order, "replace", ("1", 1))
    assert axes(world, order) == {**before, "status": "open"}
    fo = replacement(world.order(order["id"]))
    world.ship(fo["id"], {"1": 1}, "R1")
    assert axes(world, order) == {**before, "status": "open"}
    world.carrier("R1", "return_to_sender")
    assert axes(world, order) == {**before, "status": "open", "attention": ["parcel"]}
    parcel = world.order(order["id"])["shipments"][-1]
    settled(world, order, claim(world, parcel, "lost", "refund", units("1", 1)))
    assert axes(world, order) == {**before, "status": "completed", "payment_status": "partially_refunded"}


def test_both_orders_of_an_exchange_end_when_the_old_goods_are_here(world: World) -> None:
    old = world.delivered(order_body())
    body = {"return_lines": [{"line_id": "1", "quantity": 1}], "new_lines": [{"sku": "A", "quantity": 1}]}
    answer = world.done("POST", f"/v1/orders/{old['id']}/exchanges", body)["order"]
    new, ret = answer["exchanges"][0]["new_order_id"], answer["returns"][0]["id"]
    asked = {"status": "open", "money_owed": "none", "return_status": "requested", "attention": ["approval"]}
    assert axes(world, old) == {**axes(world, old), **asked}
    waits = {"status": "on_hold", "payment_status": "none", "money_owed": "none", "attention": ["hold"]}
    assert axes(world, {"id": new}) == {**axes(world, {"id": new}), **waits}
    world.done("POST", f"/v1/returns/{ret}/approve")
    world.done("POST", f"/v1/returns/{ret}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    world.step("return_order", "Return", old["id"], return_id=ret)
    while pending := [change for change in world.order(old["id"])["changes"] if change["status"] == "pending"]:
        world.step("settle", "Settle", old["id"], change_id=pending[0]["id"])
    ended = {"status": "completed", "payment_status": "partially_refunded", "return_status": "partially_returned", "attention": []}
    assert axes(world, old) == {**axes(world, old), **ended, "money_owed": "none"}
    goes = {"status": "open", "payment_status": "captured", "money_owed": "none", "attention": []}
    assert axes(world, {"id": new}) == {**axes(world, {"id": new}), **goes}
