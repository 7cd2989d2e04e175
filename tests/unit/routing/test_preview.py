"""The preview: a calculator over what it is given."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from oms.routing.model import Place, Rules
from oms.routing.preview import RoutingPreview, preview
from oms.routing.rules import RuleGroup

BODY: dict[str, Any] = {
    "address": {"country": "DE", "postal_code": "10115", "latitude": 52.52, "longitude": 13.405},
    "lines": [{"line_id": "1", "sku": "A", "quantity": 2}, {"line_id": "2", "sku": "B", "quantity": 1}],
    "inventory": {"HAM": {"A": 5}, "MUC": {"A": 5, "B": 1}, "LEJ": {"B": 9}},
    "locations": [
        {"id": "HAM", "latitude": 53.5511, "longitude": 9.9937},
        {"id": "MUC", "latitude": 48.1351, "longitude": 11.582},
        {"id": "LEJ", "latitude": 51.3397, "longitude": 12.3731},
    ],
    "rules": {"weights": {"distance": 1}, "exclude_locations": ["MUC"]},
}


def asked(known: dict[str, Place] | None = None, in_force: Rules | None = None, **changes: Any) -> dict[str, Any]:
    body = {name: value for name, value in {**BODY, **changes}.items() if value is not None}
    return preview(RoutingPreview.model_validate(body), known, in_force)


def test_with_everything_given_nothing_else_is_needed() -> None:
    answer = asked()
    assert answer["proven"] is True
    assert answer["unallocated"] == []
    (only,) = answer["routes"]
    assert only["assignments"] == [
        {"location_id": "LEJ", "lines": [{"line_id": "2", "quantity": 1}]},
        {"location_id": "HAM", "lines": [{"line_id": "1", "quantity": 2}]},
    ]
    assert (only["splits"], only["score"]) == (1, 149 + 255)
    assert only["explanation"]["rule_group"] == "preview"


def test_the_best_route_comes_first() -> None:
    answer = asked(rules={"weights": {"distance": 1}}, lines=[{"line_id": "1", "sku": "A", "quantity": 2}])
    assert [(route["assignments"][0]["location_id"], route["score"]) for route in answer["routes"]] == [("HAM", 255), ("MUC", 504)]


def test_at_most_as_many_routes_as_asked_for() -> None:
    assert len(asked(rules=None, lines=BODY["lines"][:1], most=1)["routes"]) == 1


def test_what_nobody_has_is_unallocated() -> None:
    assert asked(inventory={"HAM": {"A": 1}})["unallocated"] == [{"line_id": "1", "quantity": 1}, {"line_id": "2", "quantity": 1}]


def test_places_rules_and_stock_come_from_the_tables_where_they_are_not_given() -> None:
    known = {"HAM": Place("HAM", stock={"A": 2, "B": 1}), "MUC": Place("MUC", stock={"A": 2, "B": 1}, priority=1)}
    in_force = Rules(RuleGroup(exclude_locations=["MUC"]), "winter")
    answer = asked(known, in_force, inventory=None, locations=None, rules=None)
    assert [each["location_id"] for each in answer["routes"][0]["assignments"]] == ["HAM"]
    assert answer["routes"][0]["explanation"]["rule_group"] == "winter"


def test_given_stock_replaces_that_of_the_tables() -> None:
    known = {"HAM": Place("HAM", stock={"A": 9, "B": 9}), "MUC": Place("MUC", stock={"A": 9, "B": 9}, priority=7)}
    answer = asked(known, locations=None, rules=None, inventory={"MUC": {"A": 2, "B": 1}, "NEW": {}})
    assert [each["location_id"] for each in answer["routes"][0]["assignments"]] == ["MUC"]
    assert answer["routes"][0]["score"] == 7


def test_the_request_may_bring_its_cost_table_and_postal_areas() -> None:
    answer = asked(
        address={"country": "DE", "postal_code": "20095"},
        rules={"weights": {"distance": 1, "cost": 1}, "exclude_locations": ["MUC"]},
        postal_areas={"DE-20": {"latitude": 53.5511, "longitude": 9.9937}},
        cost_table={"rows": [{"ship_from": "HAM", "ship_to": "DE", "amount": 400}, {"amount": 500}]},
        lines=BODY["lines"][:1],
    )
    assert answer["routes"][0]["explanation"]["candidates"][0]["parts"] == {"distance": 0, "cost": 400}


def test_a_location_may_be_given_as_the_settings_show_it() -> None:
    shown = {
        "id": "HAM",
        "name": "Hamburg",
        "type": "store",
        "address": {"line1": "Kai 1", "city": "Hamburg", "postal_code": "20095", "country": "DE"},
        "groups": ["de"],
        "capacity": {"orders": 10, "window": "day"},
        "processing_hours": 12,
        "time_zone": "Europe/Berlin",
        "attributes": {},
        "enabled": True,
    }
    rules = {"weights": {"distance": 1}, "filters": [{"field": "location.country", "op": "eq", "value": "DE"}]}
    areas = {"DE-20": {"latitude": 53.5511, "longitude": 9.9937}}
    both = [shown, {**shown, "id": "MUC", "enabled": False}]
    answer = asked(locations=both, rules=rules, postal_areas=areas, lines=BODY["lines"][:1])
    assert [(route["assignments"][0]["location_id"], route["score"]) for route in answer["routes"]] == [("HAM", 255)]
    assert answer["routes"][0]["explanation"]["excluded"] == [{"location_id": "MUC", "reason": "switched off"}]
    with pytest.raises(ValidationError):
        asked(locations=[{**shown, "capacity": {"orders": -1, "window": "day"}}])


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": []},
        {"lines": [BODY["lines"][0], BODY["lines"][0]]},
        {"lines": [{"line_id": "1", "sku": "A", "quantity": 0}]},
        {"locations": [{"id": "HAM"}, {"id": "HAM"}]},
        {"inventory": {"HAM": {"A": -1}}},
        {"address": {"latitude": 91}},
        {"most": 11},
    ],
)
def test_a_body_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        asked(**changes)
