from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_socket import enable_socket

from tests.support.stripe import localstripe
from tests.support.world import World, a_world


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with a_world(monkeypatch) as found:
        yield found


@pytest.fixture(scope="session")
def stripe_server() -> Iterator[str]:
    enable_socket()
    with localstripe() as address:
        yield address


@pytest.fixture
def stripe_address(stripe_server: str) -> str:
    """Where Stripe is; sockets are open for this test."""
    enable_socket()
    return stripe_server
