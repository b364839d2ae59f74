"""A rule file while it is read: what is wrong in it, and where."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from typing import Any

from clustersight.problem import Problem
from clustersight.yaml_file import named
from clustersight.yaml_tree import Keys, Place, Tree


class Unusable:
    """The value of a field about which a problem has been said."""


UNUSABLE = Unusable()
_NEEDLE = re.compile(r"[\w$.]+|.", re.DOTALL)


@dataclass(slots=True)
class Document:
    """A file, its tree and all that is wrong with it."""

    source: str
    tree: Tree
    problems: list[Problem] = field(default_factory=list)
    _lines: list[int] = field(default_factory=list)

    def wrong(self, keys: Keys, message: str, place: Place | None = None) -> None:
        """Note a problem of the value at `keys`, unless the text itself could not be read there."""
        if keys not in self.tree.lost:
            self.problems.append(self.problem(keys, message, place))

    def problem(self, keys: Keys, message: str, place: Place | None = None) -> Problem:
        at = place or self.tree.place(keys)
        return Problem(self.source, self._named(keys, message), at.line, at.column)

    def place_within(self, keys: Keys, value: str, position: int) -> Place:
        """Where a character of a text stands in the file, in whatever style YAML has the text."""
        found = _NEEDLE.match(value, position)
        start = self.tree.place(keys)
        if found is None:
            return start
        text, lines = self.tree.text, self._line_starts()
        at = lines[start.line - 1] + start.column - 1
        for _ in range(value.count(found.group(), 0, position) + 1):
            at = text.find(found.group(), at) + 1
            if at == 0:  # written with escapes
                return start
        line = bisect.bisect_left(lines, at)
        return Place(line, at - lines[line - 1])

    def _line_starts(self) -> list[int]:
        """Where each line begins, found once: there may be 10 000 problems in 100 000 lines."""
        if not self._lines:
            self._lines = [0, *(found.end() for found in re.finditer("\n", self.tree.text))]
        return self._lines

    def _named(self, keys: Keys, message: str) -> str:
        """With the rule's name in front, where it has one."""
        data, length = self.tree.data, 0
        for number, key in enumerate(keys):
            data = data[key] if key in (data if isinstance(data, dict) else range(len(data or ()))) else None
            if isinstance(key, int) and number and keys[number - 1] == "rules":
                length = number + 1
                break
        name = _name_of(data) if length else None
        return f"rule {name!r}: {named(keys[length:], message)}" if name else named(keys, message)


def _name_of(data: Any) -> str | None:
    names = [data.get("alert"), data.get("name")] if isinstance(data, dict) else []
    return next((name for name in names if isinstance(name, str) and name), None)


@dataclass(frozen=True, slots=True)
class Spot:
    """One value of a document, where a reader says what is wrong."""

    document: Document
    keys: Keys = ()

    def at(self, key: str | int) -> Spot:
        return Spot(self.document, (*self.keys, key))

    def wrong(self, message: str) -> Any:
        """Say what is wrong with the value; for the reader to return. Any: it stands for every type."""
        self.document.wrong(self.keys, message)
        return UNUSABLE

    def wrong_key(self, message: str) -> None:
        """Say what is wrong with the key."""
        self.document.wrong(self.keys, message, self.document.tree.keys.get(self.keys))
