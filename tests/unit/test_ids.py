"""Identity and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from oms.clock import later, parse, stamp
from oms.ids import new_order_id, order_of, part_id


def test_the_order_is_read_off_any_id_under_it() -> None:
    order_id = new_order_id()
    for prefix in ("fo", "shp", "pay", "inv", "ret", "cm", "exc", "hold"):
        assert order_of(part_id(prefix, order_id, 12)) == order_id
    assert order_of(order_id) == order_id


@pytest.mark.parametrize("text", ["", "ord", "ord_", "fo_short_1", "fo_" + "a" * 19 + "-_1", "x" * 40])
def test_what_is_no_such_id_belongs_to_nothing(text: str) -> None:
    assert order_of(text) is None


def test_ids_sort_by_age(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for millis in range(0, 2**42, 2**42 // 500):
        monkeypatch.setattr("time.time", lambda now=millis: now / 1000)
        made.append(new_order_id())
    assert made == sorted(made)


def test_ids_made_at_the_same_moment_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1.0)
    assert len({new_order_id() for _ in range(100)}) == 100


def test_times_are_written_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 11, 23, 5, 5, 6, 789999, tzinfo=timezone(timedelta(hours=1)))
    assert stamp(moment) == "2026-11-23T04:05:06.789Z"
    assert stamp(parse("2026-11-23T04:05:06Z")) == "2026-11-23T04:05:06.000Z"
    assert parse(stamp()) <= datetime.now(UTC)


def test_a_time_can_be_moved() -> None:
    assert later("2026-12-31T23:59:59.000Z", seconds=1) == "2027-01-01T00:00:00.000Z"
    assert later("2027-01-01T00:00:00.000Z", days=-1, milliseconds=1) == "2026-12-31T00:00:00.001Z"


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-11-23", "2026-11-23T04:05:06", "9999-12-31T23:59:59-01:00"])
def test_a_time_without_offset_or_out_of_range_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(text)
