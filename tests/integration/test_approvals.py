"""Limits of agents: what is above them waits for somebody who may decide it, and is then done as it was seen, or not at all."""

from __future__ import annotations

import pytest

from tests.support.world import JSON, Answer, World, order_body

JUNIOR = {"clients": ["junior"], "limits": {"EUR": {"adjust": 500, "cancel": 2000}}}
SENIOR = {"clients": ["senior"], "limits": {"EUR": {"adjust": 5000, "cancel": 50000}}, "approves": ["junior"]}


@pytest.fixture
def order(world: World) -> JSON:
    """An order of 35.00, and two roles."""
    world.done("PUT", "/v1/roles/junior", JUNIOR)
    world.done("PUT", "/v1/roles/senior", SENIOR)
    placed: JSON = world.place(order_body())
    return placed


def off(world: World, order: JSON, amount: int, who: str, **more: object) -> Answer:
    line = {"line_id": "1", "type": "amount_with_tax", "amount": -amount, "reason": "late"}
    return world.call("POST", f"/v1/orders/{order['id']}/adjustments", {"lines": [line], **more}, who=who)


def decide(world: World, change: JSON, action: str, who: str) -> Answer:
    return world.call("POST", f"/v1/approvals/{change['id']}/{action}", {}, who=who)


def test_within_the_limit_nobody_is_asked_and_without_a_role_there_is_none(world: World, order: JSON) -> None:
    assert off(world, order, 500, "junior").body["order"]["totals"]["grand_total"] == 3000
    assert off(world, order, 900, "shop").body["order"]["totals"]["grand_total"] == 2100


def test_above_it_the_change_waits_and_nothing_has_happened(world: World, order: JSON) -> None:
    answer = off(world, order, 501, "junior")
    assert (answer.status, answer.body["change"]["status"]) == (202, "pending_approval")
    after = answer.body["order"]
    assert (after["totals"], after["attention"]) == (order["totals"], ["approval"])
    assert answer.body["change"]["requested"]["figures"]["grand_total"] == -501


def test_somebody_with_a_higher_limit_approves_it_and_it_keeps_its_id(world: World, order: JSON) -> None:
    change = off(world, order, 501, "junior").body["change"]
    done = decide(world, change, "approve", "senior").body
    assert (done["change"]["id"], done["order"]["totals"]["grand_total"]) == (change["id"], 2999)
    assert world.step("settle", "Settle", order["id"], change_id=change["id"])["next"] == "settled"
    assert world.order(order["id"])["changes"][0]["status"] == "done"
    assert decide(world, change, "approve", "senior").status == 409
    assert [type_ for type_, _ in world.facts(order["id"]) if type_.startswith("approval.")] == ["approval.requested", "approval.given"]


def test_nobody_approves_their_own_request_or_beyond_their_own_limit(world: World, order: JSON) -> None:
    change = off(world, order, 501, "junior").body["change"]
    assert decide(world, change, "approve", "junior").status == 403
    world.done("PUT", "/v1/roles/senior", {**SENIOR, "limits": {"EUR": {"adjust": 400}}})
    assert decide(world, change, "approve", "senior").status == 403
    assert world.order(order["id"])["totals"] == order["totals"]


def test_what_is_rejected_is_refused_and_never_done(world: World, order: JSON) -> None:
    change = off(world, order, 501, "junior").body["change"]
    answer = decide(world, change, "reject", "senior")
    assert (answer.body["change"]["status"], answer.body["order"]["totals"]) == ("refused", order["totals"])
    assert answer.body["order"]["attention"] == []


def test_what_would_come_to_something_else_by_now_is_412(world: World, order: JSON) -> None:
    path = f"/v1/orders/{order['id']}/cancellations"
    body = {"lines": [{"line_id": "1", "quantity": 2}], "reduce_shipping": True}
    change = world.call("POST", path, body, who="junior").body["change"]
    assert change["status"] == "pending_approval"
    off(world, order, 100, "senior")
    assert decide(world, change, "approve", "senior").status == 412
    assert world.order(order["id"])["lines"][0]["quantities"]["cancelled"] == 0


