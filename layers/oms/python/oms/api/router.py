"""The router of an edge: a method and a path to a function, and its answer to what an HTTP API takes (payload format 2.0).

Powertools has a router that does far more; importing it (all kinds of events, OpenAPI, asyncio) is a sixth of an API's cold start.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from oms.errors import NotFound

# What a part of a path may hold that a name stands for: what addresses are made of, and what the gateway decodes in them. No "#": it
# divides the parts of keys.
_PART = re.compile(r"[-.~()'!*:@,;=+&$%<> \[\]{}|^\w]+")
Route = TypeVar("Route", bound=Callable[..., "Response"])


class Response:
    """An answer: its status, the type of its body, its body, more headers."""

    def __init__(self, status_code: int, content_type: str, body: str, headers: dict[str, str] | None = None) -> None:
        self.status_code, self.body = status_code, body
        self.headers = {"Content-Type": content_type, **(headers or {})}


class Event(dict[str, Any]):
    """The request as API Gateway hands it over."""

    @property
    def http_method(self) -> str:
        """GET, POST and so on."""
        return str(self["requestContext"]["http"]["method"])

    @property
    def path(self) -> str:
        """Where it goes, without the stage."""
        path, stage = str(self["rawPath"]), self["requestContext"].get("stage", "$default")
        return path if stage == "$default" else path.removeprefix(f"/{stage}")

    @property
    def query_string_parameters(self) -> dict[str, str]:
        """What the query names."""
        return self.get("queryStringParameters") or {}


class Api:
    """Functions by route: with `@app.get("/v1/orders/<order_id>")` a function is handed `order_id`. A path without names comes before one
    with names that matches too; of those with names the first. `problem`: the answer to an error."""

    current_event: Event
    lambda_context: Any

    def __init__(self, problem: Callable[[Exception], Response]) -> None:
        self._problem = problem
        self._plain: dict[str, Callable[..., Response]] = {}  # by method and path
        self._named: list[tuple[list[str], Callable[..., Response]]] = []  # by the parts of both

    def get(self, path: str) -> Callable[[Route], Route]:
        """Serve GET."""
        return self._serve(f"GET {path}")

    def post(self, path: str) -> Callable[[Route], Route]:
        """Serve POST."""
        return self._serve(f"POST {path}")

    def put(self, path: str) -> Callable[[Route], Route]:
        """Serve PUT."""
        return self._serve(f"PUT {path}")

    def patch(self, path: str) -> Callable[[Route], Route]:
        """Serve PATCH."""
        return self._serve(f"PATCH {path}")

    def delete(self, path: str) -> Callable[[Route], Route]:
        """Serve DELETE."""
        return self._serve(f"DELETE {path}")

    def resolve(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The answer to a request; an error is answered too."""
        self.current_event, self.lambda_context = Event(event), context
        try:
            route, names = self._find(f"{self.current_event.http_method} {self.current_event.path}")
            response = route(**names)
        except Exception as error:
            response = self._problem(error)
        return {"statusCode": response.status_code, "headers": response.headers, "body": response.body, "isBase64Encoded": False}

    def _serve(self, asked: str) -> Callable[[Route], Route]:
        def serve(function: Route) -> Route:
            if "<" in asked:
                self._named.append((asked.split("/"), function))
            else:
                self._plain[asked] = function
            return function

        return serve

    def _find(self, asked: str) -> tuple[Callable[..., Response], dict[str, str]]:
        if asked in self._plain:
            return self._plain[asked], {}
        parts = asked.split("/")
        for named, function in self._named:
            if len(named) == len(parts) and all(_fits(*pair) for pair in zip(named, parts, strict=True)):
                return function, {name[1:-1]: part for name, part in zip(named, parts, strict=True) if name.startswith("<")}
        raise NotFound(f"there is no {asked}")


def _fits(name: str, part: str) -> bool:
    return bool(_PART.fullmatch(part)) if name.startswith("<") else name == part
