"""The API's description covers every route, and everything it refers to is there."""

from __future__ import annotations

import json
import re

from infra.parts.openapi import document
from infra.parts.routes import ROUTES


def test_every_route_is_described_with_what_its_handler_says_of_itself() -> None:
    described = {
        (method.upper(), path): operation for path, methods in document()["paths"].items() for method, operation in methods.items()
    }
    for route in ROUTES:
        shape = re.compile(re.escape(route.path).replace(re.escape("{action}"), "[a-z-]+"))
        found = [operation for (method, path), operation in described.items() if method == route.method and shape.fullmatch(path)]
        assert found, route
        assert all(operation["summary"] for operation in found), route


def test_only_open_routes_need_no_token() -> None:
    for route in ROUTES:
        operations = [methods.get(route.method.lower()) for path, methods in document()["paths"].items() if path == route.path]
        for operation in filter(None, operations):
            assert operation.get("security") == ([{"token": [f"oms/{name}"]} for name in route.scope.split()] or None)


def test_every_reference_resolves() -> None:
    schemas = document()["components"]["schemas"]
    wanted = set(re.findall(r"#/components/schemas/([^\"]+)", json.dumps(document())))
    assert wanted
    assert wanted <= set(schemas)


def test_a_line_of_an_order_is_described_with_its_bounds() -> None:
    quantity = document()["components"]["schemas"]["Line"]["properties"]["quantity"]
    assert (quantity["type"], quantity["minimum"], quantity["maximum"]) == ("integer", 1, 1_000_000)


def test_what_changes_an_order_answers_with_the_change_or_a_quote() -> None:
    def answers(path: str) -> set[str]:
        good = document()["paths"][path]["post"]["responses"]["2XX"]["content"]["application/json"]["schema"]
        return set(re.findall(r"schemas/(\w+)", json.dumps(good)))

    for name in ("cancellations", "adjustments", "edits", "exchanges", "reshipments", "refunds"):
        assert answers(f"/v1/orders/{{id}}/{name}") == {"Changed", "Quote"}
    assert answers("/v1/shipments/{id}/claims") == {"Changed", "Quote"}
    assert answers("/v1/orders/{id}/returns") == {"Return", "Quote", "Changed"}
    assert answers("/v1/returns/{id}/approve") == {"Return", "Changed"}
    assert answers("/v1/track/{token}/cancellations") == {"TrackedChange", "Quote"}
    assert answers("/v1/orders/{id}/holds") == {"Order"}