def test_unknown_approvals_and_actions_are_404(world: World, order: JSON) -> None:
    change = off(world, order, 501, "junior").body["change"]
    assert decide(world, {"id": change["id"][:-1] + "9"}, "approve", "senior").status == 404
    assert decide(world, {"id": "nonsense"}, "approve", "senior").status == 404
    assert decide(world, change, "forget", "senior").status == 404


def test_reasons_come_from_the_catalogue_where_one_is_in_force(world: World, order: JSON) -> None:
    world.done("PUT", "/v1/reasons/late", {"name": "Arrived late", "actions": ["adjust", "cancel"]})
    assert off(world, order, 100, "shop").status == 200
    path = f"/v1/orders/{order['id']}/cancellations"
    answer = world.call("POST", path, {"lines": [{"line_id": "1", "quantity": 1, "reason": "just so"}]})
    assert (answer.status, answer.pointers) == (422, {"/lines/0/reason"})
    assert world.call("POST", path, {"all": True, "reason": "late"}).status == 200


@pytest.mark.parametrize(
    ("action", "path", "body", "pointer"),
    [
        ("hold", "holds", {"kind": "mood", "reason": "looks odd"}, "/kind"),
        ("edit", "edits", {"operations": [{"op": "set_quantity", "line_id": "1", "quantity": 1}], "reason": "mood"}, "/reason"),
        (
            "adjust",
            "adjustments",
            {"lines": [{"line_id": "1", "type": "percentage", "percent": "-5", "reason": "mood"}]},
            "/lines/0/reason",
        ),
        ("cancel", "cancellations", {"lines": [{"line_id": "1", "quantity": 1, "reason": "mood"}]}, "/lines/0/reason"),
    ],
)
def test_every_action_has_its_own_catalogue(world: World, order: JSON, action: str, path: str, body: JSON, pointer: str) -> None:
    """Returns, exchanges, claims, reshipments, goodwill and rejections have theirs where they are tested."""

    def ask() -> Answer:
        return world.call("POST", f"/v1/orders/{order['id']}/{path}", body)

    world.done("PUT", "/v1/reasons/known", {"actions": [action]})
    assert (ask().status, ask().pointers, world.order(order["id"])["version"]) == (422, {pointer}, order["version"])
    for reason in ("mood", "x"):
        world.done("PUT", f"/v1/reasons/{reason}", {"actions": [action]})
    assert ask().status in (200, 201)


