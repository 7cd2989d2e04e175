"""Files of stock records, line by line; what a load is and may become."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.errors import Conflict, Invalid
from oms.inventory.load_file import LONGEST_LINE, columns_of, cut, read
from oms.inventory.load_outcomes import FIRST_REFUSALS, Outcome, Tally
from oms.inventory.loads import Load, load_id_of

HEADER = ["record_id", "sku", "location_id", "on_hand", "delta"]


def a_load(status: str = "running", changed: int = 1) -> Load:
    load = Load(id="load_x", phase="apply", bucket="b", key="loads/a.csv", size=9, requested_at="t", requested_by="me", parts=3)
    return load.model_copy(update={"status": status, "applied": Tally(changed=changed)})


@given(
    st.lists(st.binary(max_size=12).filter(lambda b: b"\n" not in b and b"\r" not in b)),
    st.booleans(),
    st.integers(1, 5),
    st.integers(13, 40),
)
def test_stretch_by_stretch_a_file_gives_each_line_once(lines: list[bytes], ended: bool, most: int, size: int) -> None:
    file = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    found: list[bytes] = []
    at = 0
    while at < len(file):
        rows, used = cut(file[at : at + size], at + size >= len(file), most)
        assert used > 0
        assert len(rows) <= most
        found += rows
        at += used
    while lines and not lines[-1] and len(found) < len(lines):
        lines = lines[:-1]  # an empty last line that nothing ends is no line
    assert found == lines


def test_a_line_that_does_not_fit_into_a_block_is_no_record() -> None:
    with pytest.raises(Invalid, match="65536 bytes"):
        cut(b"x" * LONGEST_LINE, last=False, most=5)


@pytest.mark.parametrize(
    ("first", "name", "columns"),
    [
        (b'{"record_id": "1"}', "a", []),
        (b"anything", "a.jsonl", []),
        (b"record_id,sku,location_id,on_hand", "a", ["record_id", "sku", "location_id", "on_hand"]),
        (b'\xef\xbb\xbf"sku", record_id ,location_id,delta\r', "A.CSV", ["sku", "record_id", "location_id", "delta"]),
    ],
)
def test_what_kind_of_file_it_is_says_its_name_or_its_first_line(first: bytes, name: str, columns: list[str]) -> None:
    assert columns_of(first, name) == columns


@pytest.mark.parametrize("first", [b"", b"sku,sku,record_id,location_id,delta", b"\xff\xfe", b"[", b"record_id,sku,location_id,stock"])
def test_a_header_that_is_none_says_what_is_wrong(first: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        columns_of(first, "a.csv")
    assert len(caught.value.detail) > 30


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"r1,A,berlin,5,", ""),
        (b'"r1",A,berlin,,"-5"', ""),
        (b"r1,A,berlin,5", ""),
        (b"r1,A,berlin,five,", "on_hand: must be a whole number"),
        (b"r1,A,berlin,5.0,", "on_hand: must be a whole number"),
        (b"r1,A,berlin,-5,", "on_hand: Input should be greater than or equal to 0"),
        (b"r1,A,berlin,5,5", "give either on_hand or delta"),
        (b"r1,A,berlin,,", "give either on_hand or delta"),
        (b"r1,,berlin,5,", "sku: required"),
        (b"r1,A B,berlin,5,", "sku: String should match"),
        (b"r1,A,berlin,5,,7", "6 cells and the header 5"),
        (b'r1,"A,berlin,5', "not CSV"),
        (b"r1,\xff,berlin,5,", "not CSV in UTF-8"),
        ("r1,A,berlin,\u0665,".encode(), "on_hand: must be a whole number"),
    ],
)
def test_a_line_of_csv(line: bytes, reason: str) -> None:
    found = read(line, 2, HEADER)
    assert found is not None
    assert (found.number, bool(found.record)) == (2, not reason)
    assert reason in found.reason
    assert found.record_id in ("r1", "")


def test_empty_lines_are_no_records() -> None:
    assert read(b"  ", 3, HEADER) is None
    assert read(b"", 1, []) is None


@pytest.mark.parametrize("line", [b"{", b"3", b'{"record_id": NaN}', b'{"record_id": "\\udc00"}', b"[" * 20_000, b"\xff"])
def test_a_line_of_json_that_is_no_record(line: bytes) -> None:
    found = read(line, 1, [])
    assert found is not None
    assert found.reason


def test_a_tally_keeps_the_first_refusals_and_counts_all() -> None:
    tally = Tally()
    for number in range(50):
        tally.add(Outcome(number=number, record_id=f"r{number}", status="refused", reason="x" * 1000))
    assert (tally.refused, tally.records, len(tally.refusals)) == (50, 50, FIRST_REFUSALS)
    assert tally.refusals[0] == {"number": 0, "record_id": "r0", "reason": "x" * 300}


@pytest.mark.parametrize(
    ("before", "delta", "percent", "exceeds"),
    [
        (100, 10, 10, False),
        (100, 11, 10, True),
        (100, -11, 10, True),
        (1000, 101, 10, True),
        (0, 1, 100, False),
        (0, 2, 100, True),
        (0, 0, 0, False),
    ],
)
def test_the_guard_is_exact(before: int, delta: int, percent: int, exceeds: bool) -> None:
    tally = Tally()
    tally.add(Outcome(number=1, status="applied", before=before, delta=delta))
    assert tally.exceeds(percent) == exceeds


def test_changes_up_and_down_do_not_cancel_out() -> None:
    tally = Tally()
    tally.add(Outcome(number=1, status="applied", before=10, delta=10))
    tally.add(Outcome(number=2, status="applied", before=10, delta=-10))
    assert (tally.units_before, tally.units_after, tally.change_percent) == (20, 20, 100)


@pytest.mark.parametrize(
    ("status", "possible"),
    [
        ("running", {"cancel"}),
        ("parked", {"approve", "cancel"}),
        ("previewed", set()),
        ("done", {"revert"}),
        ("done_with_refusals", {"revert"}),
        ("cancelled", {"cancel", "revert"}),
        ("failed", {"revert"}),
        ("reverting", {"revert"}),
        ("reverted", {"revert"}),
    ],
)
def test_what_may_be_done_with_a_load(status: str, possible: set[str]) -> None:
    for action in ("approve", "cancel", "revert"):
        if action in possible:
            a_load(status).act(action, "now")
        else:
            with pytest.raises(Conflict, match=status):
                a_load(status).act(action, "now")


def test_what_changed_nothing_cannot_be_reverted() -> None:
    with pytest.raises(Conflict):
        a_load("done", changed=0).act("revert", "now")


def test_a_revert_goes_through_the_log_from_its_end() -> None:
    load = a_load("done")
    assert load.act("revert", "now") == "load.reverting"
    assert (load.status, load.phase, load.part, load.parts) == ("reverting", "revert", 3, 3)
    assert load.act("revert", "later") is None


def test_a_version_of_a_file_is_one_load() -> None:
    assert load_id_of("s3://b/k", "v1") == load_id_of("s3://b/k", "v1") != load_id_of("s3://b/k", "v2")
