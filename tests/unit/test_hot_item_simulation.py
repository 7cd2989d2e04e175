"""The simulated sale of a hot item: the laws of selling hold in every run, and shards do what they are for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.benchmarks.hot_item import Wrong, check, report, rows, run
from tests.benchmarks.hot_sale import DYNAMODB

BUYERS = 2_000
NO_CONFLICTS = replace(DYNAMODB, transaction_ms=0.01)


@pytest.mark.parametrize("quantity", [1, 3])
def test_what_is_there_is_sold_and_nobody_is_refused_before(quantity: int) -> None:
    for row in rows((1, 3, 16, 64), (100, 1_000, 10_000), most_buyers=600, quantity=quantity):
        check(row)
        assert 0 < row.sold <= row.stock
        assert not row.refused or row.stock - row.sold < quantity


@pytest.mark.parametrize("shards", [1, 8, 64])
def test_the_last_unit_is_sold_exactly_once(shards: int) -> None:
    row = run(shards, 10_000, buyers=500, stock=1)
    assert row.sold == 1
    assert row.refused + row.gave_up == 499
    assert row.refused > 0


def test_units_that_lie_on_different_shards_are_sold_together() -> None:
    row = run(8, 100, buyers=20, stock=8, quantity=4)
    assert (row.sold, row.refused) == (8, 18)


def test_without_stock_everybody_is_refused_and_nothing_is_written() -> None:
    row = run(16, 300, buyers=200, stock=0)
    assert (row.sold, row.refused, row.conflicts, row.per_second) == (0, 200, 0, 0)


def test_more_shards_sell_more_a_second() -> None:
    one, four, sixteen, all_ = (row.per_second for row in rows((1, 4, 16, 64), (3_000,), most_buyers=BUYERS))
    assert four > 3 * one
    assert sixteen > 3 * four
    assert all_ > 1.2 * sixteen


def test_enough_shards_lose_no_buyer() -> None:
    few, many = rows((1, 32), (1_000,), most_buyers=BUYERS)
    assert few.gave_up > BUYERS / 2
    assert (many.gave_up, many.sold, many.refused) == (0, 1200, 800)


def test_one_shard_sells_what_one_transaction_at_a_time_allows() -> None:
    (row,) = rows((1,), (3_000,), most_buyers=BUYERS)
    most = 1000 / DYNAMODB.transaction_ms
    assert 0.8 * most < row.per_second <= most
    assert row.conflicts > row.sold


def test_one_shard_without_conflicts_sells_half_its_write_units() -> None:
    (row,) = rows((1,), (3_000,), most_buyers=BUYERS, limits=NO_CONFLICTS)
    assert 0.9 * DYNAMODB.write_units / 2 < row.per_second < 1.2 * DYNAMODB.write_units / 2
    assert row.throttled > row.conflicts


def test_a_partition_answers_no_more_reads_than_its_units_allow() -> None:
    slow = replace(DYNAMODB, read_units=100.0)
    row = run(1, 1_000, buyers=1_000, stock=0, limits=slow)
    assert row.gave_up > row.refused > 0


def test_the_same_seed_gives_the_same_rows() -> None:
    first, again = (list(rows((4,), (1_000,), most_buyers=500)) for _ in range(2))
    assert first == again
    assert first != list(rows((4,), (1_000,), most_buyers=500, seed=21))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sold": 11, "refused": 0, "gave_up": 9}, "11 sold of 10"),
        ({"sold": 9, "refused": 11}, "11 were refused while 1 units were left"),
        ({"sold": 10, "refused": 9}, "neither bought nor been refused"),
    ],
)
def test_a_run_that_breaks_a_law_is_reported(wrong: dict[str, Any], message: str) -> None:
    right = run(2, 100, buyers=20, stock=10)
    assert (right.sold, right.refused) == (10, 10)
    with pytest.raises(Wrong, match=message):
        check(replace(right, **wrong))


def test_the_table_has_a_line_for_each_run(capsys: pytest.CaptureFixture[str]) -> None:
    report((1, 2), (100, 300), most_buyers=50)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:3] for line in lines if line and line[0].isdigit()] == [
        ["100", "1", "30"],
        ["100", "2", "30"],
        ["300", "1", "30"],
        ["300", "2", "30"],
    ]
