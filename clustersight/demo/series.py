"""Reads a Prometheus page: enough of the text format to look for a series on one's own page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_LINE = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+-?\d+)?\s*")
_LABEL = re.compile(r'(?P<name>[A-Za-z_]\w*)="(?P<value>(?:[^"\\]|\\.)*)",?')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n"}


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a page. `text` is the line itself."""

    name: str
    labels: Mapping[str, str]
    value: float
    text: str


def parse(page: str) -> Iterator[Series]:
    """The series of a page in the text format 0.0.4; raises ValueError at a line that is none."""
    # Not splitlines(): a label may hold any other line break, such as U+2028.
    for line in page.split("\n"):
        if line and not line.startswith("#"):
            yield _series(line)


def _series(line: str) -> Series:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"not a series: {line!r}")
    labels = {m["name"]: _unescaped(m["value"]) for m in _LABEL.finditer(match["labels"] or "")}
    return Series(match["name"], labels, float(match["value"]), line)


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), value)
