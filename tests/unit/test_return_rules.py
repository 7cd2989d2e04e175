"""Return rules: which one a line is sold under, what it refuses, what it costs; and returns by the rules."""

from __future__ import annotations

from typing import Any

import pytest

from oms.clock import later
from oms.errors import Conflict, Forbidden
from oms.fulfillment import arrivals
from oms.fulfillment.replacements import place_replacements, replace_units
from oms.money.shares import TaxMode
from oms.orders.order import Order
from oms.orders.records import PlacedFee, PlacedLine
from oms.returns import returns
from oms.returns.records import Return
from oms.returns.rules import LineRule, ReturnFee, VersionedRule, check, fees_for, rule_for, rule_of
from oms.settings import Settings
from tests.support.orders import a_line, an_order
from tests.unit.memory import NOW, World, receive

RULES: dict[str, Any] = {
    "std": {"version": 3, "window_days": 30},
    "shoes": {"version": 1, "priority": 50, "applies_to": {"categories": ["shoes"], "channels": ["web"]}, "approval": "automatic"},
    "one": {"version": 2, "priority": 10, "applies_to": {"skus": ["S1"]}, "final_sale": True},
    "two": {"version": 9, "priority": 10, "applies_to": {"skus": ["S1"]}},
}


def rules(*names: str) -> dict[str, VersionedRule]:
    return {name: VersionedRule.model_validate(RULES[name]) for name in names or RULES}


def a_placed_line(sku: str = "A", category: str | None = None, **product: Any) -> PlacedLine:
    order = World({sku: {"berlin": 9}}).place(an_order(a_line(sku=sku, product={"category": category or "none", **product})))
    return order.placed.lines[0]


def sold_under(*units: int, rule: dict[str, Any], **line: Any) -> tuple[World, Order]:
    """An order of A, sold under this rule; its parcels of so many units are delivered one day after the other."""
    world = World()
    world.settings.return_rules["r"] = VersionedRule.model_validate({"version": 4, **rule})
    order, fo = world.allocated(an_order(a_line(quantity=sum(units), **line)))
    world.ship(order, fo, *({"1": quantity} for quantity in units))
    for day, parcel in enumerate(order.shipments.values()):
        arrivals.arrive(order, [parcel], later(NOW, days=day))
    world.commit(order)
    return world, order


def ask(world: World, order: Order, quantity: int = 1, override: str = "", **more: bool) -> Return:
    body = {"lines": [{"line_id": "1", "quantity": quantity}], **({"override": {"reason": override}} if override else {})}
    return returns.request_return(order, returns.ReturnRequest.model_validate(body), world.settings, by="ann", **more)


def test_the_time_to_return_what_was_sent_again_begins_when_the_replacement_comes() -> None:
    world, order = sold_under(2, rule={"window_days": 30})
    replace_units(order, "1", [[2, 2]], "chg_1")
    place_replacements(order, world.rows, world.settings)
    world.commit(order)
    world.ship(order, list(order.fulfillment_orders.values())[-1], {"1": 1})
    order.now = later(NOW, days=31)
    with pytest.raises(Conflict):
        ask(world, order)
    arrivals.arrive(order, [list(order.shipments.values())[-1]], later(NOW, days=20))
    assert ask(world, order).lines[0].units == [[2, 2]]
    with pytest.raises(Conflict):
        ask(world, order)


class TestWhichRule:
    @pytest.mark.parametrize(
        ("sku", "category", "channel", "expected"),
        [
            ("A", None, "web", {"id": "std", "version": 3, "window_days": 30}),
            ("A", "shoes", "web", {"id": "shoes", "version": 1, "approval": "automatic"}),
            ("A", "shoes", "shop", {"id": "std", "version": 3, "window_days": 30}),
            ("S1", "shoes", "web", {"id": "one", "version": 2, "final_sale": True}),
        ],
    )
    def test_the_lowest_priority_number_that_covers_the_line_then_the_first_id(
        self, sku: str, category: str | None, channel: str, expected: Any
    ) -> None:
        assert rule_for(a_placed_line(sku, category), channel, Settings(return_rules=rules())) == expected

    def test_no_rule_covers_it(self) -> None:
        assert rule_for(a_placed_line(), "web", Settings(return_rules=rules("shoes", "one"))) is None

    def test_a_line_keeps_the_version_it_was_sold_under(self) -> None:
        world = World()
        world.settings.return_rules.update(rules("std"))
        order = world.place(an_order())
        world.settings.return_rules["std"] = VersionedRule(version=4, window_days=1)
        assert rule_of(order.placed.lines[0]) == LineRule(id="std", version=3, window_days=30)
        assert rule_of(world.place(an_order(number="W-2")).placed.lines[0]).version == 4

    def test_a_shop_without_rules_stores_nothing_of_them(self) -> None:
        (line,) = World().place(an_order()).placed.lines
        assert "return_rule" not in line.model_dump(exclude_defaults=True)
        assert rule_of(line) == LineRule()


