"""The delta feed's cursor: how far a reader is in a stream that consists of shards, each of which ends and is followed by others.

The cursor is a vector: the shards being read, each with the last number read of it. A shard that is not in it was finished before, if
one that follows it is in it; else it comes later. Figures are read when a change is, so the order of the shards does not matter to
anybody; that each is read from its beginning to its end does.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from oms.errors import Fault, Refused, invalid

_LONGEST = 1_000_000
START = ""
"""The position before the first record of a shard."""
Positions = dict[str, str]
"""Shards being read: id to the number of the last record read."""


@dataclass(frozen=True)
class Shard:
    """A shard of a stream: the one it follows, if that is still there."""

    id: str
    parent: str = ""


def begin(shards: Sequence[Shard]) -> Positions:
    """Where a reader without a cursor starts: at the oldest change there is."""
    known = {shard.id for shard in shards}
    return {shard.id: START for shard in shards if shard.parent not in known}


def after_end(positions: Positions, ended: str, shards: Sequence[Shard]) -> Positions:
    """The positions when a shard has been read to its end: those that follow it take its place. It stays while none is there yet."""
    follow = [shard.id for shard in shards if shard.parent == ended]
    if not follow:
        return positions
    return {key: at for key, at in positions.items() if key != ended} | dict.fromkeys(follow, START)


def cursor(positions: Positions) -> str:
    """Positions as an opaque text."""
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(positions, sort_keys=True).encode(), 9)).decode().rstrip("=")


def positions(text: str, shards: Sequence[Shard]) -> Positions:
    """The positions that a cursor stands for. Invalid if it is none of this list, too-old if a shard of it is kept no more."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        unpacked = zlib.decompressobj()
        found = json.loads(unpacked.decompress(packed, _LONGEST))
        if not (unpacked.eof and isinstance(found, dict) and found and all(isinstance(at, str) for at in found.values())):
            raise ValueError("no positions")
    except (ValueError, zlib.error):
        raise invalid(Fault("not a cursor of this list; start again without it", "/cursor")) from None
    if not set(found) <= {shard.id for shard in shards}:
        raise too_old()
    return dict(found)


def too_old() -> Refused:
    """What came right after the cursor is kept no more."""
    detail = "changes are kept for 24 hours, and this cursor is older; start again without a cursor, then read availability afresh"
    return Refused(detail, kind="cursor-too-old", status=410)
