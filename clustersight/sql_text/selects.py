"""Whether a text is one SELECT that may be run for its author: judged by its tokens, not by a server.

The text is put together from the tokens again without comments: the server sees no more than was judged.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from clustersight.sql_text.functions import KEEPER_COLUMNS, KEEPER_TABLES, OUTSIDE
from clustersight.sql_text.tokens import Kind, Token, tokens

_STARTS = ("SELECT", "WITH")
_WRITES = ("INSERT", "OUTFILE")
_END = Token(Kind.OTHER, "")


class NotASelect(ValueError):
    """The text is not to be run; the message says why and what to do."""


def one_select(text: str) -> str:
    """The statement without comments and the semicolon at its end. Raises NotASelect.

    It may stand in brackets: none is closed that it has not opened.
    """
    parts = [_readable(token) for token in tokens(text)]
    while parts and (parts[-1].kind is Kind.SPACE or parts[-1].text == ";"):
        parts.pop()
    words = [token for token in parts if token.kind is not Kind.SPACE]
    for fault in (_not_one(words), _unbalanced(words), _writing(words), _clauses(words), _reaching(words)):
        if fault:
            raise NotASelect(fault)
    return "".join(token.text for token in parts).strip()


def asks_keeper(text: str) -> bool:
    """Whether a statement may ask Keeper, which can hang beyond every limit."""
    words = [token for token in tokens(text) if token.kind not in (Kind.SPACE, Kind.COMMENT)]
    names = {(token.name or "").lower() for token in words}
    everything = "replicas" in names and any(token.text == "*" for token in words)
    return everything or not names.isdisjoint(KEEPER_TABLES | KEEPER_COLUMNS)


def _readable(token: Token) -> Token:
    """The token, a space for a comment. Raises for what ClickHouse's versions read in different ways."""
    if not token.complete:
        raise NotASelect(f"{token.text[:1]} opens a text or comment that has no end: close it")
    if token.kind is Kind.COMMENT:
        return Token(Kind.SPACE, " ")
    quoted = token.kind in (Kind.STRING, Kind.NAME)
    if token.text[0] in "$\u2018\u201c#\\\0" or not (quoted or token.text.isascii()):
        raise NotASelect(f"{token.text[0]!r} outside of quotes is read differently by versions: quote it")
    return token


def _not_one(words: Sequence[Token]) -> str:
    first = next((token for token in words if token.text != "("), _END)
    if any(token.text == ";" for token in words):
        return "there is more than one statement: write a single SELECT"
    return "" if first.is_word(*_STARTS) else "it must be a SELECT: begin with SELECT or WITH"


def _unbalanced(words: Sequence[Token]) -> str:
    steps = ((token.text == "(") - (token.text == ")") for token in words)
    depths = list(itertools.accumulate(steps))
    return (
        "the brackets do not match: close each one once"
        if min(depths, default=0) < 0 or depths[-1:] > [0]
        else ""
    )


def _writing(words: Sequence[Token]) -> str:
    found = next((token.text.upper() for token in words if token.is_word(*_WRITES)), "")
    return f"it has the word {found}: write a SELECT that only reads" if found else ""


def _clauses(words: Sequence[Token]) -> str:
    for token, name, after in _triples(words):
        if token.is_word("SETTINGS") and name.name and after.text == "=":
            return "it has SETTINGS: leave them out, since it runs with limits of ClusterSight's own"
        ends = after is _END or after.text == ")" or after.is_word("SETTINGS")
        if token.is_word("FORMAT") and name.kind is Kind.WORD and ends:
            return "it has FORMAT: leave it out"
    return ""


def _triples(words: Sequence[Token]) -> Iterator[tuple[Token, Token, Token]]:
    return zip(words, [*words[1:], _END], [*words[2:], _END, _END], strict=False)


def _reaching(words: Sequence[Token]) -> str:
    for token, after in itertools.pairwise(words):
        if after.text == "(" and (token.name or "").lower() in OUTSIDE:
            return f"it calls {token.name}, which reaches out of the cluster: read tables, or use cluster()"
    return ""
