"""What differs between two sets of rules: every field of each (pure)."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from clustersight.duration import format_duration
from clustersight.rules.rule import Rule

# The name is what rules are told apart by; where one stands is nothing that it does.
_APART = ("name", "origin")
FIELDS = tuple(field.name for field in dataclasses.fields(Rule) if field.name not in _APART)
# As rule files name them.
_NAMES = {"for_sec": "for", "keep_firing_for_sec": "keep_firing_for", "interval_sec": "interval"}


class Kind(StrEnum):
    """What became of a rule."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """A field under its name in rule files, with its value before and after; `texts` have several lines."""

    field: str
    old: str
    new: str
    texts: tuple[str, str] | None = None

    @property
    def lines(self) -> list[str]:
        """On one line, or of texts of several lines those that differ."""
        if self.texts is None:
            return [f"{self.field}: {self.old} -> {self.new}"]
        old, new = (text.splitlines() for text in self.texts)
        # Two lines of names and one of numbers come first.
        differing = [*difflib.unified_diff(old, new, n=0, lineterm="")][2:]
        told = [line for line in differing if not line.startswith("@@")]
        return [f"{self.field}:", *(f"  {line}" for line in told or ["(line breaks only)"])]


@dataclass(frozen=True, slots=True)
class Difference:
    """A rule that is not the same. `alerts` are the names of the alerts that it is about."""

    kind: Kind
    name: str
    alerts: frozenset[str]
    changes: tuple[Change, ...] = ()


def compare(old: Iterable[Rule], new: Iterable[Rule]) -> list[Difference]:
    """What must happen to `old` to become `new`, by name."""
    before, after = ({rule.name: rule for rule in rules} for rules in (old, new))
    found = (_difference(before.get(name), after.get(name)) for name in sorted({*before, *after}))
    return [one for one in found if one is not None]


def _difference(old: Rule | None, new: Rule | None) -> Difference | None:
    if old is None or new is None:
        kind, one = (Kind.ADDED, new) if old is None else (Kind.REMOVED, old)
        return None if one is None else Difference(kind, one.name, frozenset({one.identity}))
    changes = tuple(_changes(old, new))
    alerts = frozenset({old.identity, new.identity})
    return Difference(Kind.CHANGED, new.name, alerts, changes) if changes else None


def _changes(old: Rule, new: Rule) -> Iterator[Change]:
    for name in FIELDS:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            several = isinstance(before, str) and isinstance(after, str) and "\n" in before + after
            texts = (before, after) if several else None
            yield Change(_NAMES.get(name, name), _told(name, before), _told(name, after), texts)


def _told(name: str, value: Any) -> str:
    if name in _NAMES and value is not None:
        return format_duration(timedelta(seconds=value))
    return "none" if value is None else json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
