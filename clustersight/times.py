"""Times for people and programs: ISO 8601 in UTC with a Z (spec/api.md, "Everywhere")."""

from __future__ import annotations

from datetime import UTC, datetime

# What a datetime can hold: the years 1 to 9999.
_FIRST, _LAST = -62_135_596_800.0, 253_402_300_799.0


def iso(epoch_seconds: float | None) -> str | None:
    """`2026-03-22T14:00:00Z`, with milliseconds where there are some; None for None and for no time."""
    if epoch_seconds is None or not _FIRST <= epoch_seconds <= _LAST:
        return None
    milliseconds = round(epoch_seconds * 1000)
    when = datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    # strftime writes the year 1 as "1" on some platforms.
    fraction = f".{milliseconds % 1000:03d}" if milliseconds % 1000 else ""
    return f"{when:0>19}{fraction}Z"
