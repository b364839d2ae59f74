"""Which logged texts EXPLAIN may be run for, and the text that is run.

EXPLAIN asks table functions for their structure and executes scalar subqueries (ClickHouse traps, 20): it
can reach other hosts, files and programs. So the text is cut into tokens, judged, and put together from
them again without comments: the server sees no more than was judged. Nothing here connects.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from clustersight.inspector.errors import NotExplainable
from clustersight.sql_text.functions import HARMLESS, KEEPER_TABLES, OUTSIDE, WITHIN_CLUSTER
from clustersight.sql_text.tokens import Kind, Token, tokens

# A server's own list is added to them.
DANGEROUS = OUTSIDE | WITHIN_CLUSTER
# The text's own values would win over our limits.
OUR_SETTINGS = ("max_", "timeout_", "readonly", "allow_ddl", "log_queries", "priority", "memory_")
_STARTS = ("SELECT", "WITH", "FROM")
_REFUSED_WORDS = ("INSERT", "OUTFILE", "EXPLAIN")


Place = tuple[int, Token]


def explainable(text: str, table_functions: Iterable[str] = ()) -> str:
    """The text to explain, without comments, FORMAT and settings that are ours. Raises NotExplainable.

    `table_functions` are the server's own, from system.table_functions.
    """
    parts = [_readable(token) for token in tokens(text)]
    places = _one_statement(_places(parts))
    _judge([token for _, token in places], DANGEROUS | {name.lower() for name in table_functions} - HARMLESS)
    kept = _without_our_settings(_without_format(places))
    ends = places[-1][0] + 1
    left_out = {at for at, _ in places} - {at for at, _ in kept}
    chosen = "".join(token.text for at, token in enumerate(parts[:ends]) if at not in left_out).strip()
    # A driver takes a text that ends so for a question about columns only.
    return chosen + (" OFFSET 0" if _ends_in_limit_0(kept) else "")


def called_names(text: str) -> list[str]:
    """The functions that a text calls, as they are written there."""
    return sorted(set(_calls([token for _, token in _places(list(tokens(text)))])))


def _readable(token: Token) -> Token:
    """The token, a space for a comment. Raises for what ClickHouse's versions read in different ways."""
    if not token.complete:
        raise NotExplainable("the logged text is cut off: raise log_queries_cut_to_length")
    if token.kind is Kind.COMMENT:
        return Token(Kind.SPACE, " ")
    quoted = token.kind in (Kind.STRING, Kind.NAME)
    if token.text[0] in "$\u2018\u201c#\\\0" or not (quoted or token.text.isascii()):
        raise NotExplainable(
            f"the text holds {token.text[0]!r} outside of quotes, which versions read differently"
        )
    return token


def _places(parts: Sequence[Token]) -> list[Place]:
    return [(at, token) for at, token in enumerate(parts) if token.kind not in (Kind.SPACE, Kind.COMMENT)]


def _one_statement(places: list[Place]) -> list[Place]:
    while places and places[-1][1].text == ";":
        places = places[:-1]
    first = next((token for _, token in places if token.text != "("), None)
    if first is None or not first.is_word(*_STARTS):
        raise NotExplainable("only a SELECT can be explained")
    if any(token.text == ";" for _, token in places):
        raise NotExplainable("the text holds more than one statement")
    return places


def _judge(parts: Sequence[Token], dangerous: frozenset[str]) -> None:
    for token in parts:
        if token.is_word(*_REFUSED_WORDS):
            raise NotExplainable(
                f"only a SELECT can be explained; the text has the word {token.text.upper()}"
            )
        if (token.name or "").lower() in KEEPER_TABLES:
            raise NotExplainable(f"the text reads system.{token.name}, which may ask Keeper")
    for name in _calls(parts):
        if name.lower() in dangerous:
            raise NotExplainable(f"the text calls {name}, which EXPLAIN would run")


def _calls(parts: Sequence[Token]) -> Iterator[str]:
    for token, after in itertools.pairwise(parts):
        if token.name is not None and after.text == "(":
            yield token.name


def _without_format(places: list[Place]) -> list[Place]:
    """Without the FORMAT at the end, which drivers append to every query."""
    for at in range(len(places) - 2, -1, -1):
        name, ends = places[at + 1][1], at + 2
        if places[at][1].is_word("FORMAT") and name.kind is Kind.WORD:
            after = places[ends][1] if ends < len(places) else None
            if after is None or after.is_word("SETTINGS"):
                return places[:at] + places[ends:]
    return places


def _without_our_settings(places: list[Place]) -> list[Place]:
    """Without assignments to our limits in a SETTINGS clause, at any depth."""
    kept: list[Place] = []
    at = 0
    while at < len(places):
        assignments, after = _assignments(places, at)
        if not assignments:
            kept.append(places[at])
            at += 1
            continue
        theirs = [one for one in assignments if not _is_ours(one[0][1])]
        if theirs:
            kept.append(places[at])
            kept += [place for one in theirs for place in one]
            if kept[-1][1].text == ",":
                kept.pop()
        at = after
    return kept


def _assignments(places: list[Place], at: int) -> tuple[list[list[Place]], int]:
    """(the assignments of a SETTINGS clause that begins here, each with its comma; where the clause ends)."""
    found: list[list[Place]] = []
    start = at + 1
    if not places[at][1].is_word("SETTINGS"):
        return found, start
    while start + 2 < len(places) and places[start + 1][1].text == "=" and places[start][1].name:
        ends = _value_ends(places, start + 2)
        found.append(places[start:ends])
        start = ends
        if places[ends - 1][1].text != ",":
            break
    return found, start


def _value_ends(places: list[Place], at: int) -> int:
    """Behind a setting's value: one token, a sign before it, or all that is in brackets; and its comma."""
    depth = 0
    while at < len(places):
        text = places[at][1].text
        depth += (text in "([{") - (text in ")]}")
        at += 1
        if depth <= 0 and text not in "+-":
            break
    return at + (at < len(places) and places[at][1].text == ",")


def _is_ours(name: Token) -> bool:
    return (name.name or "").lower().startswith(OUR_SETTINGS)


def _ends_in_limit_0(places: list[Place]) -> bool:
    last = [token for _, token in places[-2:]]
    return len(last) == 2 and last[0].is_word("LIMIT") and last[1].text == "0"
