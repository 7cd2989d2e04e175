"""End to end: an engine of the tests' own, with the real CDK deployment in it. Sockets are open here."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import enable_socket

from infra.local.client import Api
from infra.local.console import Console
from infra.local.discard import discard
from infra.local.engine import Engine
from infra.local.settings import ROOT, Local
from infra.local.stack import Stack
from infra.local.up import up


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)
            # The engine outlives the object that started it: that is what a background stack is for.
            item.add_marker(pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"))


@pytest.fixture(autouse=True)
def sockets() -> None:
    enable_socket()


@pytest.fixture(scope="session")
def local() -> Local:
    """A home of the tests' own; the CDK CLI is shared with the project's, so that it is installed once."""
    enable_socket()
    home = ROOT / ".oms" / "e2e"
    discard(home)
    home.mkdir(parents=True)
    tools = ROOT / ".oms" / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    (home / "tools").symlink_to(tools)
    return Local(home=home, port=_free_port())


@pytest.fixture(scope="session")
def stack(local: Local) -> Iterator[Stack]:
    enable_socket()
    console = Console()
    running = up(local, console)
    yield running.stack
    enable_socket()
    running.engine.stop()
    Engine(local).stop()


@pytest.fixture
def api(stack: Stack) -> Iterator[Api]:
    client = stack.api()
    yield client
    client.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
