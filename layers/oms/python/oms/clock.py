"""Time, as RFC 3339 UTC text with milliseconds: sorts as it reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def stamp(moment: datetime | None = None) -> str:
    """`moment` (default: now) as text, e.g. 2026-11-23T04:05:06.789Z."""
    moment = (moment or datetime.now(UTC)).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse(text: str) -> datetime:
    """The moment that `text` names; ValueError if it is no RFC 3339 time with an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"'{text}' has no offset; write it in UTC with a trailing Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"'{text}' is out of range in UTC") from None


def later(text: str, **delta: float) -> str:
    """`text` moved by a timedelta's keywords, e.g. later(now, seconds=30)."""
    return stamp(parse(text) + timedelta(**delta))


def end_of(deadline: str) -> str:
    """The moment until which something is wanted: of a day (2026-12-24) its end."""
    return deadline if "T" in deadline else later(f"{deadline}T00:00:00Z", days=1)
