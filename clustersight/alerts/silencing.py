"""Whether a silence holds for an alert (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache


@lru_cache(maxsize=1000)
def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return None  # the API refuses these; one of another release silences nothing


def matches(matchers: Sequence[Mapping[str, str]], labels: Mapping[str, str]) -> bool:
    """Whether every matcher holds; an absent label is the empty text, as in Prometheus."""
    return bool(matchers) and all(_holds(one, labels.get(one["label"], "")) for one in matchers)


def _holds(matcher: Mapping[str, str], value: str) -> bool:
    wanted, op = matcher["value"], matcher.get("op", "=")
    if op == "=":
        return value == wanted
    if op == "!=":
        return value != wanted
    pattern = _pattern(wanted)
    if pattern is None:
        return False
    return (pattern.fullmatch(value) is not None) is (op == "=~")
