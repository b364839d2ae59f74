"""Regular expressions of strangers: only those that are done with any text soon (pure).

Python's matcher goes back and tries again; nested repeats of it take longer than the universe lasts. What is
taken is what RE2, Prometheus' own, takes too, without what makes going back expensive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_LENGTH = 300
# Each of them, next to another, multiplies the time by the length of the text.
MOST_REPEATS = 3

_TOKEN = re.compile(
    r"""
      \\(?P<back>[1-9])
    | \\.
    | \[\^?\]?(?:\\.|[^\]\\])*\]
    | (?P<open>\((?:\?:|\?P<\w+>|(?P<odd>\?))?)
    | (?P<close>\))
    | (?P<or>\|)
    | (?P<repeat>[*+]|\{\d*,?\d*\})
    | .
    """,
    re.VERBOSE | re.DOTALL,
)


def refusal(pattern: str) -> str | None:
    """Why a pattern is not taken, as it goes on after the name of its field; None if it is."""
    if len(pattern) > MAX_LENGTH:
        return f"must be a regular expression of at most {MAX_LENGTH} characters"
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return "is no regular expression"
    return next(_dangers(pattern), None)


def _dangers(pattern: str) -> Iterator[str]:
    """What is too expensive. `branching` says of each open group whether it repeats or chooses within."""
    branching = [False]
    closed = False
    repeats = 0
    for token in _TOKEN.finditer(pattern):
        if token["back"] or token["odd"]:
            yield "must hold no look-around, back-reference or flag; Prometheus takes none either"
        if token["repeat"]:
            repeats += 1
            if closed:
                yield "must not repeat a group that repeats or chooses within, as (a+)+ does"
            if repeats > MOST_REPEATS:
                yield f"must not repeat more than {MOST_REPEATS} times (* + {{n}}); use several silences"
            branching[-1] = True
        elif token["or"]:
            branching[-1] = True
            repeats = 0 if len(branching) == 1 else repeats
        elif token["open"]:
            branching.append(False)
        if token["close"]:
            closed = branching.pop()
            branching[-1] = branching[-1] or closed
        elif token[0] != "?":
            closed = False
