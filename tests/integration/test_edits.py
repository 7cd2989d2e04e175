"""Edits after the sale: what they cost is previewed, what they add is reserved, what they take away goes back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.orders import a_group, a_line, an_order
from tests.support.world import JSON, Answer, World, order_body

LYON = {"line1": "Rue 1", "city": "Lyon", "postal_code": "69001", "country": "FR"}


def edit(world: World, order_id: str, *operations: JSON, **more: Any) -> Answer:
    return world.call("POST", f"/v1/orders/{order_id}/edits", {"operations": list(operations), **more})


def edited(world: World, order_id: str, *operations: JSON) -> JSON:
    answer = edit(world, order_id, *operations)
    assert answer.status == 200, answer
    if answer.body["change"]["status"] == "pending":
        world.step("settle", "Settle", order_id, change_id=answer.body["change"]["id"])
    order: JSON = world.order(order_id)
    return order


def quantity(line_id: str, units: int) -> JSON:
    return {"op": "set_quantity", "line_id": line_id, "quantity": units}


def finish(world: World, order_id: str) -> JSON:
    """Allocate, ship and invoice all there is."""
    assert world.step("allocate", "Allocate", order_id) == {"next": "allocated"}
    for fo in world.order(order_id)["fulfillment_orders"]:
        if fo["status"] == "on_hold":
            world.step("capture_payment", "Secure payment", order_id, fulfillment_order_id=fo["id"])
        if fo["status"] in ("on_hold", "released"):
            world.ship(fo["id"], {row["line_id"]: row["quantity"] for row in fo["lines"]}, f"T-{fo['id']}")
            world.step("capture_payment", "Capture payment", order_id, fulfillment_order_id=fo["id"])
    order: JSON = world.order(order_id)
    money = order["payment"]
    assert money["captured"] - money["refunded"] == money["invoiced"] - money["credited"] == order["totals"]["grand_total"]
    return order


def test_a_line_is_added_reserved_released_and_paid_for(world: World) -> None:
    order = world.allocated(order_body(quantities={"A": 2}))
    line = a_line("x", "B", 2, 500, "20")
    preview = edit(world, order["id"], {"op": "add_line", "line": line}, preview=True).body
    assert (preview["balances"]["grand_total"], preview["balances"]["amount_due"]) == (1000, 1000)
    assert [row["id"] for row in preview["lines"]] == ["x"]
    assert world.figures("B")[1] == 0
    after = edited(world, order["id"], {"op": "add_line", "line": line})
    assert (world.figures("B")[1], [row["id"] for row in after["lines"]]) == (2, ["1", "x"])
    assert after["changes"][0]["added_lines"] == ["x"]
    done = finish(world, order["id"])
    assert (done["totals"]["grand_total"], done["payment"]["captured"]) == (4000, 4000)


def test_more_units_of_a_line_cost_its_price_and_get_numbers_of_their_own(world: World) -> None:
    placed = world.place(order_body(quantities={"A": 2}))
    world.done("POST", f"/v1/orders/{placed['id']}/cancellations", {"lines": [{"line_id": "1", "quantity": 1}]})
    after = edited(world, placed["id"], quantity("1", 3))
    assert after["lines"][0]["quantities"]["ordered"] == 4
    assert (after["lines"][0]["quantities"]["cancelled"], after["lines"][0]["quantities"]["reserved"]) == (1, 3)
    assert after["lines"][0]["amounts"]["total_amount"] == 3600
    done = finish(world, placed["id"])
    assert [row["units"] for row in done["invoices"][0]["lines"]] == [[[1, 1], [3, 4]]]


def test_fewer_units_are_cancelled_and_setting_it_back_before_payment_costs_nothing(world: World) -> None:
    placed = world.place(order_body())
    before = placed["totals"]["grand_total"]
    assert edited(world, placed["id"], quantity("1", 3))["totals"]["grand_total"] == before + 1200
    after = edited(world, placed["id"], quantity("1", 2))
    assert (after["totals"], after["money_owed"]) == (placed["totals"], "none")
    assert (after["lines"][0]["quantities"]["ordered"], after["lines"][0]["quantities"]["cancelled"]) == (3, 1)
    assert world.figures("A")[1] == 2


def test_fewer_units_of_released_work_are_asked_back(world: World) -> None:
    order = world.allocated(order_body())
    change = edit(world, order["id"], quantity("1", 1)).body["change"]
    assert (change["status"], change["lines"][0]["requested"]) == ("pending", 1)
    fo = order["fulfillment_orders"][0]
    stopped = {"change_id": change["id"], "lines": [{"line_id": "1", "quantity": 1}]}
    world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/cancel-response", stopped)
    assert world.order(order["id"])["totals"]["grand_total"] == 2300


def test_a_price_edit_counts_for_units_that_have_not_left_and_never_touches_a_reservation(world: World) -> None:
    order = world.allocated(order_body(quantities={"A": 2}))
    fo = order["fulfillment_orders"][0]
    world.ship(fo["id"], {"1": 1}, "T1")
    world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo["id"])
    reserved = world.figures("A")
    after = edited(world, order["id"], {"op": "set_price", "line_id": "1", "unit_price": 1000})
    assert (after["totals"]["product_amount"], after["totals"]["adjustment_amount"]) == (2400, -200)
    assert world.figures("A") == reserved
    up = edited(world, order["id"], {"op": "set_price", "line_id": "1", "unit_price": 1300})
    assert up["totals"]["adjustment_amount"] == 100
    assert up["lines"][0]["amounts"]["unit_price"] == 1200
    more = edited(world, order["id"], quantity("1", 3))
    assert more["totals"]["grand_total"] == 600 + 1200 + 1300 + 1300


def test_c12_a_cheaper_delivery_refunds_exactly_the_difference(world: World) -> None:
    taken = {"authorization": {"reference": "auth_1.tok_approve", "amount": 3000}, "capture": {"reference": "cap_1", "amount": 3000}}
    card = {"method": "card", "gateway": "sandbox", "amount": 3000, **taken}
    body = an_order(a_line("1", "A", 2, 1000), payments=[card], delivery_groups=[a_group(charge=1000, charge_rate="20")])
    placed = world.place(body)
    cheaper = {
        "op": "set_method",
        "delivery_group": "g1",
        "method": "economy",
        "charge": {"amount": 500, "taxes": [{"name": "VAT", "rate": "20"}]},
    }
    preview = edit(world, placed["id"], cheaper, {"op": "set_address", "delivery_group": "g1", "address": LYON}, preview=True).body
    assert (preview["balances"]["refund_due"], preview["balances"]["tax_amount"]) == (500, -84)
    after = edited(world, placed["id"], cheaper)
    assert (after["payment"]["refunded"], after["totals"]["delivery_amount"], after["delivery_groups"][0]["method"]) == (
        500,
        500,
        "economy",
    )


def test_a_new_address_routes_what_has_not_left_anew_and_the_customer_data_stays_out_of_the_timeline(world: World) -> None:
    order = world.allocated(order_body())
    after = edited(world, order["id"], {"op": "set_address", "delivery_group": "g1", "address": LYON})
    assert after["delivery_groups"][0]["address"]["city"] == "Lyon"
    assert after["fulfillment_orders"][0]["status"] == "rejected"
    assert "order.reopened" in [type_ for type_, _ in world.facts(order["id"])]
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
    again = world.order(order["id"])
    assert again["fulfillment_orders"][1]["delivery_group"]["address"]["city"] == "Lyon"
    assert "Rue" not in str(world.facts(order["id"]))
    assert [world.figures("A", place)[1] for place in ("berlin", "lyon")].count(0) == 1
    finish(world, order["id"])


def test_several_operations_are_one_change_or_none(world: World) -> None:
    placed = world.place(order_body())
    bad = edit(world, placed["id"], quantity("1", 5), {"op": "set_price", "line_id": "9", "unit_price": 1})
    assert (bad.status, bad.pointers) == (422, {"/operations/1/line_id"})
    assert world.order(placed["id"])["version"] == placed["version"]
    assert world.figures("A")[1] == 2


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "add_line", "line": a_line("1", "A", 1, 100)}, 422),
        ({"op": "add_line", "line": {**a_line("5", "A", 1, 100), "delivery_group": "g7"}}, 422),
        ({"op": "add_line", "line": a_line("5", "A", 5000, 1)}, 409),
        (quantity("1", 5000), 409),
        ({"op": "set_price", "line_id": "1", "unit_price": -1}, 422),
        ({"op": "set_address", "delivery_group": "g9", "address": LYON}, 422),
        ({"op": "fly"}, 422),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(world: World, operation: JSON, status: int) -> None:
    placed = world.place(order_body())
    assert edit(world, placed["id"], operation).status == status
    assert world.order(placed["id"])["version"] == placed["version"]
    assert world.figures("A")[1] == 2


def test_stock_that_is_short_is_told_at_the_operation_that_wants_it(world: World) -> None:
    placed = world.place(order_body())
    line = {"id": "3", "sku": "B", "quantity": 999, "unit_price": 1, "delivery_group": "g1"}
    answer = edit(world, placed["id"], quantity("2", 2), quantity("1", 99), {"op": "add_line", "line": line})
    assert (answer.status, answer.pointers) == (409, {"/operations/1/quantity", "/operations/2/line/quantity"})
    assert world.order(placed["id"])["version"] == placed["version"]


def test_nothing_is_edited_that_has_left(world: World) -> None:
    order = world.delivered(order_body())
    for operation in (
        {"op": "set_price", "line_id": "1", "unit_price": 5},
        {"op": "set_address", "delivery_group": "g1", "address": LYON},
        {"op": "set_method", "delivery_group": "g1", "method": "slow"},
        quantity("1", 1),
    ):
        assert edit(world, order["id"], operation).status == 409
