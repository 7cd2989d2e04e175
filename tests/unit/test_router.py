"""The router of the edges: which function a request reaches, what it is handed, and what becomes of its answer or its error."""

from __future__ import annotations

from typing import Any

import pytest

from oms.api.router import Api, Response
from oms.errors import OmsError


def a_request(method: str, path: str, *, stage: str = "$default", query: dict[str, str] | None = None) -> dict[str, Any]:
    event: dict[str, Any] = {
        "version": "2.0",
        "rawPath": path,
        "requestContext": {"http": {"method": method, "path": path}, "stage": stage},
    }
    return {**event, "queryStringParameters": query} if query else event


def told(error: Exception) -> Response:
    return Response(getattr(error, "status", 500), "text/plain", f"{type(error).__name__}: {error}")


@pytest.fixture
def app() -> Api:
    app = Api(told)

    @app.get("/v1/loads/<load_id>")
    def get_load(load_id: str) -> Response:
        return Response(200, "text/plain", f"load {load_id}")

    @app.get("/v1/<kind>/<key>")
    def get_any(kind: str, key: str) -> Response:
        return Response(200, "text/plain", f"{kind} {key}")

    @app.get("/v1/loads/summary")
    def get_summary() -> Response:
        return Response(200, "text/plain", "summary", {"ETag": '"3"'})

    @app.put("/v1/loads/<load_id>")
    @app.patch("/v1/<load_id>")
    def put_load(load_id: str) -> Response:
        return Response(202, "text/plain", f"{app.current_event.http_method} {load_id} {app.current_event.query_string_parameters}")

    @app.post("/v1/failures")
    def fail() -> Response:
        raise KeyError("a bug")

    @app.delete("/v1/context")
    def context() -> Response:
        return Response(200, "text/plain", str(app.lambda_context))

    return app


def answer(app: Api, method: str, path: str, **more: Any) -> tuple[int, str]:
    made = app.resolve(a_request(method, path, **more), "the context")
    return made["statusCode"], made["body"]


def test_what_a_path_names_is_handed_over(app: Api) -> None:
    assert answer(app, "GET", "/v1/orders/ord_1") == (200, "orders ord_1")


def test_of_two_paths_with_names_the_first_is_taken(app: Api) -> None:
    assert answer(app, "GET", "/v1/loads/load_1") == (200, "load load_1")


def test_a_path_without_names_comes_before_one_with_names_that_was_there_first(app: Api) -> None:
    assert answer(app, "GET", "/v1/loads/summary") == (200, "summary")


def test_a_function_may_serve_several_routes_and_sees_the_request(app: Api) -> None:
    assert answer(app, "PUT", "/v1/loads/7") == (202, "PUT 7 {}")
    assert answer(app, "PATCH", "/v1/7", query={"limit": "2"}) == (202, "PATCH 7 {'limit': '2'}")
    assert answer(app, "DELETE", "/v1/context") == (200, "the context")


def test_the_stage_is_no_part_of_the_path(app: Api) -> None:
    assert answer(app, "GET", "/live/v1/loads/summary", stage="live") == (200, "summary")


@pytest.mark.parametrize("part", ["SKU-1", "a b", "Größe", "a%2Fb", "it's;=+&$,!", "[1]{2}|^", "a.b_c~d"])
def test_a_name_stands_for_what_addresses_are_made_of(app: Api, part: str) -> None:
    assert answer(app, "GET", f"/v1/orders/{part}") == (200, f"orders {part}")


@pytest.mark.parametrize(
    "rest", ["orders", "orders/", "orders/ord_1/", "orders/ord_1/lines", "orders/a#b", 'orders/a"b', "orders/a\\b", "a/b\n", ""]
)
def test_there_is_nothing_at_any_other_path(app: Api, rest: str) -> None:
    assert answer(app, "GET", f"/v1/{rest}") == (404, f"NotFound: there is no GET /v1/{rest}")
    assert answer(app, "GET", rest) == (404, f"NotFound: there is no GET {rest}")


def test_there_is_nothing_for_another_method(app: Api) -> None:
    assert answer(app, "POST", "/v1/loads/summary") == (404, "NotFound: there is no POST /v1/loads/summary")


def test_an_error_is_answered(app: Api) -> None:
    assert answer(app, "POST", "/v1/failures") == (500, "KeyError: 'a bug'")


def test_an_answer_is_what_an_http_api_takes(app: Api) -> None:
    headers = {"Content-Type": "text/plain", "ETag": '"3"'}
    expected = {"statusCode": 200, "headers": headers, "body": "summary", "isBase64Encoded": False}
    assert app.resolve(a_request("GET", "/v1/loads/summary"), None) == expected


def test_one_api_knows_nothing_of_another() -> None:
    other = Api(lambda error: Response(404 if isinstance(error, OmsError) else 500, "text/plain", ""))
    assert other.resolve(a_request("GET", "/v1/loads/summary"), None)["statusCode"] == 404
