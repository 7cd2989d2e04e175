"""A small HTTP client of the API: one connection, one packet for each request, problem details as readable errors."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from infra.local.trouble import Trouble
from oms.api.signatures import sign

_TOKEN_SECONDS = 45 * 60  # tokens live an hour
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What the API answered; `body` is the parsed JSON (None if there was none)."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def ok(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300


class _Connection(http.client.HTTPConnection):
    """Sends headers and body together: two packets would cost 40 ms of delayed acknowledgement."""

    _pending = b""

    def send(self, data: Any) -> None:
        self._pending += data

    def getresponse(self) -> http.client.HTTPResponse:
        pending, self._pending = self._pending, b""
        super().send(pending)
        return super().getresponse()


class Api:
    """Calls with a bearer token. One connection, so one thread at a time."""

    def __init__(self, base_url: str, token: Callable[[], str] | None = None) -> None:
        parts = urlsplit(base_url)
        self._prefix = parts.path.rstrip("/")
        self._connection = _Connection(parts.hostname or "127.0.0.1", parts.port, timeout=_TIMEOUT_SECONDS)
        self._new_token = token
        self._token, self._token_until = "", 0.0

    def call(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Answer:
        """One call, whatever its status; `path` starts with /v1, `body` is JSON or ready bytes. Trouble if nobody answers."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        sent = {"Content-Type": "application/json", **self._authorization(), **(headers or {})}
        for last in (False, True):
            try:
                self._connection.request(method, self._prefix + path, payload, sent)
                response = self._connection.getresponse()
                text = response.read()
                break
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
                self._connection.close()  # an idle connection that the server has closed: once more on a new one
                if last:
                    raise Trouble(f"{method} {path}: the stack closed the connection. Is it still running? oms status") from error
            except OSError as error:
                self._connection.close()
                raise Trouble(f"{method} {path}: no answer from the stack ({error}). Is it running? oms status") from error
        lowered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, _parsed(text), lowered)

    def get(self, path: str, **query: str | int) -> Any:
        """The body of a GET; Trouble unless 2xx."""
        return self._checked("GET", path + (f"?{urlencode(query)}" if query else ""))

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """The body of a POST with an Idempotency-Key (a new one unless given); Trouble unless 2xx."""
        return self._checked("POST", path, {} if body is None else body, {"Idempotency-Key": key or str(uuid.uuid4())})

    def put(self, path: str, body: Any) -> Any:
        """The body of a PUT with a new Idempotency-Key; Trouble unless 2xx."""
        return self._checked("PUT", path, body, {"Idempotency-Key": str(uuid.uuid4())})

    def webhook(self, path: str, body: Any, secret: str) -> Any:
        """Post `body` signed by the Standard Webhooks scheme; Trouble unless 2xx."""
        payload = json.dumps(body).encode()
        return self._checked("POST", path, payload, signed(payload, secret))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _checked(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        answer = self.call(method, path, body, headers=headers)
        if not answer.ok:
            raise Trouble(f"{method} {path} answered {answer.status}: {problem(answer.body)}")
        return answer.body

    def _authorization(self) -> dict[str, str]:
        if self._new_token is None:
            return {}
        if time.monotonic() > self._token_until:
            self._token, self._token_until = self._new_token(), time.monotonic() + _TOKEN_SECONDS
        return {"Authorization": f"Bearer {self._token}"}


def signed(payload: bytes, secret: str, *, message: str | None = None, at: int | None = None) -> dict[str, str]:
    """The three Standard Webhooks headers for `payload`; `at` in seconds since 1970 (now), `message` the event's id (a new one)."""
    message, moment = message or f"msg_{uuid.uuid4().hex}", int(time.time()) if at is None else at
    signature = sign(secret.split(maxsplit=1)[0], message, moment, payload)
    return {"webhook-id": message, "webhook-timestamp": str(moment), "webhook-signature": signature}


def problem(body: Any) -> str:
    """Problem details in one line: what is wrong and where."""
    if not isinstance(body, dict):
        return str(body)[:300] if body else "(no body)"
    text = str(body.get("detail") or body.get("title") or body.get("message") or body)
    faults = [f"{fault.get('pointer', '')}: {fault.get('detail', '')}" for fault in body.get("errors", []) if isinstance(fault, dict)]
    return "; ".join([text, *faults])[:800]


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text.decode(errors="replace")
