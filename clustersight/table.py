"""Text for a terminal: aligned columns, and strangers' strings that cannot drive the terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_GAP = "  "
_NUMBER = re.compile(r"[+-]?\d[\d ,.]*%?|[-\u2013]?")


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines of aligned cells, one a row, without a line break at the end. Columns of numbers stand right."""
    lines = [[visible(cell) for cell in cells] for cells in (headers, *rows)]
    columns = [list(column) for column in zip(*lines, strict=True)]
    return "\n".join(_GAP.join(cells).rstrip() for cells in zip(*map(_aligned, columns), strict=True))


def visible(text: str) -> str:
    r"""`text` on one line, with everything that is not printable as \n, \x1b, \u202e …"""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _aligned(column: Sequence[str]) -> list[str]:
    """The cells of one column, the header first, padded to the same width."""
    widths = [_width(cell) for cell in column]
    widest = max(widths)
    numbers = len(column) > 1 and all(_NUMBER.fullmatch(cell) for cell in column[1:])
    padding = [" " * (widest - width) for width in widths]
    return [pad + cell if numbers else cell + pad for cell, pad in zip(column, padding, strict=True)]


def _width(text: str) -> int:
    """Columns of a terminal: East Asian characters take two, combining ones none (Unicode annex 11)."""
    return sum(_character_width(c) for c in text)


def _character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
