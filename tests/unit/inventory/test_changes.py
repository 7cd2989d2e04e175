"""The cursor of the delta feed over shards that end and are followed by others."""

from __future__ import annotations

import pytest

from oms.errors import Refused
from oms.inventory.changes import START, Shard, after_end, begin, cursor, positions

OLD, LEFT, RIGHT = Shard("old", "long gone"), Shard("left", "old"), Shard("right", "old")


def test_a_reader_without_a_cursor_starts_at_the_oldest_shards() -> None:
    assert begin([OLD, LEFT, RIGHT]) == {"old": START}
    assert begin([LEFT, RIGHT]) == {"left": START, "right": START}


def test_the_shards_that_follow_take_the_place_of_one_that_is_read() -> None:
    assert after_end({"old": "7", "other": "3"}, "old", [OLD, LEFT, RIGHT]) == {"other": "3", "left": START, "right": START}


def test_a_shard_that_nothing_follows_yet_keeps_its_place() -> None:
    assert after_end({"old": "7"}, "old", [OLD]) == {"old": "7"}


def test_a_cursor_is_read_as_it_was_written_while_its_shards_are_there() -> None:
    text = cursor({"left": "7", "right": START})
    assert positions(text, [OLD, LEFT, RIGHT]) == {"left": "7", "right": START}
    with pytest.raises(Refused) as caught:
        positions(text, [RIGHT])
    assert (caught.value.kind, caught.value.status) == ("cursor-too-old", 410)


def test_two_hundred_shards_fit_into_a_url() -> None:
    many = {f"shardId-{1541626099285 + n:020d}-{n * 7919:08x}": str(1100000000017454423009 + n * 104729) for n in range(200)}
    assert len(cursor(many)) < 8000


@pytest.mark.parametrize("text", ["?", "e30", "eJyrBQAApgB8", cursor({"a": "1"})[:-4]])
def test_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(Refused) as caught:
        positions(text, [OLD])
    assert caught.value.errors[0].pointer == "/cursor"
