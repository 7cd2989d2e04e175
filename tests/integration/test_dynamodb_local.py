"""A hot item on AWS's DynamoDB Local, from many threads at once. Skipped where it, or Java, is not installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_socket import enable_socket

from tests.benchmarks import dynamodb_local

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(dynamodb_local.missing()), reason=dynamodb_local.missing() or "-"),
]


@pytest.fixture(scope="module", autouse=True)
def dynamodb() -> Iterator[None]:
    enable_socket()
    with dynamodb_local.running():
        yield


@pytest.mark.parametrize("shards", [1, 8])
def test_exactly_what_is_there_is_sold(shards: int) -> None:
    enable_socket()
    row = dynamodb_local.sell(shards, stock=60, buyers=90)
    print(row)
    assert (row.sold, row.refused, row.gave_up) == (60, 30, 0)