class TestWhatARuleRefuses:
    LINE = a_placed_line()

    @pytest.mark.parametrize(
        ("delivered_at", "inside"), [(None, True), (later(NOW, days=-30), True), (later(NOW, days=-30, seconds=-1), False)]
    )
    def test_the_window_ends_so_many_days_after_the_delivery(self, delivered_at: str | None, inside: bool) -> None:
        found = check(LineRule(id="std", version=3, window_days=30), self.LINE, [[1, 2]], delivered_at, NOW, "refund", "/lines/0")
        words = "2 of A could be returned until 2026-11-23T07:59:59.000Z (return rule std, version 3)"
        assert [(fault.detail, fault.pointer) for fault in found] == ([] if inside else [(words, "/lines/0")])

    def test_without_a_window_it_never_ends(self) -> None:
        assert check(LineRule(), self.LINE, [[1, 1]], "2001-01-01T00:00:00.000Z", NOW, "refund") == []

    def test_a_resolution_that_is_not_offered(self) -> None:
        rule = LineRule(id="std", version=1, resolutions=["store_credit", "replace"])
        (fault,) = check(rule, self.LINE, [[1, 1]], NOW, NOW, "refund", "/lines/0")
        assert fault.detail == "refund is not offered for A; offered: store_credit, replace (return rule std, version 1)"
        assert fault.pointer == "/lines/0/resolution"
        assert check(rule, self.LINE, [[1, 1]], NOW, NOW, "replace") == []

    def test_a_final_sale(self) -> None:
        (fault,) = check(LineRule(id="out", version=2, final_sale=True), self.LINE, [[1, 1]], NOW, NOW, "refund")
        assert fault.detail == "A was sold for good and cannot be returned (return rule out, version 2)"

    def test_a_product_of_final_sale_needs_no_rule(self) -> None:
        assert rule_of(a_placed_line(final_sale=True)).final_sale


class TestFees:
    def test_percent_of_the_goods_of_its_rule_with_its_taxes(self) -> None:
        rule = LineRule(id="std", version=1, fees=[self.fee("restocking", percent="15", rate="20")])
        assert self.figures([(rule, 1000), (rule, 2333), (LineRule(), 9999)], "gross") == [("restocking", 500, (83,), 500)]
        assert self.figures([(rule, 3333)], "net") == [("restocking", 500, (100,), 600)]

    def test_the_highest_fixed_amount_of_a_code_is_taken_once(self) -> None:
        first = LineRule(id="a", version=1, fees=[self.fee("shipping", amount=400), self.fee("label", amount=0)])
        second = LineRule(id="b", version=1, fees=[self.fee("shipping", amount=700)])
        assert self.figures([(first, 100), (second, 100), (first, 100)], "gross") == [("shipping", 700, (), 700)]
        assert self.figures([(second, 100), (first, 100)], "gross") == [("shipping", 700, (), 700)]

    def test_without_fees_a_return_costs_nothing(self) -> None:
        assert fees_for([(LineRule(), 5000)], "net") == []

    @pytest.mark.parametrize("fee", [{}, {"amount": 1, "percent": "1"}])
    def test_a_fee_has_one_measure(self, fee: Any) -> None:
        with pytest.raises(ValueError, match="an amount or a percent"):
            ReturnFee.model_validate({"code": "x", **fee})

    @staticmethod
    def fee(code: str, rate: str = "", **measure: Any) -> ReturnFee:
        taxes = [{"name": "VAT", "rate": rate}] if rate else []
        return ReturnFee.model_validate({"code": code, "taxes": taxes, **measure})

    @staticmethod
    def figures(parts: list[tuple[LineRule, int]], mode: TaxMode) -> list[tuple[str, int, tuple[int, ...], int]]:
        found: list[PlacedFee] = fees_for(parts, mode)
        return [(fee.code, fee.frozen.price, fee.frozen.taxes, fee.frozen.total) for fee in found]


