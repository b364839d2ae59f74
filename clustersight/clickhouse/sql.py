"""SQL as a constant that adapts to a server: optional columns, bound values, quoting.

A panel's SQL names a column that not every version has as `{{column ? expression : otherwise}}`;
`{{a, b ? …}}` needs both, `{{table.column ? …}}` looks into another system table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from clickhouse_connect.driver.binding import finalize_query

_OPTION = re.compile(r"\{\{\s*([\w., ]+?)\s*\?(.*?)(?:\s:\s(.*?))?\}\}", re.DOTALL)

Has = Callable[[str], bool]


def compose(sql: str, has: Has) -> str:
    """The SQL for a server: `has("table.column")` or `has("column")` says what is there."""

    def choose(option: re.Match[str]) -> str:
        names, then, otherwise = option.groups()
        there = all(has(name.strip()) for name in names.split(","))
        return (then if there else otherwise or "").strip()

    return _OPTION.sub(choose, sql)


def bind(sql: str, values: Mapping[str, Any]) -> str:
    """Put `%(name)s` values in as literals; they are data from strangers and always escaped.

    With values a literal percent sign is written `%%`, without it stays as it is.
    """
    return str(finalize_query(sql, dict(values))) if values else sql


def main_table(sql: str) -> str:
    """The first system table that a statement reads: the one whose columns it may name bare."""
    found = re.search(r"\bsystem\.(\w+)", sql)
    if not found:
        raise ValueError(f"no system table in: {sql[:80]}")
    return found.group(1)


def literal(text: str) -> str:
    """A string as ClickHouse reads it back; on one line, whatever it holds."""
    return f"'{_escaped(text, quote=chr(39))}'"


def ident(*names: str) -> str:
    """A name as ClickHouse reads it back: `ident("db", "table")` is `db`.`table` with the quotes."""
    return ".".join(f"`{_escaped(name, quote='`')}`" for name in names)


def _escaped(text: str, *, quote: str) -> str:
    return "".join(_escaped_character(c, quote) for c in text)


def _escaped_character(character: str, quote: str) -> str:
    if character in ("\\", quote):
        return "\\" + character
    # A newline or a NUL would break a command that someone pastes into a shell.
    return f"\\x{ord(character):02X}" if ord(character) < 32 or character == "\x7f" else character
