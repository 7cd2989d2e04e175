"""Stripe for tests: localstripe as a process of its own, and a client that answers from a list."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from infra.local.settings import ROOT
from oms.payments.records import Payment
from oms.payments.stripe_gateway import StripeGateway

KEY = "sk_test_of_nobody"
_PATIENCE_SECONDS = 30


@contextmanager
def localstripe() -> Iterator[str]:
    """The address of a fresh localstripe; the process ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.support.localstripe", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=_PATIENCE_SECONDS)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("localstripe did not start")


def a_card(token: str = "pm_card_visa", *, test: str = "", source: str | None = None) -> Payment:
    """A tender of 10.00 by Stripe; `test` makes its id, and so its keys, its own."""
    name = hashlib.sha256(test.encode()).hexdigest()[:20]
    return Payment(id=f"pay_{name}_1", method="card", gateway="stripe", amount=1000, token=token, source=source)


@dataclass
class Wire:
    """Stands for the network below the SDK: gives the answers in order, each (status, body) or an error to raise, and keeps what was sent.

    For what localstripe does not do: several captures, faults of Stripe's own, redirects to the bank, expiry.
    """

    answers: list[tuple[int, dict[str, Any]] | Exception]
    sent: list[tuple[str, str, dict[str, str], Mapping[str, str]]] = field(default_factory=list)

    def gateway(self, **more: Any) -> StripeGateway:
        """A gateway on this wire."""
        import stripe

        wire = self

        class Client(stripe.HTTPClient):
            name = "wire"

            def request(self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any) -> Any:
                wire.sent.append((method, urlsplit(url).path, dict(parse_qsl(post_data or urlsplit(url).query)), headers or {}))
                answer = wire.answers.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return json.dumps(answer[1]), answer[0], {"request-id": "req_1"}

            def close(self) -> None:
                return

        return StripeGateway(KEY, http_client=Client(), **more)
