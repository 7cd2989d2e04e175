"""Settings items: pk is the kind (locations, channels, methods), sk the id; and one revision that rises with every change."""

from __future__ import annotations

from typing import Any

from oms.settings import KINDS, SINGLE, Settings, picture
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Write, get, query, write

_REVISION = {"pk": "revision", "sk": "revision"}
_cached: dict[str, tuple[int, Settings]] = {}


def settings() -> Settings:
    """All settings. A process keeps them until the revision (one small read) says that something changed."""
    table = environment().settings_table
    revision = int((get(table, **_REVISION, consistent=False) or {}).get("revision", 0))
    known = _cached.get(table)
    if known is None or known[0] != revision:
        rows = {kind: {row["sk"]: _values(row) for row in query(table, "pk = :pk", {":pk": kind})} for kind in KINDS}
        known = _cached[table] = (revision, picture(rows))
    return known[1]


def setting(kind: str, key: str) -> dict[str, Any] | None:
    """One setting as it was put, or None."""
    row = get(environment().settings_table, kind, key)
    return _values(row) if row else None


def put_setting(kind: str, key: str, values: dict[str, Any]) -> None:
    """Put a setting and raise the revision of the picture if it is part of that, together; the last one wins, which is what PUT means."""
    table = environment().settings_table
    item = encode({"pk": kind, "sk": key, **{name: content for name, content in values.items() if content is not None}})
    revision = Write(table, encode(_REVISION), values=encode({":one": 1}), expression="ADD revision :one")
    write([Write(table, item), *([] if kind in SINGLE else [revision])])


def _values(row: dict[str, Any]) -> dict[str, Any]:
    return {name: content for name, content in row.items() if name not in ("pk", "sk")}
