"""Lines of a large order in chunks: they come back as they were, whatever is in them, and no item comes near what DynamoDB takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.orders.placing import read_order
from oms.orders.pricing import price
from oms.orders.records import LineChunk, LineState, PlacedLine, Promise
from oms.storage.chunks import LINES, kept, packed, unpacked
from oms.storage.codec import decode, encode, item_bytes
from tests.support.orders import a_line, an_order

ITEM = 400_000
FLOATS = st.floats(-1e20, 1e20).filter(lambda number: number == 0 or abs(number) > 1e-20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**29), 10**29)
    | st.floats(-1e20, 1e20).filter(lambda number: number == 0 or abs(number) > 1e-20)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3),
    max_leaves=6,
)
SOME_LINES = st.lists(
    st.fixed_dictionaries(
        {
            "sku": st.sampled_from(["A", "B-1", "ü"]),
            "quantity": st.integers(1, 9),
            "unit_price": st.integers(0, 10**9),
            "rates": st.lists(st.sampled_from(["0", "7.5", "20"]), max_size=2),
            "metadata": st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=3),
        }
    ),
    min_size=1,
    max_size=12,
)


def lines_of(*rows: dict[str, Any]) -> list[PlacedLine]:
    """Lines as placed: priced and frozen."""
    body = [
        a_line(str(n), row["sku"], row["quantity"], row["unit_price"], *row.get("rates", ()), metadata=row.get("metadata", {}))
        for n, row in enumerate(rows, 1)
    ]
    return price(read_order(an_order(*body, charge=600, tax_rounding="unit", payments=[]))).lines


def through_items(lines: list[PlacedLine]) -> list[PlacedLine]:
    parts = [decode(encode({"pk": "ord_1", "sk": "doc#lines#000", "packed": part}))["packed"] for part in packed(lines)]
    return [line for part in parts for line in unpacked(part)]


@settings(max_examples=60, deadline=None)
@given(SOME_LINES)
def test_lines_come_back_as_they_were(rows: list[dict[str, Any]]) -> None:
    lines = lines_of(*rows)
    assert through_items(lines) == lines


@pytest.mark.parametrize(("count", "parts"), [(1, 1), (LINES, 1), (LINES + 1, 2), (1000, 10)])
def test_a_hundred_lines_to_an_item(count: int, parts: int) -> None:
    lines = lines_of(*[{"sku": "A", "quantity": 1, "unit_price": 5}] * count)
    assert [len(unpacked(part)) for part in packed(lines)] == [min(LINES, count - start) for start in range(0, count, LINES)]
    assert len(packed(lines)) == parts
    assert through_items(lines) == lines


def test_lines_with_much_to_say_are_fewer_to_an_item() -> None:
    """As much metadata as a line may have, of letters that take three bytes each and in no order that could be packed well."""
    texts = ["".join(chr(0x4E00 + (n * 7919 + i * i * 104729) % 20000) for i in range(3900)) for n in range(150)]
    lines = lines_of(*({"sku": "A", "quantity": 1, "unit_price": 5, "metadata": {"note": text}} for text in texts))
    parts = packed(lines)
    assert len(parts) > 2
    assert max(item_bytes({"packed": {"B": part}}) for part in parts) < ITEM
    assert through_items(lines) == lines


def test_counters_come_back_as_they_were() -> None:
    states = {
        "1": LineState(ordered=3),
        "2": LineState(ordered=5, cancelled=1, pins={"berlin": 2, "lyon": 1}, excluded=["porto"], attempts=2),
        "3": LineState(ordered=2, backordered=2, promise=Promise(earliest="2026-01-01", source="supply:x")),
    }
    chunk = LineChunk(lines=states)
    item = decode(encode({"pk": "ord_1", "sk": "state#lines#000", "v": 4, **kept(chunk)}))
    assert LineChunk.model_validate(item) == LineChunk(lines=states, v=4)


def test_counters_of_a_hundred_lines_fit_in_an_item_however_much_has_happened() -> None:
    places = {f"location-{n:04d}-{'x' * 45}": 10**6 for n in range(20)}
    promise = Promise(earliest="2026-01-01T00:00:00.000Z", latest="2026-01-01T00:00:00.000Z", source="supply:" + "r" * 64)
    busy = LineState(ordered=10**6, allocated=10**6, shipped=10**6, pins=places, excluded=list(places), attempts=20, promise=promise)
    chunk = LineChunk(lines={f"{n:064d}": busy for n in range(LINES)})
    assert item_bytes(encode(kept(chunk))) < ITEM
