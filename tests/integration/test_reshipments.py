"""Reshipments: what has left is sent once more, for nothing, from reserved stock; nothing else of the order changes."""

from __future__ import annotations

from tests.support.orders import a_line, an_order
from tests.support.service import claim, event, law_two, quantities, refund, replacement, reship, settled, shipped, units
from tests.support.world import JSON, Answer, World, order_body

AXES = ("payment_status", "fulfillment_status", "delivery_status", "return_status", "totals", "payment")


def test_a_reshipment_is_work_of_its_own_at_no_price_with_reserved_stock(world: World) -> None:
    order = world.delivered(order_body())
    preview = world.done("POST", f"/v1/orders/{order['id']}/reshipments", {**event("service/reshipment"), "preview": True})
    assert not any(value for name, value in preview["balances"].items() if name != "refunds")
    assert (world.figures("A"), world.order(order["id"])["version"]) == ((8, 0), order["version"]), "a preview writes nothing"
    answer = world.call(
        "POST", f"/v1/orders/{order['id']}/reshipments", {**event("service/reshipment"), "quote_id": preview["quote_id"]}
    ).body
    assert (answer["change"]["kind"], answer["change"]["status"]) == ("reshipment", "done")
    after = answer["order"]
    fo = replacement(after)
    assert (fo["replaces"], fo["status"], fo["location_id"]) == (answer["change"]["id"], "released", "berlin")
    assert [(row["line_id"], row["quantity"]) for row in fo["lines"]] == [("1", 1)]
    assert world.figures("A") == (8, 1)
    assert quantities(after) == {
        "ordered": 2,
        "allocated": 2,
        "shipped": 2,
        "delivered": 2,
        "reshipped": 1,
        "available_to_return": 2,
        "available_to_reship": 1,
    }
    assert (after["lines"][0]["status"], after["status"]) == ("delivered", "open"), "not completed while a replacement is open"
    assert {axis: after[axis] for axis in AXES} == {axis: order[axis] for axis in AXES}


def test_its_parcel_is_never_invoiced_and_ends_the_order_again_when_it_arrives(world: World) -> None:
    order = world.delivered(order_body())
    fo = replacement(reship(world, order, units("1", 2)).body["order"])
    world.ship(fo["id"], {"1": 2}, "R1")
    under_way = world.order(order["id"])
    parcel = under_way["shipments"][-1]
    assert (parcel["replaces"], parcel["invoice_id"], parcel["lines"][0]["units"]) == (fo["replaces"], None, [[1, 2]])
    assert (world.figures("A"), under_way["status"]) == ((6, 0), "open")
    assert under_way["payment"] == order["payment"]
    assert world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=fo["id"])["next"] == "deliver"
    assert world.carrier("R1", "delivered").body["changed"]
    done = world.order(order["id"])
    assert (done["status"], done["delivery_status"], len(done["invoices"])) == ("completed", "delivered", 1)
    assert quantities(done)["delivered"] == 2


def test_the_customer_was_promised_the_goods_once(world: World) -> None:
    order = world.delivered(order_body())
    world.advance(days=3)
    after = reship(world, order, units("1", 1)).body["order"]
    assert after["lines"][0]["promise"] == order["lines"][0]["promise"]