class TestReturnsByRule:
    def test_inside_the_rules_it_waits_for_somebody_unless_they_say_otherwise(self) -> None:
        for approval, status in (("manual", "requested"), ("automatic", "approved")):
            world, order = sold_under(2, rule={"window_days": 30, "approval": approval})
            ret = ask(world, order, self_service=True)
            assert (ret.status, ret.override) == (status, None)
            approved = [fact.type for fact in order.facts if fact.type == "return.approved"]
            assert approved == (["return.approved"] if status == "approved" else [])

    def test_one_line_that_somebody_has_to_approve_is_enough(self) -> None:
        world = World()
        world.settings.return_rules["a"] = VersionedRule.model_validate({"approval": "automatic", "applies_to": {"skus": ["A"]}})
        order = world.delivered(an_order(a_line(), a_line("2", "B")))
        rows = [{"line_id": "1", "quantity": 1}, {"line_id": "2", "quantity": 1}]
        ret = returns.request_return(order, returns.ReturnRequest.model_validate({"lines": rows}), world.settings)
        assert ret.status == "requested"

    @pytest.mark.parametrize("self_service", [False, True])
    def test_outside_the_rules_it_is_refused_with_the_rule_and_nothing_changes(self, self_service: bool) -> None:
        world, order = sold_under(2, rule={"window_days": 30})
        order.now = later(NOW, days=31)
        with pytest.raises(Conflict) as refused:
            ask(world, order, self_service=self_service)
        assert refused.value.kind == "not-returnable"
        assert [fault.pointer for fault in refused.value.errors] == ["/lines/0"]
        assert "return rule r, version 4" in refused.value.errors[0].detail
        assert ("override" in refused.value.detail) is not self_service
        assert (order.returns, order.facts) == ({}, [])

    def test_an_agent_overrides_with_a_reason_and_it_is_on_record(self) -> None:
        world, order = sold_under(2, rule={"window_days": 30, "approval": "automatic"}, product={"final_sale": True})
        ret = ask(world, order, override="a good customer")
        assert ret.override
        assert (ret.override.reason, ret.override.by, ret.status) == ("a good customer", "ann", "requested")
        assert ret.override.against == ["A was sold for good and cannot be returned (return rule r, version 4)"]
        assert order.facts[0].data["overridden"] == ret.override.against
        assert "good customer" not in str(order.facts)

    def test_a_customer_overrides_nothing(self) -> None:
        world, order = sold_under(2, rule={"final_sale": True})
        with pytest.raises(Forbidden):
            ask(world, order, override="please", self_service=True)

    def test_an_override_of_nothing_leaves_no_trace(self) -> None:
        world, order = sold_under(2, rule={"approval": "automatic"})
        ret = ask(world, order, override="to be safe")
        assert (ret.override, ret.status) == (None, "approved")

    def test_units_whose_time_is_not_over_go_first(self) -> None:
        world, order = sold_under(2, 2, rule={"window_days": 30})
        order.now = later(NOW, days=30, hours=1)  # unit 1 and 2 came a day before 3 and 4
        assert ask(world, order, 1).lines[0].units == [[3, 3]]
        with pytest.raises(Conflict, match=r"1 of A could be returned until 2026-12-23"):
            ask(world, order, 2)
        assert ask(world, order, 2, override="both or none").lines[0].units == [[1, 1], [4, 4]]

    def test_what_came_back_by_rule_is_paid_for_as_always(self) -> None:
        world, order = sold_under(2, rule={"approval": "automatic"})
        for parcel in order.shipments.values():
            world.invoice(order, parcel)
        ret = ask(world, order, 2)
        world.commit(order)
        receive(order, world, ret, "1", 2)
        memo = world.settle(order, ret)
        assert memo
        assert memo.total_amount == 2000
