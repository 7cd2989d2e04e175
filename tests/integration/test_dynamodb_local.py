"""A hot item on AWS's DynamoDB Local, from many threads at once. Where there is Java it is fetched once; skipped where that fails."""

from __future__ import annotations

import pytest

from infra.local.trouble import Trouble
from tests.benchmarks import dynamodb_local

pytestmark = pytest.mark.slow


@pytest.fixture
def _emulator() -> None:
    if lacking := dynamodb_local.lacking():
        pytest.skip(lacking)
    try:
        dynamodb_local.install()
    except Trouble as trouble:
        pytest.skip(str(trouble))


@pytest.mark.usefixtures("_emulator")
def test_exactly_what_is_there_is_sold_from_one_row_and_from_eight() -> None:
    for row in dynamodb_local.apart((1, 60, 90), (8, 60, 90)):
        assert (row.sold, row.refused, row.gave_up) == (60, 30, 0), row
