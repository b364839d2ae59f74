"""Numbers for people, to the letter as Prometheus 2.42 writes them (template/template.go); values are plain.

A test compares each with promtool.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

_LARGE = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")
_SMALL = ("", "m", "u", "n", "p", "f", "a", "z", "y")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Go counts time in nanoseconds of 64 bits: 1677 to 2262.
_MAX_NANOSECONDS = 2**63
# Go's %v writes the exponent outside of these powers of ten.
_PLAIN_EXPONENTS = range(-4, 6)


def plain(value: float) -> str:
    """As Go prints a number: the fewest digits that read back, `1.234567e+06` from a million on."""
    if not math.isfinite(value):
        return _not_finite(value)
    sign, digits, tail = Decimal(repr(value)).normalize().as_tuple()
    exponent = len(digits) + int(tail) - 1 if value else 0
    if exponent in _PLAIN_EXPONENTS:
        return f"{Decimal(repr(value)).normalize():f}"
    mantissa = "".join(map(str, digits))
    point = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{'-' * sign}{mantissa[0]}{point}e{exponent:+03d}"


def humanize(value: float) -> str:
    """Four digits and a metric prefix: `1.235M`, `123.4u`."""
    if value == 0 or not math.isfinite(value):
        return _brief(value)
    return _scaled(value, 1000, _LARGE) if abs(value) >= 1 else _magnified(value)


def humanize1024(value: float) -> str:
    """Four digits and a binary prefix: `1.177Mi`."""
    if abs(value) <= 1 or not math.isfinite(value):
        return _brief(value)
    return _scaled(value, 1024, tuple(f"{prefix.lower() if prefix == 'k' else prefix}i" for prefix in _LARGE))


def humanize_duration(seconds: float) -> str:
    """`1d 2h 3m 4s`; below a minute four digits: `59.99s`, `500ms`."""
    if not math.isfinite(seconds):
        return _brief(seconds)
    if abs(seconds) < 1:
        return f"{_magnified(seconds)}s" if seconds else "0s"
    sign, size = "-" if seconds < 0 else "", abs(seconds)
    minutes, rest = divmod(int(size), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {rest}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {rest}s"
    return f"{sign}{minutes}m {rest}s" if minutes else f"{sign}{_brief(size)}s"


def humanize_percentage(ratio: float) -> str:
    """A ratio as percent: 0.123 is `12.3%`."""
    return f"{_brief(ratio * 100)}%"


def humanize_percent(percent: float) -> str:
    """What is in percent already: 12.3 is `12.3%`. Prometheus has no such function."""
    return f"{_brief(percent)}%"


def humanize_timestamp(seconds: float) -> str:
    """Seconds of the epoch as Go prints a time in UTC. Raises ValueError beyond 1677 to 2262."""
    if not math.isfinite(seconds):
        return _brief(seconds)
    nanoseconds = seconds * 1e9
    if not -_MAX_NANOSECONDS <= nanoseconds < _MAX_NANOSECONDS:
        raise ValueError(f"{plain(seconds)} is no time between 1677 and 2262")
    moment = _EPOCH + timedelta(milliseconds=math.trunc(nanoseconds / 1_000_000))
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def title(text: str) -> str:
    """The first letter of each word large, the others as they are."""
    return re.sub(r"(?<!\w)\w", lambda first: first.group().upper(), text)


def _scaled(value: float, step: int, prefixes: tuple[str, ...]) -> str:
    """The loop of Go divides until the value is small; the last prefix takes all that is larger."""
    number = 0
    while abs(value) >= step and number < len(prefixes) - 1:
        value /= step
        number += 1
    return _brief(value) + (prefixes[number] if number else "")


def _magnified(value: float) -> str:
    number = 0
    while abs(value) < 1 and number < len(_SMALL) - 1:
        value *= 1000
        number += 1
    return _brief(value) + _SMALL[number]


def _brief(value: float) -> str:
    """Go's %.4g."""
    return f"{value:.4g}" if math.isfinite(value) else _not_finite(value)


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"