def test_no_more_is_sent_again_than_has_left_and_is_not_on_its_way_back(world: World) -> None:
    order = world.delivered(order_body())
    returned = {"lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]}
    world.done("POST", f"/v1/orders/{order['id']}/returns", returned)
    refused = reship(world, order, units("1", 2))
    assert (refused.status, refused.body["type"], refused.pointers) == (409, "urn:oms:problem:not-reshippable", {"/lines/0/quantity"})
    fo = replacement(reship(world, order, units("1", 1)).body["order"])
    world.ship(fo["id"], {"1": 1}, "R1")
    assert world.order(order["id"])["shipments"][-1]["lines"][0]["units"] == [[2, 2]], "unit 1 is on its way back"


def test_what_has_not_left_is_not_sent_again(world: World) -> None:
    order = world.allocated(order_body())
    assert reship(world, order, units("1", 1)).status == 409
    assert reship(world, order, units("9", 1)).pointers == {"/lines/0/line_id"}
    assert reship(world, order, units("1", 1), units("1", 1)).pointers == {"/lines/1/line_id"}


def test_without_stock_it_is_refused_by_name_and_nothing_changes(world: World) -> None:
    order = world.delivered(order_body())
    world.stock("B", "berlin", 0)
    world.stock("B", "lyon", 0)
    refused = reship(world, order, units("1", 1), units("2", 1))
    assert (refused.status, refused.body["type"], refused.pointers) == (409, "urn:oms:problem:out-of-stock", {"/lines/1/quantity"})
    assert (world.order(order["id"])["version"], world.figures("A")) == (order["version"], (8, 0))


def test_the_same_key_twice_is_one_reshipment(world: World) -> None:
    order = world.delivered(order_body())
    key = {"Idempotency-Key": "once"}
    first, again = (reship(world, order, units("1", 1), headers=key) for _ in range(2))
    assert (again.status, again.body["change"]["id"]) == (200, first.body["change"]["id"])
    assert again.headers["idempotent-replayed"] == "true"
    assert (quantities(world.order(order["id"]))["reshipped"], world.figures("A")) == (1, (8, 1))


def test_a_bundle_that_is_sold_as_a_whole_goes_again_as_a_whole(world: World) -> None:
    parts = [a_line("1", "A", 2, 1000, bundle_policy="whole"), a_line("2", "B", 4, 0, bundle_of="1")]
    order = world.delivered(an_order(*parts))
    assert reship(world, order, units("2", 2)).status == 409
    fo = replacement(reship(world, order, units("1", 1)).body["order"])
    assert {row["line_id"]: row["quantity"] for row in fo["lines"]} == {"1": 1, "2": 2}


def test_a_held_order_sends_nothing_again(world: World) -> None:
    order = world.delivered(order_body())
    world.done("POST", f"/v1/orders/{order['id']}/holds", {"kind": "fraud", "reason": "odd", "blocks": ["allocate"]})
    assert reship(world, order, units("1", 1)).status == 409


def test_reasons_are_those_of_the_catalogue(world: World) -> None:
    order = world.delivered(order_body())
    world.done("PUT", "/v1/reasons/broken", {"actions": ["reship"]})
    assert reship(world, order, units("1", 1)).pointers == {"/lines/0/reason"}
    assert reship(world, order, {"line_id": "1", "quantity": 1, "reason": "broken"}).status == 200


def test_what_its_location_does_not_send_goes_from_another(world: World) -> None:
    order = world.delivered(order_body())
    fo = replacement(reship(world, order, units("1", 2)).body["order"])
    world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/reject", {"lines": [{"line_id": "1", "quantity": 1}], "reason": "flood"})
    rejected = world.order(order["id"])
    assert ("order.reopened" in dict(world.facts(order["id"])), world.figures("A")) == (True, (8, 1))
    assert rejected["status"] == "open"
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
    again = world.order(order["id"])
    assert (replacement(again, 1)["location_id"], world.figures("A", "lyon")) == ("lyon", (10, 1))
    world.ship(fo["id"], {"1": 1}, "R1")
    world.ship(replacement(again, 1)["id"], {"1": 1}, "R2")
    assert [row["lines"][0]["units"] for row in world.order(order["id"])["shipments"][-2:]] == [[[1, 1]], [[2, 2]]]
    assert quantities(world.order(order["id"]))["reshipped"] == 2


def test_what_nobody_can_send_again_waits_for_a_person_though_the_channel_cancels(world: World) -> None:
    world.done("PUT", "/v1/channels/web", {"location_group": "all", "on_unfillable": "cancel_and_refund"})
    order = world.delivered(order_body())
    fo = replacement(reship(world, order, units("1", 1)).body["order"])
    world.stock("A", "lyon", 0)
    world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/reject", {"reason": "flood"})
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "unfillable"}
    after = world.order(order["id"])
    assert (quantities(after), after["totals"]) == ({**quantities(order), "reshipped": 1, "available_to_reship": 1}, order["totals"])
    world.stock("A", "lyon", 5)
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
    assert replacement(world.order(order["id"]), 1)["location_id"] == "lyon"


def test_a_person_moves_a_replacement_to_another_location(world: World) -> None:
    order = world.delivered(order_body())
    fo = replacement(reship(world, order, units("1", 1)).body["order"])
    world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/reroute", {"location_id": "lyon"})
    moved = replacement(world.order(order["id"]), 1)
    assert (moved["location_id"], moved["replaces"], world.figures("A"), world.figures("A", "lyon")) == (
        "lyon",
        fo["replaces"],
        (8, 0),
        (10, 1),
    )


def test_a_replacement_that_leaves_after_it_was_given_to_another_takes_its_place(world: World) -> None:
    order = world.delivered(order_body())
    fo = replacement(reship(world, order, units("1", 1)).body["order"])
    world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/reroute", {"location_id": "lyon"})
    world.ship(fo["id"], {"1": 1}, "R1")
    after = world.order(order["id"])
    assert [each["status"] for each in after["fulfillment_orders"] if "replaces" in each] == ["shipped", "rejected"]
    assert (after["shipments"][-1]["lines"][0]["units"], world.figures("A"), world.figures("A", "lyon")) == ([[1, 1]], (7, 0), (10, 0))


