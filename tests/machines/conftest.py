from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machines.engine import Engine, an_engine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    with an_engine(monkeypatch) as found:
        yield found
