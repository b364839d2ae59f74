"""Times and durations as options take them."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta

import click

from clustersight.duration import parse_duration

# The years 1 to 9999.
_LAST = 253_402_300_799


class Duration(click.ParamType[timedelta]):
    """`90s`, `1h30m`: a timedelta."""

    name = "duration"

    def convert(
        self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        try:
            return value if isinstance(value, timedelta) else parse_duration(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


class Moment(click.ParamType[float]):
    """A time in epoch seconds: RFC 3339, such seconds, or how long ago (`2h`)."""

    name = "time"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = _read(value)
        if found is None or not 0 <= found <= _LAST:
            self.fail(f"{value!r} is no time; write 2026-03-22T14:00:00Z, epoch seconds, or 2h", param, ctx)
        return found


def _read(text: str) -> float | None:
    try:
        return time.time() - parse_duration(text).total_seconds()
    except ValueError:
        pass
    try:
        seconds = float(text)
        return seconds if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    # A time without a zone is UTC, as everywhere else.
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