def test_a_new_address_takes_the_replacement_along(world: World) -> None:
    order = world.delivered(order_body())
    reship(world, order, units("1", 1))
    address = {"line1": "Rue 1", "city": "Lyon", "postal_code": "69001", "country": "FR"}
    edit = {"operations": [{"op": "set_address", "delivery_group": "g1", "address": address}]}
    world.done("POST", f"/v1/orders/{order['id']}/edits", edit)
    assert world.figures("A") == (8, 0)
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
    fo = replacement(world.order(order["id"]), 1)
    assert (fo["status"], fo["delivery_group"]["address"]["city"]) == ("released", "Lyon")


def test_units_that_have_not_left_are_cancelled_and_the_replacement_is_not(world: World) -> None:
    order = world.allocated(order_body(quantities={"A": 3}))
    world.ship(order["fulfillment_orders"][0]["id"], {"1": 1}, "T1")
    fo = replacement(reship(world, order, units("1", 1)).body["order"])
    asked: JSON = world.done("POST", f"/v1/orders/{order['id']}/cancellations", {"all": True})["change"]
    held = [row for row in asked["lines"] if row["requested"]]
    assert [(row["fulfillment_order_id"], row["requested"]) for row in held] == [(order["fulfillment_orders"][0]["id"], 2)]
    assert replacement(world.order(order["id"]))["id"] == fo["id"]


class TestAReplacementThatIsNotWantedAnyMore:
    def cancel(self, world: World, order: JSON, fo: JSON, **more: object) -> Answer:
        path = f"/v1/orders/{order['id']}/cancellations"
        return world.call("POST", path, {"replacement": fo["id"], "reason": "found", **more})

    def test_what_was_simply_sent_again_is_let_go_and_costs_nothing(self, world: World) -> None:
        order = world.delivered(order_body())
        fo = replacement(reship(world, order, units("1", 2)).body["order"])
        answer = self.cancel(world, order, fo)
        assert (answer.status, answer.body["change"]["kind"], answer.body["change"]["status"]) == (200, "cancellation", "done")
        done = answer.body["order"]
        assert (replacement(done)["status"], world.figures("A"), quantities(done)) == ("cancelled", (8, 0), quantities(order))
        assert ({axis: done[axis] for axis in AXES}, done["status"]) == ({axis: order[axis] for axis in AXES}, "completed")
        assert self.cancel(world, order, fo).status == 409
        assert reship(world, order, units("1", 2)).status == 200

    def test_what_was_claimed_is_paid_back_instead(self, world: World) -> None:
        order = shipped(world, order_body())
        fo = replacement(claim(world, order["shipments"][0], "lost", "reship", units("1", 2), units("2", 1)).body["order"])
        quote = self.cancel(world, order, fo, preview=True).body
        assert quote["balances"]["refund_due"] == 2900
        done = settled(world, order, self.cancel(world, order, fo, quote_id=quote["quote_id"]))
        assert (world.gateway.moved("refund"), done["status"], done["totals"]["grand_total"]) == ([2900], "completed", 600)
        law_two(done)

    def test_what_came_back_to_be_replaced_is_paid_back_once_and_does_not_come_back_again(self, world: World) -> None:
        order = world.delivered(order_body())
        lines = [{"line_id": "1", "quantity": 1, "reason": "small", "resolution": "replace"}]
        ret = world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": lines, "mode": "immediate"})
        world.step("return_order", "Return", order["id"], return_id=ret["id"])
        done = settled(world, order, self.cancel(world, order, replacement(world.order(order["id"]))))
        assert (world.gateway.moved("refund"), done["status"], quantities(done)["available_to_return"]) == ([1200], "completed", 1)
        law_two(done)
        again = world.call("POST", f"/v1/orders/{order['id']}/returns", {"lines": [{**lines[0], "quantity": 2}]})
        assert again.status == 409

    def test_its_location_is_asked_first_where_it_works_on_it(self, world: World) -> None:
        order = world.delivered(order_body())
        fo = replacement(reship(world, order, units("1", 1)).body["order"])
        world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/accept")
        refused = self.cancel(world, order, fo)
        assert (refused.status, refused.body["type"], refused.pointers) == (409, "urn:oms:problem:not-cancellable", {"/replacement"})
        assert "reroute it" in refused.body["detail"]
        world.done("POST", f"/v1/fulfillment-orders/{fo['id']}/reroute", {"location_id": "lyon"})
        moved = replacement(world.order(order["id"]), 1)
        assert self.cancel(world, order, moved).status == 200
        assert world.figures("A", "lyon") == (10, 0)

    def test_goods_that_leave_all_the_same_are_recorded_and_a_person_is_told(self, world: World) -> None:
        order = world.delivered(order_body())
        fo = replacement(reship(world, order, units("1", 1)).body["order"])
        self.cancel(world, order, fo)
        world.ship(fo["id"], {"1": 1}, "R1")
        after = world.order(order["id"])
        assert (world.figures("A"), [each["kind"] for each in after["exceptions"]]) == ((7, 0), ["shipped_after_reroute"])

    def test_what_makes_no_sense_is_refused(self, world: World) -> None:
        order = world.delivered(order_body())
        fo = replacement(reship(world, order, units("1", 1)).body["order"])
        assert self.cancel(world, order, order["fulfillment_orders"][0]).pointers == {"/replacement"}
        assert self.cancel(world, order, {"id": "fo_none"}).status == 422
        for more in ({"all": True}, {"fees": [{"code": "x", "amount": 1}]}, {"reduce_shipping": True}):
            assert self.cancel(world, order, fo, **more).status == 422
        token = str(order["tracking_page_url"]).rpartition("/")[2]
        assert world.call("POST", f"/v1/track/{token}/cancellations", {"replacement": fo["id"]}).pointers == {"/replacement"}


