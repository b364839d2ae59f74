"""Series as promtool's tests write them: `disk.usage_pct{disk="a"}` and `0+1x10 _ stale 5x3` (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

# A test of a week by the minute has 10 080.
MAX_POINTS = 200_000
SHAPE = """KEY, or KEY{label="value", …}"""
_LABEL = re.compile(r'\s*([a-zA-Z_]\w*)\s*=\s*("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')\s*(,|(?=\}))')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_NUMBER = r"(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|[iI]nf|[nN]a[nN])"
_ITEM = re.compile(
    rf"(?P<gap>_|stale)(?:x(?P<gaps>\d+))?|(?P<first>[+-]?{_NUMBER})(?:(?P<step>[+-]{_NUMBER})?x(?P<more>\d+))?"
)


class NotationError(ValueError):
    """A text that is no series, or no values; `position` counts characters from 0."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position
        self.message = message


class Gap(StrEnum):
    """What stands in the place of a value: MISSING, nothing was read; STALE, the series was not there."""

    MISSING = "_"
    STALE = "stale"


Point = float | Gap


def selector(text: str) -> tuple[str, dict[str, str]]:
    """Name and labels of a series. Raises NotationError."""
    name, brace, _ = text.partition("{")
    if not name.strip():
        raise NotationError(0, f"names no series; the form is {SHAPE}")
    return name.strip(), _labels(text, len(name) + 1) if brace else {}


def _labels(text: str, at: int) -> dict[str, str]:
    found: dict[str, str] = {}
    while not text[at:].lstrip().startswith("}"):
        one = _LABEL.match(text, at)
        if one is None:
            raise NotationError(min(at, len(text) - 1), f'needs label="value" here; the form is {SHAPE}')
        if one.group(1) in found:
            raise NotationError(one.start(1), f"label {one.group(1)!r} is there twice; leave one out")
        found[one.group(1)] = _ESCAPE.sub(lambda e: _ESCAPED.get(e[1], e[1]), one.group(2)[1:-1])
        at = one.end()
    if text[at:].strip() != "}":
        raise NotationError(text.index("}", at) + 1, "has more after }")
    return found


def points(text: str) -> tuple[Point, ...]:
    """The values at each interval. Raises NotationError.

    `a+bxn` are n + 1 values, from a on by b; `axn` n + 1 times a; `_xn` n missing ones, as in promtool.
    """
    found: list[Point] = []
    for item in re.finditer(r"\S+", text):
        one = _ITEM.fullmatch(item.group())
        if one is None:
            what = f"{item.group()!r} is none of 5, 5x3, 0+1x10, 9-2x4, _, _x3 and stale"
            raise NotationError(item.start(), what)
        if len(found) + int(one["more"] or one["gaps"] or 0) >= MAX_POINTS:
            raise NotationError(item.start(), f"makes more than {MAX_POINTS} values; shorten the test")
        found += _gaps(one) if one["gap"] else _numbers(one)
    return tuple(found)


def _gaps(one: re.Match[str]) -> list[Point]:
    gap = Gap(one["gap"])
    count = 1 if one["gaps"] is None else int(one["gaps"]) + (gap is Gap.STALE)
    return [gap] * count


def _numbers(one: re.Match[str]) -> Iterator[Point]:
    first, step = float(one["first"]), float(one["step"] or 0)
    for number in range(int(one["more"] or 0) + 1):
        yield first + number * step if number else first
