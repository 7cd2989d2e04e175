"""The router that all edges share: bodies, callers, answers, and one table from our errors to problem details (RFC 9457)."""

from __future__ import annotations

import base64
import json
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.api_gateway import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from pydantic import ValidationError

from oms.api.observe import logger, passes_by_itself
from oms.errors import Fault, InProgress, Invalid, OmsError, Refused, Retryable, Stale
from oms.flows.idempotency import Request, digest_of
from oms.wire import Wire, faults_of

_PROBLEM = "application/problem+json"
_TITLES = {"invalid": "The request has faults", "out-of-stock": "Stock is short"}
_TYPES = "urn:oms:problem:"
T = TypeVar("T", bound=Wire)
Api = APIGatewayHttpResolver
Answer = Response[str]
"""The router of an edge, and what an edge answers. All edges take them from here: whoever imported Powertools' router first would do so
before `oms.api` has seen to how a function begins (see cold_start.py)."""


def create_api() -> Api:
    """A router whose errors are all problem details."""
    app = Api()

    def missing(_: NotFoundError) -> Answer:
        event = app.current_event
        return problem(OmsError(f"there is no {event.http_method} {event.path}", kind="not-found", status=404))

    def unexpected(error: Exception) -> Answer:
        logger.exception("failed", extra={"route": app.current_event.get("routeKey")})
        if passes_by_itself(error):
            return problem(Retryable("a part of the system does not answer; try again"))
        return problem(OmsError("an unexpected error; it is in the log under this request's id", kind="internal"))

    app.exception_handler(Exception)(unexpected)
    app.exception_handler(OmsError)(problem)
    app.not_found(missing)
    return app


def problem(error: OmsError) -> Answer:
    """An error as problem details."""
    title = _TITLES.get(error.kind, error.kind.replace("-", " ").capitalize())
    content: dict[str, Any] = {"type": _TYPES + error.kind, "title": title, "status": error.status, "detail": error.detail}
    if error.errors:
        content["errors"] = [{"detail": fault.detail, **({"pointer": fault.pointer} if fault.pointer else {})} for fault in error.errors]
    if isinstance(error, Stale) and error.current:
        content["current"] = error.current
    headers = {"Retry-After": str(getattr(error, "seconds", 1))} if isinstance(error, Retryable | InProgress) else {}
    return Answer(status_code=error.status, content_type=_PROBLEM, body=json.dumps(content), headers=headers)


def reply(status: int, content: Any, *, version: int | None = None, replayed: bool = False, location: str | None = None) -> Answer:
    """A JSON answer; `version` becomes the ETag."""
    headers: dict[str, str | list[str]] = {}
    if version is not None:
        headers["ETag"] = f'"{version}"'
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    if location:
        headers["Location"] = location
    return Answer(status_code=status, content_type="application/json", body=json.dumps(content), headers=headers)


def raw_body(app: Api) -> bytes:
    """The body's bytes, as they were signed."""
    body = app.current_event.get("body") or ""
    return base64.b64decode(body) if app.current_event.get("isBase64Encoded") else body.encode()


def json_body(app: Api, *, required: bool = True) -> Any:
    """The body as JSON; Invalid (400) when it is none."""
    raw = raw_body(app)
    if not raw and not required:
        return {}
    try:
        body = json.loads(raw, parse_constant=_no_constant)
        json.dumps(body, ensure_ascii=False).encode()  # half of a surrogate pair is JSON, but no text
    except (ValueError, RecursionError):
        raise Invalid("the body is not JSON", kind="malformed", status=400, errors=[Fault("send a JSON object", "")]) from None
    if not isinstance(body, dict):
        raise Invalid("the body is not a JSON object", kind="malformed", status=400, errors=[Fault("send a JSON object", "")])
    return body


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def parsed(body: Any, kind: type[T]) -> T:
    """The body as a wire model; Invalid with every fault."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        faults = faults_of(error)
        raise Invalid("1 fault" if len(faults) == 1 else f"{len(faults)} faults", errors=faults) from None


def client_of(app: Api) -> str:
    """Who calls: the token's client, or its subject."""
    claims = _claims(app)
    return str(claims.get("client_id") or claims.get("sub") or "anonymous")


def subject_of(app: Api) -> str:
    """The person whom the caller's token is of; empty for a machine's, which is of its client alone."""
    claims = _claims(app)
    subject = str(claims.get("sub") or "")
    return "" if subject == claims.get("client_id") else subject


def groups_of(app: Api) -> tuple[str, ...]:
    """The groups of the user pool in the caller's token. An HTTP API hands such a claim on as text: "[support lead]"."""
    claim = _claims(app).get("cognito:groups") or ""
    return tuple(claim) if isinstance(claim, list) else tuple(str(claim).strip("[]").replace(",", " ").split())


def may(app: Api, scope: str) -> bool:
    """Whether the caller's token has a scope beyond the one that the route asks for."""
    return f"oms/{scope}" in str(_claims(app).get("scope", "")).split()


def _claims(app: Api) -> dict[str, Any]:
    context = app.current_event.get("requestContext") or {}
    claims: dict[str, Any] = ((context.get("authorizer") or {}).get("jwt") or {}).get("claims") or {}
    return claims


def header(app: Api, name: str) -> str | None:
    """A header's value; names are lower-case in HTTP API events."""
    value: str | None = (app.current_event.get("headers") or {}).get(name.lower())
    return value


def asked(app: Api, digest: str | None = None, *, client: str | None = None, path: str | None = None) -> Request:
    """The request's identity for `Idempotency-Key`; Invalid for a key that is too long. `client` and `path`: who asks for what, where the
    token's client and the path do not say it, or the path is a secret."""
    key = header(app, "idempotency-key") or ""
    if len(key) > 255:
        raise Refused("an Idempotency-Key has at most 255 characters", kind="invalid", status=422)
    event = app.current_event
    route, body = f"{event.http_method} {path or event.path}", raw_body(app).decode(errors="replace")
    return Request(client=client or client_of(app), route=route, key=key, digest=digest or digest_of(body))


def page_size(app: Api, most: int = 100, default: int = 25) -> int:
    """`limit` from the query; Invalid unless it is 1 to `most`."""
    text = (app.current_event.query_string_parameters or {}).get("limit", str(default))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise Invalid("1 fault", errors=[Fault(f"limit is a number from 1 to {most}", "/limit")])
    return int(text)


def cursor_of(row: dict[str, Any] | None) -> str | None:
    """Where a list goes on after this row, as an opaque text."""
    return base64.urlsafe_b64encode(row["at"].encode()).decode().rstrip("=") if row else None


def after_cursor(app: Api) -> str:
    """The place that the query's `cursor` names; Invalid when it is none of ours."""
    text = (app.current_event.query_string_parameters or {}).get("cursor", "")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise _no_cursor() from None


def after_number(app: Api) -> int:
    """The position that the query's `cursor` names, 0 without one; Invalid when it is the cursor of another list."""
    text = after_cursor(app) or "0"
    if not text.isdecimal():
        raise _no_cursor()
    return int(text)


def _no_cursor() -> Invalid:
    return Invalid("1 fault", errors=[Fault("not a cursor of this list; start again without it", "/cursor")])
