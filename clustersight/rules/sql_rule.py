"""The statement of a SQL rule: one SELECT, without what would decide how or where it runs (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clustersight.rules.rule import SQL_PREFIX, Fault, Rule
from clustersight.sql_text.selects import NotASelect, one_select
from clustersight.sql_text.tokens import Kind, Token, tokens

VALUE = "value"
# Its panel is rule:NAME, and a panel's name has 64 characters in the store.
MOST_NAME = 64 - len(SQL_PREFIX)
_PAIRS = {")": "(", "]": "[", "}": "{"}


def faults(rule: Rule) -> Iterator[Fault]:
    """What is wrong with the statement of a rule that has one."""
    if rule.sql is None:
        return
    found = list(tokens(rule.sql))
    said = list(_faults(found))
    yield from said
    if len(rule.name) > MOST_NAME:
        yield Fault("name", f"must have at most {MOST_NAME} characters in a rule with sql; shorten it")
    if not said:
        yield from _refused(rule.sql)
    # A statement that is cut off, or is another one, has no columns.
    if not said and all(token.name != VALUE for token in found):
        yield Fault("sql", f"has no column {VALUE}; name one, as in count() AS {VALUE}")


def _refused(text: str) -> Iterator[Fault]:
    """What the exporter would not run: it judges by the same function."""
    try:
        one_select(text)
    except NotASelect as error:
        yield Fault("sql", str(error))


def _faults(found: Sequence[Token]) -> Iterator[Fault]:
    at = 0
    words: list[tuple[int, Token]] = []
    for token in found:
        if token.kind not in (Kind.SPACE, Kind.COMMENT):
            words.append((at, token))
        if not token.complete:
            yield Fault("sql", f"has a {token.kind} without an end", at)
        at += len(token.text)
    if not words:
        yield Fault("sql", "holds no statement; write SELECT … AS value")
        return
    first_at, first = words[0]
    if not first.is_word("SELECT", "WITH"):
        yield Fault("sql", "must be one SELECT, which may begin with WITH", first_at)
    yield from _clauses(words)
    yield from _brackets(words)


def _clauses(words: Sequence[tuple[int, Token]]) -> Iterator[Fault]:
    after = [*(token for _, token in words[1:]), None, None]
    for number, (at, token) in enumerate(words):
        following, next_but_one = after[number], after[number + 1]
        if token.kind is Kind.OTHER and token.text == ";":
            yield Fault("sql", "must be one statement, without a semicolon", at)
        # Elsewhere it is a function, a column or an alias.
        elif token.is_word("FORMAT") and _is_name(following) and next_but_one is None:
            yield Fault("sql", "must not choose a FORMAT; leave the clause out", at)
        elif token.is_word("INTO") and following is not None and following.is_word("OUTFILE"):
            yield Fault("sql", "must not write INTO OUTFILE; leave the clause out", at)
        elif token.is_word("SETTINGS") and _is_name(following) and _is_equals(next_but_one):
            yield Fault("sql", "must not change SETTINGS; the exporter sets the limits", at)


def _is_name(token: Token | None) -> bool:
    return token is not None and token.kind in (Kind.WORD, Kind.NAME)


def _is_equals(token: Token | None) -> bool:
    return token is not None and token.text == "="


def _brackets(words: Sequence[tuple[int, Token]]) -> Iterator[Fault]:
    """One that closes what it did not open would leave whatever the statement is put into."""
    opened: list[tuple[int, str]] = []
    for at, token in words:
        if token.kind is not Kind.OTHER:
            continue
        if token.text in _PAIRS.values():
            opened.append((at, token.text))
        elif token.text in _PAIRS and (not opened or opened.pop()[1] != _PAIRS[token.text]):
            yield Fault("sql", f"has a {token.text} that closes nothing", at)
            return
    if opened:
        yield Fault("sql", f"has a {opened[-1][1]} that is not closed", opened[-1][0])
