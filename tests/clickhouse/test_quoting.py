"""literal() and ident() against real parsers: what goes in comes back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustersight.clickhouse.sql import ident, literal
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

NASTY = [
    "",
    "'",
    "\\",
    "\\'",
    "'' OR 1 --",
    "\0",
    "\n",
    "\r\t\b",
    "`",
    "%s %%",
    "{{a ? b}}",
    "<!channel>",
    "💥",
]
TEXTS = st.lists(st.one_of(st.sampled_from(NASTY), st.text()), min_size=1, max_size=20)
NAMES = st.text(min_size=1, max_size=50)


@settings(deadline=None, max_examples=60)
@given(texts=TEXTS)
def test_a_literal_comes_back_from_26(embedded: EmbeddedServer, texts: list[str]) -> None:
    selected = ", ".join(f"{literal(text)} AS c{n}" for n, text in enumerate(texts))
    assert embedded.execute(f"SELECT {selected}") == [texts]


@settings(deadline=None, max_examples=60)
@given(texts=TEXTS)
def test_a_literal_comes_back_from_18(replicas: list[ClickHouse18], texts: list[str]) -> None:
    selected = ", ".join(f"{literal(text)} AS c{n}" for n, text in enumerate(texts))
    assert replicas[0].execute(f"SELECT {selected}") == [tuple(texts)]


@settings(deadline=None, max_examples=60)
@given(name=NAMES)
def test_a_name_comes_back_from_26(embedded: EmbeddedServer, name: str) -> None:
    assert embedded.execute(f"DESCRIBE TABLE (SELECT 1 AS {ident(name)})")[0][0] == name


@settings(deadline=None, max_examples=60)
@given(name=NAMES)
def test_a_name_comes_back_from_18(replicas: list[ClickHouse18], name: str) -> None:
    assert replicas[0].execute(f"DESCRIBE TABLE (SELECT 1 AS {ident(name)})")[0][0] == name


@given(text=st.text())
def test_quoted_text_stays_on_one_line(text: str) -> None:
    for quoted in (literal(text), ident(text)):
        assert not set(quoted) & set(map(chr, range(32)))


def test_names_are_joined_by_dots() -> None:
    assert ident("d.b", "t`t") == r"`d.b`.`t\`t`"


@pytest.mark.parametrize("text", NASTY)
def test_a_literal_ends_where_it_should(text: str, embedded: EmbeddedServer) -> None:
    assert embedded.execute(f"SELECT {literal(text)} = '', 'tail'")[0][1] == "tail"
