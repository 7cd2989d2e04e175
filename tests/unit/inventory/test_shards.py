"""Shards of a hot item: a sale finds what there is and no more, and moving units between shards neither makes nor loses one."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import configuration, given, settings
from hypothesis import strategies as st

from oms.inventory.shards import MOST, ask, level, order, spread, take, transfers

configuration.set_hypothesis_home_dir(".oms/cache/hypothesis")  # as for tests/properties, where this file is run alone
same_each_run = settings(derandomize=True, database=None, deadline=None, max_examples=200)
counts = st.integers(1, MOST)
rows = st.lists(st.integers(-30, 100), min_size=1, max_size=MOST)


@same_each_run
@given(counts, st.integers(0, 2**32))
def test_a_sale_tries_every_shard_once(count: int, seed: int) -> None:
    assert sorted(order(count, random.Random(seed).random)) == list(range(count))


def test_every_shard_is_as_likely_to_be_tried_first_and_next() -> None:
    draw = random.Random(1).random
    orders = [order(4, draw) for _ in range(4000)]
    for place in (0, 1):
        assert all(900 < sum(each[place] == shard for each in orders) < 1100 for shard in range(4))


def test_the_overflow_of_an_empty_shard_is_shared_by_all_others() -> None:
    draw = random.Random(2).random
    orders = [order(8, draw) for _ in range(7000)]
    behind = [each[1] for each in orders if each[0] == 3]
    assert all(0.7 < behind.count(shard) / (len(behind) / 7) < 1.3 for shard in range(8) if shard != 3)


def test_a_sale_reads_one_shard_then_four_then_sixteen_then_all() -> None:
    tried, known, reads = list(range(MOST)), dict[int, int](), []
    for _ in range(5):
        reads.append(len(asked := ask(tried, known)))
        known |= dict.fromkeys(asked, 0)
    assert reads == [1, 3, 12, 48, 0]
    assert sorted(known) == tried


def test_shards_are_read_in_the_order_tried_and_what_a_read_left_out_is_asked_for_again() -> None:
    assert ask([2, 0, 3, 1], {}) == [2]
    assert ask([2, 0, 3, 1], {2: 0}) == [0, 3, 1]
    assert ask([2, 0, 3, 1], {2: 0, 3: 0}) == [0, 1]


def test_the_first_shard_in_order_that_has_all_of_it_is_taken_from() -> None:
    assert take(3, {0: 9, 1: 2, 2: 3}, [1, 2, 0]) == {2: 3}


def test_what_no_shard_has_alone_is_taken_from_the_fullest() -> None:
    """Each part is a write of its own: no way has fewer."""
    assert take(5, {0: 1, 1: 0, 2: 4, 3: 4}, [0, 1, 3, 2]) == {3: 4, 2: 1}


def test_a_shard_that_was_not_read_is_not_taken_from() -> None:
    assert take(1, {2: 0}, [2, 0, 1]) == {}
    assert take(1, {2: 0, 1: 1}, [2, 0, 1]) == {1: 1}


def test_a_shard_that_is_not_to_be_tried_is_not_taken_from() -> None:
    assert take(3, {0: 1, 1: 2}, [0]) == {}


def test_what_one_shard_owes_the_others_cannot_sell() -> None:
    assert take(2, {0: -2, 1: 3}, [1, 0]) == {}
    assert take(1, {0: -2, 1: 3}, [1, 0]) == {1: 1}


@pytest.mark.parametrize("quantity", [0, -1])
def test_nothing_is_taken_for_nothing(quantity: int) -> None:
    assert take(quantity, {0: 5}, [0]) == {}


@same_each_run
@given(rows, st.integers(1, 400), st.integers(0, 2**32))
def test_all_is_found_while_the_total_suffices_and_never_more_than_there_is(available: list[int], quantity: int, seed: int) -> None:
    taken = take(quantity, dict(enumerate(available)), order(len(available), random.Random(seed).random))
    assert sum(taken.values()) == (quantity if sum(available) >= quantity else 0)
    assert all(0 < units <= available[shard] for shard, units in taken.items())
    assert len(taken) <= 1 or max(available) < quantity


def test_units_are_spread_evenly_and_earlier_shards_get_the_rest() -> None:
    assert spread(11, 4) == [3, 3, 3, 2]
    assert spread(2, 4) == [1, 1, 0, 0]


def test_what_is_owed_stays_on_the_first_shard() -> None:
    assert spread(-5, 3) == [-5, 0, 0]


@same_each_run
@given(st.integers(-1000, 10**9), counts)
def test_a_spread_adds_up_and_is_even(units: int, count: int) -> None:
    shares = spread(units, count)
    assert (sum(shares), len(shares)) == (units, count)
    assert units < 0 or (max(shares) - min(shares) <= 1 and shares == sorted(shares, reverse=True))


@pytest.mark.parametrize("count", [-1, 0, MOST + 1])
def test_a_number_of_shards_that_is_not_possible_loses_no_units(count: int) -> None:
    with pytest.raises(ValueError, match="use 1 to 64"):
        spread(10, count)
    with pytest.raises(ValueError, match="use 1 to 64"):
        order(count, random.Random(1).random)
    with pytest.raises(ValueError, match="use 1 to 64"):
        level([10], count)


def test_levelling_fills_the_shards_that_have_least() -> None:
    assert level([10, 0, 2, 0]) == [-7, 3, 1, 3]


def test_shards_that_are_even_are_left_alone() -> None:
    assert level([3, 4, 3, 4]) == [0, 0, 0, 0]


def test_levelling_pays_what_one_shard_owes() -> None:
    assert level([-4, 6, 6]) == [6, -3, -3]
    assert level([1, -4]) == [-4, 4]


def test_more_shards_get_their_part_of_the_stock() -> None:
    assert level([9], 4) == [-6, 2, 2, 2]


def test_shards_that_go_give_back_all_they_have() -> None:
    assert level([2, 3, 4, 0], 2) == [2, 2, -4, 0]
    assert level([2, -3, 4, 1], 1) == [2, 3, -4, -1]


@same_each_run
@given(rows, counts)
def test_levelling_moves_units_and_neither_makes_nor_loses_one(available: list[int], count: int) -> None:
    changes = level(available, count)
    assert len(changes) == max(len(available), count)
    assert sum(changes) == 0
    after = [have + change for have, change in zip(available + [0] * len(changes), changes, strict=False)]
    assert sorted(after[:count], reverse=True) == sorted(spread(sum(available), count), reverse=True)
    assert not any(after[count:])
    assert level(after, count) == [0] * len(changes)


@same_each_run
@given(st.lists(st.integers(-3, 9), min_size=1, max_size=5).filter(lambda available: sum(available) >= 0))
def test_levelling_moves_as_few_units_as_it_can(available: list[int]) -> None:
    def moved(target: tuple[int, ...]) -> int:
        return sum(abs(wanted - have) for wanted, have in zip(target, available, strict=True))

    assert sum(map(abs, level(available))) == min(map(moved, permutations(spread(sum(available), len(available)))))


def test_nothing_is_moved_while_every_shard_has_half_its_share() -> None:
    assert transfers([10, 5, 15, 10]) == []
    assert transfers([1, 0, 0, 1, 0]) == []


def test_what_comes_back_to_shard_0_goes_there_before_anything_leaves_it() -> None:
    assert transfers([0, 12, 0, 4]) == [(1, -8), (2, 4)]
    assert transfers([-8, 4, 12]) == [(2, -9), (1, -1)]


def test_what_shard_0_has_too_much_goes_to_the_others() -> None:
    assert sorted(transfers([40, 0, 0, 0])) == [(1, 10), (2, 10), (3, 10)]


def test_a_debt_that_no_other_shard_can_pay_moves_nothing() -> None:
    assert transfers([-8, 0, 0]) == []


@same_each_run
@given(rows)
def test_transfers_in_their_order_never_ask_shard_0_for_what_it_has_not(available: list[int]) -> None:
    have = [available[0], *map(abs, available[1:])]
    total = sum(have)
    for shard, units in transfers(have):
        assert units < 0 or have[0] >= units
        have[0], have[shard] = have[0] - units, have[shard] + units
        assert have[shard] >= 0
    assert sum(have) == total
    assert transfers(have) == []
