"""Settings items: pk is the kind (locations, channels, methods), sk the id; and one revision that rises with every change.

Items of kinds that are copied to orders carry a `version`, which counts their changes.
"""

from __future__ import annotations

from typing import Any

from oms.settings import KINDS, SINGLE, VERSIONED, Settings, picture
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Lost, Write, get, query, write

_ATTEMPTS = 6
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


def put_setting(kind: str, key: str, values: dict[str, Any]) -> dict[str, Any]:
    """Put a setting and raise the revision of the picture if it is part of that, together; the last one wins, which is what PUT means.
    Returns it as it is stored: one that has versions with its number, which stays as it is where nothing else changed.

    Lost when others put the same setting again and again.
    """
    content = {name: value for name, value in values.items() if value is not None}
    if kind not in VERSIONED:
        _put(kind, key, content)
        return content
    for _ in range(_ATTEMPTS):
        known = setting(kind, key) or {}
        seen = int(known.get("version", 0))
        if seen and content == {name: value for name, value in known.items() if name != "version"}:
            return known
        try:
            _put(kind, key, {**content, "version": seen + 1}, seen)
        except Cancelled:
            continue
        return {**content, "version": seen + 1}
    raise Lost(f"{kind} '{key}' is being changed by others; try again")


def _put(kind: str, key: str, content: dict[str, Any], seen: int | None = None) -> None:
    """`seen`: the version that is replaced; Cancelled when it is no longer the last one."""
    table = environment().settings_table
    item = encode({"pk": kind, "sk": key, **content})
    put = Write(table, item)
    if seen is not None:
        condition = "#v = :seen" if seen else "attribute_not_exists(pk)"
        values, names = ({":seen": seen}, {"#v": "version"}) if seen else ({}, {})
        put = Write(table, item, condition, encode(values), names=names)
    revision = Write(table, encode(_REVISION), values=encode({":one": 1}), expression="ADD revision :one")
    write([put, *([] if kind in SINGLE else [revision])])


def _values(row: dict[str, Any]) -> dict[str, Any]:
    return {name: content for name, content in row.items() if name not in ("pk", "sk")}
