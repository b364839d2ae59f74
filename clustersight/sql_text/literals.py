"""Taking customers' values out of texts: queries, messages of exceptions, lines of EXPLAIN.

A query's text and its exception hold what its author compared with, which may be a name or a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from clustersight.clickhouse.errors import brief
from clustersight.sql_text.tokens import Kind, Token, tokens, unescaped

_LIST = re.compile(r"\?(?:\s*,\s*\?)+")
# Where a message goes on with the text of the query, or begins to quote a value.
_ECHO = re.compile(
    r"""(?!(?<=n)'t\b)['"\u2018\u201c] | (?<=failed\ at\ position\ )(?P<position>\d+) | \(line\ \d+,\ col
    | \b[Ii]n\ scope\b | :?\s\b[Ww]hile\ (?:processing|executing)\b | \b[Ii]n\ query\b
    | \bFROM\b | \bSELECT\b""",
    re.VERBOSE,
)
# The text is the query's own: throwIf(condition, 'text').
_OWN_TEXT = re.compile(r"FUNCTION_THROW_IF_VALUE_IS_NON_ZERO|Code: 395\b")
_CODE = re.compile(r"Code: \d+\b")
_ORNAMENT = re.compile(r"^Code: \d+[.,]\s*|e\.displayText\(\) = |, e\.what\(\) = .*", re.DOTALL)
# Figures of an index or a pipeline: their numbers are the server's.
_FIGURES = re.compile(r"[\s│├└─]*(?:Parts|Granules|Ranges|Marks|Skip merging|Search Algorithm|Read type):")
# A shorter value would be found in words that are not it; it is left where it is no word of its own.
_EDGE = r"(?<!\w){}(?!\w)"


def strip(text: str) -> str:
    """A query without its values and comments, on one line; lists of values become `?..`.

    >>> strip("SELECT a FROM t WHERE b = 'secret' AND c IN (1, 2)  -- for John")
    'SELECT a FROM t WHERE b = ? AND c IN (?..)'
    """
    return _LIST.sub("?..", "".join(_without_values(text))).strip()


def _without_values(text: str) -> Iterator[str]:
    spaced = False
    for token in tokens(text):
        if token.kind in (Kind.SPACE, Kind.COMMENT):
            if not spaced:
                yield " "
            spaced = True
            continue
        spaced = False
        yield "?" if token.kind in (Kind.STRING, Kind.NUMBER) else token.text


def stripped_message(exception: str, query: str) -> str:
    """An exception's message up to the first value or piece of the query in it, on one line."""
    if _OWN_TEXT.search(exception):
        return "(the query's own text)"
    text = _ORNAMENT.sub("", exception.replace("DB::Exception: ", ""))
    echo = _ECHO.search(text)
    if echo:
        kept = echo.group("position") or ""
        text = text[: echo.start()].rstrip(" :(") + (f" {kept}" if kept else "") + " …"
    for value in _values(query):
        text = re.sub(_EDGE.format(re.escape(value)), "?", text)
    return brief(text)


def masked(exception: str) -> str:
    """What everyone may read of an exception whose query is not known: the code, and words before any value.

    >>> masked("Code: 6. DB::Exception: Cannot parse string 'secret' as UInt8. (CANNOT_PARSE_TEXT)")
    'Code: 6. Cannot parse string …'
    """
    if not exception:
        return ""
    code, text = _CODE.match(exception), stripped_message(exception, "")
    return f"{code.group()}. {text}" if code else text


def plain_message(exception: str) -> str:
    """An exception's message on one line, with the values in it."""
    return brief(_ORNAMENT.sub("", exception.replace("DB::Exception: ", "")))


def stripped_line(line: str) -> str:
    """A line of a plan without the query's values; figures of the server stay."""
    return line if _FIGURES.match(line) else stripped_text(line)


def stripped_text(text: str, *kinds: Kind) -> str:
    """A text of SQL without its values, or those of some kinds, on the same lines."""
    values = kinds or (Kind.STRING, Kind.NUMBER)
    return "".join("?" if token.kind in values else token.text for token in tokens(text))


def _values(query: str) -> set[str]:
    """The values of a query that a message could repeat without quotes."""
    return {value for token in tokens(query) if (value := _value(token)).strip()}


def _value(token: Token) -> str:
    if token.kind is Kind.STRING:
        return unescaped(token.text[1:-1] if token.complete else token.text[1:])
    # A number of two digits is in many messages by chance.
    return token.text if token.kind is Kind.NUMBER and len(token.text) > 2 else ""
