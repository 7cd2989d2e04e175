"""Files of stock records: JSON Lines, or CSV with a header. A file is cut into lines; a line that is wrong refuses its record only.

A record takes one line, because none of its fields can hold a line break.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from oms.errors import Fault, Invalid, Refused, invalid
from oms.inventory.stock_requests import LoadRecord
from oms.wire import faults_of

LONGEST_LINE = 65_536
"""Bytes."""
_COLUMNS = tuple(LoadRecord.model_fields)
_NEEDED = ("record_id", "sku", "location_id")
_NUMBERS = ("on_hand", "delta", "safety_stock")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Line:
    """A line of a file: its number, from 1, and the record in it, or why there is none. `record_id` is what could be read of it."""

    number: int
    record_id: str
    record: LoadRecord | None = None
    reason: str = ""


def cut(block: bytes, last: bool, most: int) -> tuple[list[bytes], int]:
    """The first lines of a block of the file, at most `most`, without their ends, and the bytes they take. Of a block that is not the
    `last` one the rest after the last line end belongs to the next block. Invalid for a line that does not fit into a block."""
    lines: list[bytes] = []
    at = 0
    while len(lines) < most and at < len(block):
        end = block.find(b"\n", at)
        if end < 0 and not last:
            break
        end = end + 1 if end >= 0 else len(block)
        lines.append(block[at:end].rstrip(b"\r\n"))
        at = end
    if block and not at:
        raise Invalid(f"a line has more than {LONGEST_LINE} bytes; send one record a line, as JSON Lines or CSV", kind="broken-file")
    return lines, at


def columns_of(first: bytes, name: str) -> list[str]:
    """The columns that the first line of a CSV file names; [] if it is JSON Lines. Invalid for a header that lacks what is needed.

    The ending of the file's name decides, else how it begins.
    """
    line = first.removeprefix(_BOM).strip()
    if name.lower().endswith((".jsonl", ".ndjson", ".json")) or line.startswith((b"{", b"[")):
        if line.startswith(b"["):
            raise Invalid("the file is a JSON array; send JSON Lines: one object a line, no brackets around them", kind="broken-file")
        return []
    try:
        columns = [cell.strip() for cell in _cells(line)]
    except Invalid:
        raise Invalid("the first line of the file is neither JSON nor a CSV header in UTF-8", kind="broken-file") from None
    unknown = sorted(set(columns) - set(_COLUMNS))
    missing = [column for column in _NEEDED if column not in columns]
    problems = [f"unknown columns: {', '.join(unknown)}"] if unknown else []
    problems += [f"missing columns: {', '.join(missing)}"] if missing else []
    problems += [] if {"on_hand", "delta"} & set(columns) else ["there is neither a column on_hand nor delta"]
    problems += ["a column is named twice"] if len(set(columns)) < len(columns) else []
    if problems:
        raise Invalid(f"the header of the file is wrong: {'; '.join(problems)}. Known columns: {', '.join(_COLUMNS)}", kind="broken-file")
    return columns


def read(line: bytes, number: int, columns: Sequence[str]) -> Line | None:
    """The record of a line of JSON Lines, or of CSV with these columns; None for an empty line."""
    line = line.removeprefix(_BOM) if number == 1 else line
    if not line.strip():
        return None
    fields: dict[str, Any] = {}
    try:
        fields = _from_csv(line, columns) if columns else _from_json(line)
        record = LoadRecord.model_validate(fields)
        check(record)
    except ValidationError as error:
        return Line(number, _id_of(fields), reason=reason_of(invalid(*faults_of(error))))
    except Invalid as error:
        return Line(number, _id_of(fields), reason=reason_of(error))
    return Line(number, record.record_id, record)


def check(record: LoadRecord) -> None:
    """Invalid unless it is a count or a difference, and not both."""
    if (record.on_hand is None) == (record.delta is None):
        raise invalid(Fault("give either on_hand or delta"))
    if record.safety_stock is not None and record.on_hand is None:
        raise invalid(Fault("goes with on_hand, not with delta", "/safety_stock"))


def reason_of(error: Refused) -> str:
    """Why a record is refused, in one line."""
    return "; ".join(f"{fault.pointer[1:]}: {fault.detail}".removeprefix(": ") for fault in error.errors) or error.detail


def _from_json(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
        if b"\\u" in line:
            json.dumps(fields, ensure_ascii=False).encode()  # half of a surrogate pair is JSON, but no text
    except (ValueError, RecursionError):
        raise Invalid("the line is not JSON") from None
    if not isinstance(fields, dict):
        raise Invalid("the line is not a JSON object")
    return fields


def _from_csv(line: bytes, columns: Sequence[str]) -> dict[str, Any]:
    cells = [cell.strip() for cell in _cells(line)]
    if len(cells) > len(columns):
        raise Invalid(f"the line has {len(cells)} cells and the header {len(columns)}")
    return {name: _number(cell) if name in _NUMBERS else cell for name, cell in zip(columns, cells, strict=False) if cell}


def _cells(line: bytes) -> list[str]:
    import csv  # noqa: PLC0415 one load in a month reads CSV; every start of a function would pay

    try:
        return next(csv.reader([line.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        raise Invalid("the line is not CSV in UTF-8") from None


def _number(cell: str) -> int | str:
    return int(cell) if len(cell) < 20 and cell.removeprefix("-").isascii() and cell.removeprefix("-").isdecimal() else cell


def _id_of(fields: dict[str, Any]) -> str:
    return str(fields.get("record_id", ""))[:64]
