"""Durations as Prometheus writes them: `90s`, `1h30m`, `1d`."""

from __future__ import annotations

import re
from datetime import timedelta

# Prometheus' units, the largest first: each at most once and in this order.
_UNITS_MS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
# Nine digits a unit keep the sum within timedelta for every unit but years, which are checked below.
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in _UNITS_MS))


def parse_duration(text: str) -> timedelta:
    """Read `1h30m`; `0` alone is zero. Raises ValueError, with what is allowed, on anything else."""
    match = _DURATION.fullmatch(text)
    if not text or not (match or text == "0"):
        raise ValueError("must be a duration such as 90s, 1h30m or 1d (units y, w, d, h, m, s, ms)")
    counts = match.groups(default="0") if match else ()
    total_ms = sum(int(count) * size for count, size in zip(counts, _UNITS_MS.values(), strict=False))
    try:
        return timedelta(milliseconds=total_ms)
    except OverflowError:
        raise ValueError("must be a duration shorter than two million years") from None


def format_duration(duration: timedelta) -> str:
    """Write a duration of whole milliseconds so that parse_duration reads it back; zero is `0s`."""
    rest = duration // timedelta(milliseconds=1)
    parts = []
    # Days are the largest unit written: a year of 365 days would surprise.
    for unit, size in list(_UNITS_MS.items())[2:]:
        count, rest = divmod(rest, size)
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts) or "0s"
