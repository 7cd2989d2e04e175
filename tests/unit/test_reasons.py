"""Reasons: free text, until a catalogue is in force for the action."""

from __future__ import annotations

import pytest

from oms.errors import Fault, Invalid
from oms.orders.order import Order
from oms.returns import returns
from oms.service.reasons import check_reason
from oms.settings import ReasonSettings, Settings
from tests.support.orders import an_order
from tests.unit.memory import World

REASONS = {
    "too_small": ReasonSettings(actions=["return"], self_service=True),
    "fraud": ReasonSettings(actions=["return", "cancel"]),
    "shelf_empty": ReasonSettings(effect="zero"),
}
CATALOGUE = Settings(reasons=REASONS)


@pytest.mark.parametrize("reason", ["shelf_empty", "anything", "", None])
def test_without_a_catalogue_for_the_action_any_text_is_a_reason(reason: str | None) -> None:
    assert check_reason(CATALOGUE, "reject", reason, "/reason") == []
    assert check_reason(Settings(), "return", reason, "/reason", self_service=True) == []


@pytest.mark.parametrize(("reason", "self_service"), [("too_small", True), ("too_small", False), ("fraud", False)])
def test_a_reason_of_the_catalogue_is_taken(reason: str, self_service: bool) -> None:
    assert check_reason(CATALOGUE, "return", reason, "/reason", self_service=self_service) == []


@pytest.mark.parametrize(
    ("reason", "self_service", "choices"),
    [
        ("bored", False, "fraud, too_small"),
        ("shelf_empty", False, "fraud, too_small"),
        ("", True, "too_small"),
        ("fraud", True, "too_small"),
    ],
)
def test_another_reason_is_refused_with_the_choices(reason: str, self_service: bool, choices: str) -> None:
    expected = Fault(f"'{reason}' is no reason for this (return); choose one of {choices}", "/lines/0/reason")
    assert check_reason(CATALOGUE, "return", reason, "/lines/0/reason", self_service=self_service) == [expected]


def test_customers_may_have_no_choice_at_all() -> None:
    (fault,) = check_reason(CATALOGUE, "cancel", "fraud", "/reason", self_service=True)
    assert "customers have no reason to choose from" in fault.detail


def delivered(reasons: dict[str, ReasonSettings]) -> tuple[World, Order]:
    world = World()
    world.settings.reasons.update(reasons)
    return world, world.delivered(an_order())


@pytest.mark.parametrize(("reason", "self_service", "taken"), [("too_small", True, True), ("fraud", False, True), ("fraud", True, False)])
def test_a_return_gives_a_reason_of_the_catalogue(reason: str, self_service: bool, taken: bool) -> None:
    world, order = delivered(REASONS)
    request = returns.ReturnRequest.model_validate({"lines": [{"line_id": "1", "quantity": 1, "reason": reason}]})
    if taken:
        assert returns.request_return(order, request, world.settings, self_service=self_service).lines[0].reason == reason
        return
    with pytest.raises(Invalid) as refused:
        returns.request_return(order, request, world.settings, self_service=self_service)
    assert [fault.pointer for fault in refused.value.errors] == ["/lines/0/reason"]
    assert (order.returns, order.summary.lines["1"].return_initiated) == ({}, 0)
