"""Lines of a large order in items of their own: an item holds 400 KB at most, and a commit should write only what it changes.

pk        sk                what
ord_...   doc#lines#000     up to a hundred lines as placed, packed: they are written once and always read together
ord_...   state#lines#000   counters of the lines 0 to 99, with a `v` of their own; as long as there is none, they are as ordered

Lines as placed are JSON, deflated: about a tenth of what they are as attributes, and so is the price of each time that the order is read.
Counters are JSON: to read a thousand lines attribute by attribute takes seconds.
In memory nothing differs: `order.placed.lines` and `order.summary.lines` are whole, and the counters in the chunks are the same objects.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oms.orders.order import Order
from oms.orders.records import LineChunk, LineState, PlacedChunk, PlacedLine

LINES = 100
"""Lines in a chunk."""
_MOST_BYTES = 300_000
"""JSON of the lines in one item before it is packed; text that cannot be packed becomes hardly longer."""


def chunk_sk(number: int) -> str:
    """Where a chunk of lines as placed lies."""
    return f"doc#lines#{number:03d}"


def packed(lines: Sequence[PlacedLine]) -> list[bytes]:
    """Lines as placed, in their order, in as many parts as it takes: each of a hundred lines at most, and far below 400 KB."""
    return [zlib.compress(b'{"lines":[' + b",".join(part) + b"]}") for part in _parts(lines)]


def unpacked(part: bytes) -> list[PlacedLine]:
    """The lines of one part."""
    return PlacedChunk.model_validate_json(zlib.decompress(part)).lines


def kept(chunk: LineChunk) -> dict[str, Any]:
    """What is stored of the counters."""
    return {"packed": chunk.model_dump_json(exclude={"v"}, exclude_defaults=True)}


def join(order: Order, parts: Sequence[Mapping[str, Any]]) -> None:
    """Make a large order whole: lines from the items with them, counters from `order.chunks`, which is completed."""
    order.placed.lines = [line for part in parts for line in unpacked(part["packed"])]
    cut(order)
    order.summary.lines = {line_id: state for chunk in order.chunks.values() for line_id, state in chunk.lines.items()}


def cut(order: Order) -> None:
    """Give every line its chunk; what no chunk is stored for yet is as the summary has it, or else as ordered."""
    chunks: dict[str, LineChunk] = {}
    for number, start in enumerate(range(0, len(order.placed.lines), LINES)):
        key = f"{number:03d}"
        lines = order.placed.lines[start : start + LINES]
        known = order.summary.lines
        chunks[key] = order.chunks.get(key) or LineChunk(
            lines={line.id: known.get(line.id) or LineState(ordered=line.quantity) for line in lines}
        )
    order.chunks = chunks


def _parts(lines: Sequence[PlacedLine]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for line in lines:
        text = line.model_dump_json(exclude_defaults=True).encode()
        if part and (len(part) == LINES or size + len(text) > _MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text)
    if part:
        yield part