class TestApprovingAReturn:
    """Who approves a return decides that its money goes back."""

    @pytest.fixture
    def ret(self, world: World) -> JSON:
        """A return of both units of line 1, 24.00, that waits for approval."""
        limits = {"junior": 2000, "senior": 9000}
        for role, most in limits.items():
            world.done("PUT", f"/v1/roles/{role}", {"clients": [role], "limits": {"EUR": {"refund": most}}})
        sold = world.delivered(order_body())
        lines = [{"line_id": "1", "quantity": 2, "reason": "small"}]
        asked: JSON = world.done("POST", f"/v1/orders/{sold['id']}/returns", {"lines": lines})
        return asked

    def approve(self, world: World, ret: JSON, who: str) -> Answer:
        return world.call("POST", f"/v1/returns/{ret['id']}/approve", who=who)

    def test_within_the_limit_it_is_approved(self, world: World, ret: JSON) -> None:
        done = self.approve(world, ret, "senior")
        assert (done.status, done.body["status"], done.body["order"]["changes"]) == (200, "approved", [])

    def test_above_it_the_return_stays_as_it_is_until_somebody_agrees(self, world: World, ret: JSON) -> None:
        asked = self.approve(world, ret, "junior")
        change = asked.body["change"]
        assert (asked.status, change["kind"], change["status"]) == (202, "return", "pending_approval")
        assert (change["requested"]["body"], change["requested"]["figures"]["refund_due"]) == ({"return_id": ret["id"]}, 2400)
        assert (asked.body["order"]["returns"][0]["status"], asked.body["order"]["attention"]) == ("requested", ["approval"])
        done = decide(world, change, "approve", "senior").body
        assert (done["change"]["status"], done["change"]["return_id"]) == ("done", ret["id"])
        assert (done["order"]["returns"][0]["status"], done["order"]["attention"]) == ("approved", [])
        assert self.approve(world, ret, "senior").status == 409

    def test_rejected_it_is_not_approved_and_the_return_may_still_be_decided(self, world: World, ret: JSON) -> None:
        change = self.approve(world, ret, "junior").body["change"]
        after = decide(world, change, "reject", "senior").body["order"]
        assert (after["changes"][0]["status"], after["returns"][0]["status"]) == ("refused", "requested")
        assert self.approve(world, ret, "senior").status == 200

    def test_a_return_that_was_decided_meanwhile_is_not_approved(self, world: World, ret: JSON) -> None:
        change = self.approve(world, ret, "junior").body["change"]
        world.done("POST", f"/v1/returns/{ret['id']}/reject", {"reason": "worn"})
        assert decide(world, change, "approve", "senior").status in (409, 412)
        assert world.done("GET", f"/v1/returns/{ret['id']}")["status"] == "rejected"

    def test_what_is_replaced_takes_nothing_off_the_price(self, world: World, ret: JSON) -> None:
        world.done("POST", f"/v1/returns/{ret['id']}/cancel")
        lines = [{"line_id": "1", "quantity": 2, "reason": "small", "resolution": "replace"}]
        again = world.done("POST", f"/v1/orders/{ret['order_id']}/returns", {"lines": lines})
        assert self.approve(world, again, "junior").body["status"] == "approved"

    def test_the_return_of_an_exchange_was_looked_at_with_the_exchange(self, world: World, ret: JSON) -> None:
        world.done("POST", f"/v1/returns/{ret['id']}/cancel")
        body = {"return_lines": [{"line_id": "1", "quantity": 2}], "new_lines": [{"sku": "A", "quantity": 2}]}
        old = world.done("POST", f"/v1/orders/{ret['order_id']}/exchanges", body)["order"]
        assert self.approve(world, old["returns"][-1], "junior").body["status"] == "approved"


class TestGoodsThatNobodyAnnounced:
    """Who takes them in decides that they are paid back."""

    @pytest.fixture
    def ret(self, world: World) -> JSON:
        """An approved return of one unit of line 1 (12.00), of which two were sold."""
        world.done("PUT", "/v1/roles/junior", {"clients": ["junior"], "limits": {"EUR": {"refund": 1199}}})
        sold = world.delivered(order_body())
        asked: JSON = world.done("POST", f"/v1/orders/{sold['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1}]})
        world.done("POST", f"/v1/returns/{asked['id']}/approve")
        return asked

    def receive(self, world: World, ret: JSON, who: str) -> JSON:
        body: JSON = {"lines": [{"line_id": "1", "quantity": 2}]}
        taken: JSON = world.done("POST", f"/v1/returns/{ret['id']}/receive", body, who=who)
        assert world.step("return_order", "Return", ret["order_id"], return_id=ret["id"])["next"] == "settled"
        return taken

    def test_without_a_limit_they_are_taken(self, world: World, ret: JSON) -> None:
        self.receive(world, ret, "shop")
        after = world.order(ret["order_id"])
        assert (after["payment"]["refunded"], after["exceptions"]) == (2400, [])

    def test_above_it_they_are_set_apart_and_a_return_of_them_waits_for_approval(self, world: World, ret: JSON) -> None:
        self.receive(world, ret, "junior")
        after = world.order(ret["order_id"])
        (problem,) = after["exceptions"]
        assert (after["payment"]["refunded"], problem["kind"], problem["status"]) == (1200, "unexpected_goods", "open")
        assert "may give away" in problem["cause"]
        assert after["lines"][0]["quantities"]["available_to_return"] == 1
        body = {"lines": [{"line_id": "1", "quantity": 1}], "mode": "immediate"}
        asked = world.call("POST", f"/v1/orders/{ret['order_id']}/returns", body, who="junior")
        assert (asked.status, asked.body["change"]["status"]) == (202, "pending_approval")
        back = decide(world, asked.body["change"], "approve", "shop").body["order"]["returns"][-1]
        world.step("return_order", "Return", ret["order_id"], return_id=back["id"])
        assert world.order(ret["order_id"])["payment"]["refunded"] == 2400