def test_work_that_sends_again_is_never_held_for_want_of_money(world: World) -> None:
    order = world.allocated(order_body(quantities={"A": 3}, token="tok_reauthorization_decline"))
    world.ship(order["fulfillment_orders"][0]["id"], {"1": 1}, "T1")
    world.step("capture_payment", "Capture payment", order["id"], fulfillment_order_id=order["fulfillment_orders"][0]["id"])
    reship(world, order, units("1", 1))
    world.advance(days=8)
    world.invoke("reconcile", {})
    sold, again = world.order(order["id"])["fulfillment_orders"]
    assert (sold["status"], again["status"]) == ("on_hold", "released")


class TestLimits:
    """What is sent again is given away: it is worth what its units cost the customer."""

    def test_above_an_agents_limit_it_waits_and_nothing_is_reserved(self, world: World) -> None:
        order = world.delivered(order_body())
        world.done("PUT", "/v1/roles/junior", {"clients": ["shop"], "limits": {"EUR": {"goodwill": 1200}}})
        assert reship(world, order, units("1", 1)).status == 200, "delivery is not counted"
        asked = reship(world, order, units("1", 1), units("2", 1))
        change = asked.body["change"]
        assert (asked.status, change["kind"], change["status"]) == (202, "reshipment", "pending_approval")
        assert (world.figures("A"), quantities(asked.body["order"])["reshipped"]) == ((8, 1), 1)
        requested = next(data for type_, data in world.facts(order["id"]) if type_ == "approval.requested")
        assert requested["amount"] == 1700
        assert world.call("POST", f"/v1/approvals/{change['id']}/approve", {}, who="shop").status == 403
        given = world.done("POST", f"/v1/approvals/{change['id']}/approve", {}, who="boss")
        assert (given["change"]["id"], given["change"]["status"]) == (change["id"], "done")
        assert (world.figures("A"), replacement(given["order"], 1)["replaces"]) == ((8, 2), change["id"])

    def test_with_a_quote_it_waits_as_well_and_the_quote_says_nothing_of_it(self, world: World) -> None:
        order = world.delivered(order_body())
        before = reship(world, order, units("1", 1), body={"preview": True}).body
        world.done("PUT", "/v1/roles/junior", {"clients": ["shop"], "limits": {"EUR": {"goodwill": 1199}}})
        preview = reship(world, order, units("1", 1), body={"preview": True}).body
        assert preview["balances"] == before["balances"]
        assert reship(world, order, units("1", 1), body={"quote_id": preview["quote_id"]}).status == 202

    def test_what_a_discount_took_off_before_is_not_counted(self, world: World) -> None:
        order = world.delivered(order_body())
        settled(world, order, refund(world, order, amount=200, lines=[{"line_id": "1", "amount": 200}]))
        world.done("PUT", "/v1/roles/junior", {"clients": ["shop"], "limits": {"EUR": {"goodwill": 1100}}})
        assert reship(world, order, units("1", 1)).status == 200
        assert world.call("POST", f"/v1/orders/{order['id']}/refunds", {"amount": 1101, "reason": "x"}).status == 202

    def test_what_would_be_worth_something_else_by_now_is_412(self, world: World) -> None:
        order = world.delivered(order_body())
        world.done("PUT", "/v1/roles/junior", {"clients": ["junior"], "limits": {"EUR": {"goodwill": 0}}})
        change = reship(world, order, units("1", 1), who="junior").body["change"]
        settled(world, order, refund(world, order, amount=200, lines=[{"line_id": "1", "amount": 200}]))
        assert world.call("POST", f"/v1/approvals/{change['id']}/approve", {}, who="boss").status == 412
        assert world.figures("A") == (8, 0)
