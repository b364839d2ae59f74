"""SQL as ClickHouse's lexer cuts it: enough to tell text, numbers, names and comments apart.

Source: ClickHouse, src/Parsers/Lexer.cpp. What has no end reaches to the end of the text, since a
logged text may be cut anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COMMENT = "comment"
    STRING = "string"
    NAME = "name"  # in back quotes or double quotes
    NUMBER = "number"
    WORD = "word"
    SPACE = "space"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Token:
    """`complete` is False for text, a name or a comment without an end."""

    kind: Kind
    text: str
    complete: bool = True

    def is_word(self, *words: str) -> bool:
        return self.kind is Kind.WORD and self.text.upper() in words

    @property
    def name(self) -> str | None:
        """What it names, whether quoted or not; None for what is no name."""
        if self.kind is Kind.WORD:
            return self.text
        return unescaped(self.text[1:-1]) if self.kind is Kind.NAME else None


_TOKEN = re.compile(
    r"""
      (?P<comment> (?:--|\#[ !])[^\n]* | /\*.*?(?:\*/|(?P<open_comment>\Z)) )
    | (?P<string>
          '(?:\\.|''|[^'\\])*(?:'|\\?(?P<open_string>\Z))
        | \$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|(?P<open_heredoc>\Z))
        | \u2018[^\u2019]*(?:\u2019|(?P<open_curly>\Z))
        | \u201c[^\u201d]*(?:\u201d|(?P<open_curlies>\Z)) )
    | (?P<name>
          `(?:\\.|``|[^`\\])*(?:`|\\?(?P<open_back>\Z))
        | "(?:\\.|""|[^"\\])*(?:"|\\?(?P<open_name>\Z)) )
    | (?P<number> \d(?:[\w.]|(?<=[eEpP])[+-](?=\d))* )
    | (?P<word> [^\W\d]\w* )
    | (?P<space> \s+ )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = {kind.value: kind for kind in Kind}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)|(['`\"])\2", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "a": "\a", "v": "\v"}


def tokens(text: str) -> Iterator[Token]:
    """All of the text, in order: the texts of the tokens joined are the text."""
    for found in _TOKEN.finditer(text):
        groups = found.groupdict()
        kind = next(kind for name, kind in _KINDS.items() if groups[name] is not None)
        is_open = any(groups[name] is not None for name in groups if name.startswith("open_"))
        yield Token(kind, found.group(), complete=not is_open)


def unescaped(text: str) -> str:
    """The inside of a quoted text as ClickHouse reads it."""
    return _ESCAPE.sub(_meant, text)


def _meant(found: re.Match[str]) -> str:
    escape, doubled = found.groups()
    if doubled:
        return str(doubled)
    if len(escape) == 3:
        return chr(int(escape[1:], 16))
    return _ESCAPED.get(escape, escape)
