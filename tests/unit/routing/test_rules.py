"""Rule groups as data: which is in force, what a filter lets through, what a delivery costs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from oms.routing.rules import CostTable, Filter, RuleGroup, in_force

NOW = "2026-11-23T12:00:00.000Z"
LOCATION = {
    "id": "L1",
    "type": "store",
    "groups": ["north", "late"],
    "country": "DE",
    "attributes": {"cold": True, "floors": 3, "name": "Mitte"},
}


def group(**values: Any) -> RuleGroup:
    return RuleGroup.model_validate(values)


@pytest.mark.parametrize(
    ("groups", "chosen"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"a": group(priority=5), "b": group(priority=1)}, "b", id="the-lowest-number-first"),
        pytest.param({"b": group(priority=1), "a": group(priority=1)}, "a", id="a-tie-goes-to-the-id"),
        pytest.param({"a": group(starts_at="2026-11-23T12:00:01Z"), "b": group()}, "b", id="not-yet"),
        pytest.param({"a": group(starts_at="2026-11-23T12:00:00Z")}, "a", id="from-its-first-moment"),
        pytest.param({"a": group(ends_at="2026-11-23T12:00:00Z")}, None, id="no-more-at-its-end"),
        pytest.param({"a": group(ends_at="2026-11-23T13:00:01+01:00")}, "a", id="other-offset"),
        pytest.param({"a": group(channels=["pos"]), "b": group()}, "b", id="for-another-channel"),
        pytest.param({"a": group(channels=["pos", "web"]), "b": group()}, "a", id="for-this-channel"),
    ],
)
def test_which_rule_group_is_in_force(groups: dict[str, RuleGroup], chosen: str | None) -> None:
    found = in_force(groups, NOW, "web")
    assert (found and found[0]) == chosen
    assert found is None or found[1] is groups[found[0]]


@pytest.mark.parametrize(
    ("field", "op", "value", "passes"),
    [
        ("type", "eq", "store", True),
        ("type", "eq", "warehouse", False),
        ("type", "ne", "store", False),
        ("type", "ne", "warehouse", True),
        ("id", "in", ["L1", "L2"], True),
        ("id", "in", [], False),
        ("id", "not_in", ["L1"], False),
        ("country", "not_in", ["FR"], True),
        ("groups", "contains", "north", True),
        ("groups", "contains", "south", False),
        ("groups", "in", ["south", "late"], True),
        ("groups", "not_in", ["late"], False),
        ("groups", "eq", "north", True),
        ("groups", "ne", "north", False),
        ("attributes.floors", "gte", 3, True),
        ("attributes.floors", "gte", 4, False),
        ("attributes.floors", "lte", 3, True),
        ("attributes.floors", "lte", 2, False),
        ("attributes.name", "contains", "itt", True),
        ("attributes.name", "gte", 1, False),
        ("attributes.cold", "eq", True, True),
        ("attributes.cold", "eq", 1, False),
        ("attributes.cold", "gte", 1, False),
        ("attributes.missing", "eq", "x", False),
        ("attributes.missing", "ne", "x", True),
        ("attributes.missing", "lte", 5, False),
        ("attributes.missing", "contains", "x", False),
    ],
)
def test_a_filter(field: str, op: str, value: Any, passes: bool) -> None:
    assert Filter.model_validate({"field": f"location.{field}", "op": op, "value": value}).admits(LOCATION) is passes


@pytest.mark.parametrize(
    ("when", "binds"),
    [
        (None, True),
        ({"field": "product.category", "op": "eq", "value": "food"}, True),
        ({"field": "product.category", "op": "eq", "value": "toys"}, False),
        ({"field": "product.weight_g", "op": "gte", "value": 1000}, True),
        ({"field": "product.weight_g", "op": "lte", "value": 999}, False),
        ({"field": "product.sku", "op": "in", "value": ["A"]}, True),
        ({"field": "product.attributes.frozen", "op": "eq", "value": True}, True),
        ({"field": "product.attributes.other", "op": "eq", "value": True}, False),
    ],
)
def test_a_filter_with_a_condition_binds_the_lines_it_matches(when: dict[str, Any] | None, binds: bool) -> None:
    rule = Filter.model_validate({"field": "location.type", "op": "eq", "value": "store", "when": when})
    assert rule.binds("A", {"category": "food", "weight_g": 1000, "attributes": {"frozen": True}}) is binds


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"filters": [{"field": "location.color", "op": "eq", "value": "x"}]}, id="unknown-field"),
        pytest.param({"filters": [{"field": "product.sku", "op": "eq", "value": "x"}]}, id="product-is-no-location"),
        pytest.param({"filters": [{"field": "location.type", "op": "like", "value": "x"}]}, id="unknown-operator"),
        pytest.param({"filters": [{"field": "location.type", "op": "in", "value": "store"}]}, id="in-wants-a-list"),
        pytest.param({"filters": [{"field": "location.type", "op": "eq", "value": ["store"]}]}, id="eq-wants-one-value"),
        pytest.param({"filters": [{"field": "location.attributes.x", "op": "gte", "value": "3"}]}, id="gte-wants-a-number"),
        pytest.param({"weights": {"distance": -1}}, id="negative-weight"),
        pytest.param({"weights": {"distance": 1.5}}, id="weights-are-whole"),
        pytest.param({"weights": {"speed": 1}}, id="unknown-weight"),
        pytest.param({"max_splits": -1}, id="negative-cap"),
        pytest.param({"starts_at": NOW, "ends_at": NOW}, id="ends-when-it-starts"),
        pytest.param({"search_milliseconds": 0}, id="no-time"),
        pytest.param({"surprise": 1}, id="unknown-setting"),
    ],
)
def test_a_rule_group_that_makes_no_sense_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        group(**values)


TABLE = CostTable.model_validate(
    {
        "rows": [
            {"ship_from": "L1", "ship_to": "DE-10", "up_to_g": 1000, "amount": 300},
            {"ship_from": "north", "ship_to": "DE", "up_to_g": 1000, "amount": 400},
            {"ship_from": "DE", "ship_to": "*", "up_to_g": 5000, "amount": 900},
            {"ship_from": "*", "ship_to": "FR", "amount": 2000},
        ]
    }
)


@pytest.mark.parametrize(
    ("origins", "country", "postal_code", "weight_g", "amount"),
    [
        pytest.param({"L1", "north", "DE"}, "DE", "10115", 1000, 300, id="by-location-and-postal-code"),
        pytest.param({"L1", "north", "DE"}, "DE", "20095", 1000, 400, id="by-group-and-country"),
        pytest.param({"L1", "north", "DE"}, "DE", "10115", 1001, 900, id="too-heavy-for-the-first-two"),
        pytest.param({"L2", "DE"}, "PL", "", 0, 900, id="by-country-to-anywhere"),
        pytest.param({"L9", "PL"}, "FR", "75001", 10**6, 2000, id="from-anywhere-at-any-weight"),
        pytest.param({"L9", "PL"}, "DE", "10115", 1, None, id="no-row"),
        pytest.param({"L1"}, "DE", "1", 1, None, id="a-shorter-code-is-not-in-the-area"),
    ],
)
def test_the_first_row_that_matches_says_the_cost(
    origins: set[str], country: str, postal_code: str, weight_g: int, amount: int | None
) -> None:
    assert TABLE.amount(origins, country, postal_code, weight_g) == amount
