"""A hot item on AWS's DynamoDB Local, from many threads at once. Skipped where it, or Java, is not installed."""

from __future__ import annotations

import pytest

from tests.benchmarks import dynamodb_local

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(dynamodb_local.missing()), reason=dynamodb_local.missing() or "-"),
]


def test_exactly_what_is_there_is_sold_from_one_row_and_from_eight() -> None:
    for row in dynamodb_local.apart((1, 60, 90), (8, 60, 90)):
        assert (row.sold, row.refused, row.gave_up) == (60, 30, 0), row
