"""What a return costs: fees, the way back, promotions that it breaks. Books and totals say the same, whatever comes in which box."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from oms.orders import statuses
from oms.orders.order import Order
from oms.returns import returns
from oms.returns.preview import foresee
from oms.returns.records import Label, Return
from oms.returns.rules import VersionedRule
from oms.settings import ChannelSettings
from tests.support.books import BooksWorld
from tests.support.orders import a_line, an_order
from tests.unit.memory import World, receive

RESTOCKING: dict[str, Any] = {"code": "restocking", "percent": "10"}
HANDLING: dict[str, Any] = {"code": "handling", "amount": 300, "taxes": [{"name": "VAT", "rate": "20"}]}
PROMOTION = {"amount": -1000, "promotion_id": "p1"}


def sold(*lines: Any, rule: dict[str, Any] | None = None, reclaim: bool = False, **order: Any) -> tuple[World, Order]:
    """Delivered; every line under the rule."""
    world = BooksWorld()
    if rule:
        world.settings.return_rules["r"] = VersionedRule.model_validate({"version": 1, "approval": "automatic", **rule})
    world.settings.channels["web"] = ChannelSettings(on_break="reclaim" if reclaim else "keep")
    return world, world.delivered(an_order(*lines, **order))


def comes_back(world: World, order: Order, quantities: dict[str, int], *boxes: dict[str, int], **more: Any) -> Return:
    """Announced, and settled box by box (one box of everything, unless said otherwise)."""
    rows = [{"line_id": line_id, "quantity": quantity} for line_id, quantity in quantities.items()]
    request = returns.ReturnRequest.model_validate({"lines": rows, **more})
    ret = returns.request_return(order, request, world.settings, by="ann")
    if ret.status == "requested":
        returns.approve(order, ret)
    world.commit(order)
    for box in boxes or (quantities,):
        for line_id, quantity in box.items():
            receive(order, world, ret, line_id, quantity)
        world.settle(order, ret)
    return ret


def refunded(order: Order) -> int:
    return statuses.buckets(order).refunded


def books_agree(order: Order) -> None:
    """Law 2: what we hold is what was invoiced and not credited, and the totals say so."""
    sums = statuses.buckets(order)
    invoiced = sum(invoice.total_amount for invoice in order.invoices.values())
    credited = sum(memo.total_amount for memo in order.credit_memos.values())
    assert sums.captured - sums.refunded == invoiced - credited == statuses.totals(order).grand_total
    assert (statuses.money_owed(order), order.summary.status) == ("none", "completed")


def charged(order: Order, code: str = "") -> list[int]:
    rows = [row for invoice in order.invoices.values() if invoice.return_id for row in invoice.fees]
    return [row["total_amount"] for row in rows if not code or row["code"] == code]


def test_the_fees_of_the_rule_are_taken_off_the_refund_and_invoiced_by_themselves() -> None:
    world, order = sold(a_line(quantity=2), rule={"fees": [RESTOCKING, HANDLING]})
    ret = comes_back(world, order, {"1": 1})
    assert (charged(order), refunded(order)) == ([100, 300], 600)
    assert (statuses.totals(order).fee_amount, statuses.totals(order).tax_amount) == (400, 50)
    assert [(memo.total_amount, [row["amount"] for row in memo.offsets]) for memo in order.credit_memos.values()] == [(1000, [400])]
    assert [invoice.id for invoice in order.invoices.values() if invoice.return_id == ret.id] == [f"inv_{order.id[4:]}_r1_0"]
    books_agree(order)


@pytest.mark.parametrize("named", [[], [{"code": "courtesy", "amount": 50}]])
def test_fees_that_an_agent_names_stand_instead_of_those_of_the_rule(named: list[dict[str, Any]]) -> None:
    world, order = sold(a_line(quantity=2), rule={"fees": [RESTOCKING, HANDLING]})
    comes_back(world, order, {"1": 1}, fees=named)
    assert (charged(order), refunded(order)) == ([fee["amount"] for fee in named], 1000 - sum(fee["amount"] for fee in named))
    books_agree(order)


def test_percent_is_of_what_arrives_and_a_fixed_fee_is_taken_once() -> None:
    world, order = sold(a_line(quantity=3, unit_price=999), rule={"fees": [RESTOCKING, HANDLING]})
    ret = comes_back(world, order, {"1": 3}, {"1": 1}, {"1": 1})
    assert (charged(order, "handling"), sum(charged(order, "restocking"))) == ([300], 200)
    returns.close(order, ret)
    assert ret.status == "settled"
    books_agree(order)


def test_what_the_first_box_cannot_bear_the_next_one_does_and_a_refund_is_never_negative() -> None:
    world, order = sold(a_line("1", "A", 1, 200), a_line("2", "B", 1, 5000), rule={"fees": [HANDLING]})
    comes_back(world, order, {"1": 1, "2": 1}, {"1": 1})
    assert (charged(order), refunded(order)) == ([200], 0)
    (ret,) = order.returns.values()
    receive(order, world, ret, "2", 1)
    world.settle(order, ret)
    assert (charged(order), refunded(order)) == ([200, 100], 4900)
    assert sum(row["taxes"][0] for invoice in order.invoices.values() if invoice.return_id for row in invoice.fees) == 50
    books_agree(order)


def test_a_fee_above_the_goods_takes_no_more_than_the_goods() -> None:
    world, order = sold(a_line("1", "A", 1, 200), a_line("2", "B", 1, 5000), rule={"fees": [HANDLING]}, tax_mode="net")
    comes_back(world, order, {"1": 1})
    assert (charged(order), refunded(order)) == ([200], 0)
    books_agree(order)


def test_the_customer_pays_for_the_way_back_where_the_rule_says_so() -> None:
    world, order = sold(a_line(quantity=2), rule={"customer_pays_shipping": True})
    rows = {"lines": [{"line_id": "1", "quantity": 1}]}
    ret = returns.request_return(order, returns.ReturnRequest.model_validate(rows), world.settings)
    ret.labels = [Label(key="k", carrier="sandbox", status="bought", cost=490)]
    receive(order, world, ret, "1", 1)
    world.settle(order, ret)
    assert (charged(order, "return_shipping"), refunded(order)) == ([490], 510)
    books_agree(order)


BOXES = [{"1": 1}, {"1": 2}, {"2": 1}, {"2": 1}]


@pytest.mark.parametrize(
    "boxes", list(permutations(BOXES)), ids=lambda boxes: "-".join(f"{k}x{v}" for box in boxes for k, v in box.items())
)
def test_boxes_in_any_order_cost_and_pay_what_one_box_would(boxes: Any) -> None:
    rule = {"fees": [RESTOCKING, {"code": "handling", "amount": 700}]}
    given: dict[str, Any] = {"rule": rule, "reclaim": True, "adjustments": [PROMOTION], "charge": 777}
    lines = (a_line("1", "A", 3, 333), a_line("2", "B", 3, 777))
    totals = []
    for each in (boxes, [{"1": 3, "2": 2}]):
        world, order = sold(*lines, **given)
        comes_back(world, order, {"1": 3, "2": 2}, *each, reduce_shipping=True)
        totals.append((refunded(order), statuses.totals(order).model_dump()))
        books_agree(order)
    assert totals[0] == totals[1]


class TestPromotions:
    def c11(self, *, reclaim: bool, **promotion: Any) -> tuple[World, Order]:
        return sold(a_line(quantity=2, unit_price=5000), reclaim=reclaim, charge=500, adjustments=[{**PROMOTION, **promotion}])

    @pytest.mark.parametrize(("reclaim", "refund", "total"), [(False, 4500, 5000), (True, 4000, 5500)])
    def test_frozen_shares_stand_unless_the_channel_reclaims_c11(self, reclaim: bool, refund: int, total: int) -> None:
        world, order = self.c11(reclaim=reclaim)
        comes_back(world, order, {"1": 1})
        assert (refunded(order), statuses.totals(order).grand_total) == (refund, total)
        books_agree(order)

    def test_a_preview_shows_it_as_a_line_of_its_own_c11(self) -> None:
        world, order = self.c11(reclaim=True)
        request = returns.ReturnRequest.model_validate({"lines": [{"line_id": "1", "quantity": 1}]})
        _, _, figures = foresee(order, lambda copy: returns.request_return(copy, request, world.settings))
        assert figures["fees"] == [{"code": "promotion_reclaim", "total_amount": 500, "promotion_id": "p1", "line_id": "1"}]
        assert (figures["refund_due"], figures["fee_amount"], figures["grand_total"]) == (4000, 500, -4000)

    def test_an_agent_may_waive_it_for_good(self) -> None:
        world, order = self.c11(reclaim=True)
        comes_back(world, order, {"1": 1}, waive_reclaim=True)
        assert refunded(order) == 4500
        comes_back(world, order, {"1": 1})
        assert refunded(order) == 9000

    def test_what_was_reclaimed_comes_back_with_the_goods_it_was_for(self) -> None:
        world, order = self.c11(reclaim=True)
        comes_back(world, order, {"1": 1})
        comes_back(world, order, {"1": 1})
        memos = list(order.credit_memos.values())
        assert [(memo.total_amount, [row["code"] for row in memo.fees]) for memo in memos] == [(4500, []), (5000, ["promotion_reclaim"])]
        assert (refunded(order), statuses.totals(order).product_amount, statuses.totals(order).fee_amount) == (9000, 0, 0)
        books_agree(order)

    @pytest.mark.parametrize(("requires", "refund"), [(5000, 4500), (5001, 4000)])
    def test_a_promotion_that_still_holds_is_not_broken(self, requires: int, refund: int) -> None:
        world, order = self.c11(reclaim=True, requires_amount=requires)
        comes_back(world, order, {"1": 1})
        assert refunded(order) == refund

    def test_a_promotion_over_two_lines_breaks_and_one_of_a_single_line_does_not(self) -> None:
        def line(id_: str, sku: str, promotion: str) -> Any:
            return a_line(id_, sku, 1, 1000, "20", adjustments=[{"amount": -120, "promotion_id": promotion}])

        for names, refund in ((("set", "set"), 760), (("one", "other"), 880)):
            world, order = sold(line("1", "A", names[0]), line("2", "B", names[1]), reclaim=True)
            comes_back(world, order, {"1": 1})
            assert refunded(order) == refund
            books_agree(order)
