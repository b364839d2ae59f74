"""What is wrong with a configuration, and where: one line a problem, all problems at once."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Problem:
    """One fault or warning. `source` is a file, or `environment NAME`; line and column count from 1."""

    source: str
    message: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """`FILE:LINE:COL: message`, or `environment NAME: message`."""
        place = self.source if self.line is None else f"{self.source}:{self.line}:{self.column}"
        return f"{place}: {self.message}"


class SettingsError(Exception):
    """A configuration that cannot be used; `str()` is one problem a line, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Sort by place, the environment last, and name each problem once."""
        unique = dict.fromkeys(problems)
        self.problems: tuple[Problem, ...] = tuple(sorted(unique, key=_order))
        super().__init__("\n".join(map(str, self.problems)))


def _order(problem: Problem) -> tuple[bool, str, int, int]:
    return (problem.line is None, problem.source, problem.line or 0, problem.column or 0)


def unknown(what: str, name: str, allowed: Iterable[str]) -> str:
    """Say that `name` is not a known `what`, with the nearest name and all that is allowed."""
    names = sorted(allowed)
    near = difflib.get_close_matches(name, names, n=2)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ";"
    return f"unknown {what} {name!r}{hint} allowed: {', '.join(names) or 'none'}"
