"""Settings: locations, channels, methods; a change is seen by the next order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import World, order_body


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/locations/nantes", {"name": "Nantes", "type": "store", "groups": ["fr"], "priority": 5, "time_zone": "Europe/Paris"}),
        ("/v1/channels/web", {"location_group": "fr"}),
        ("/v1/methods/slow", {"delivery_confirmation": "none", "assume_delivered_after_days": 3}),
    ],
)
def test_what_is_put_is_got(world: World, path: str, body: Any) -> None:
    put = world.done("PUT", path, body)
    assert body.items() <= put.items()
    assert put["id"] == path.rpartition("/")[2]
    assert world.done("GET", path) == put
    assert world.done("PUT", path, body) == put
    assert world.call("GET", path + "x").status == 404


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v1/locations/x", {"name": "X", "type": "moon"}, "/type"),
        ("/v1/locations/x", {"name": "X", "type": "store", "time_zone": "Mars/Base"}, "/time_zone"),
        ("/v1/locations/x", {"name": "X", "type": "store", "latitude": 91}, "/latitude"),
        ("/v1/locations/x", {"type": "store"}, "/name"),
        ("/v1/channels/x", {"colour": 1}, "/colour"),
        ("/v1/locations/x", {"name": "X", "type": "store", "address": {"latitude": 91, "longitude": 2}}, "/latitude"),
        ("/v1/locations/x", {"name": "X", "type": "store", "address": {"city": 7}}, "/address/city"),
        ("/v1/methods/x", {"assume_delivered_after_days": 0}, "/assume_delivered_after_days"),
        ("/v1/routing/rule-groups/x", {"weights": {"cost": 1}, "cost_table": "none"}, "/cost_table"),
    ],
)
def test_what_makes_no_sense_is_422(world: World, path: str, body: Any, pointer: str) -> None:
    before = world.items()
    assert world.call("PUT", path, body).pointers == {pointer}
    assert world.items() == before


def test_a_location_may_have_an_address_as_orders_have_it(world: World) -> None:
    parts = {"line1": "Quai 1", "city": "Nantes", "postal_code": "44000", "country": "FR"}
    body = {"name": "Nantes", "type": "store", "address": {**parts, "line2": None, "latitude": 47.2, "longitude": -1}}
    put = world.done("PUT", "/v1/locations/nantes", body)
    assert (put["latitude"], put["longitude"]) == (47.2, -1)
    assert put["address"] == parts
    assert world.done("PUT", "/v1/locations/nantes", {**body, "latitude": 48})["latitude"] == 48


def test_a_rule_group_may_name_a_cost_table_that_is_there(world: World) -> None:
    world.done("PUT", "/v1/routing/cost-tables/parcels", {"rows": [{"amount": 500}]})
    group = {"weights": {"cost": 1}, "cost_table": "parcels"}
    assert world.done("PUT", "/v1/routing/rule-groups/x", group)["cost_table"] == "parcels"


def test_a_disabled_location_sells_nothing_from_then_on(world: World) -> None:
    world.place(order_body())
    world.done("PUT", "/v1/locations/berlin", {"name": "Berlin", "type": "warehouse", "enabled": False})
    world.place(order_body("W-2"))
    assert (world.figures("A"), world.figures("A", "lyon")) == ((10, 2), (10, 2))


def test_a_channel_sells_from_its_group(world: World) -> None:
    world.done("PUT", "/v1/locations/lyon", {"name": "Lyon", "type": "warehouse", "groups": ["fr"]})
    world.done("PUT", "/v1/channels/web", {"location_group": "fr"})
    world.place(order_body())
    assert world.figures("A", "lyon") == (10, 2)
    world.done("PUT", "/v1/channels/web", {"location_group": "nowhere"})
    assert world.call("POST", "/v1/orders", order_body("W-2")).status == 409


def test_priority_decides_between_equals(world: World) -> None:
    world.done("PUT", "/v1/locations/lyon", {"name": "Lyon", "type": "warehouse", "priority": 1})
    world.place(order_body())
    assert world.figures("A", "lyon") == (10, 2)
