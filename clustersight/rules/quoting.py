"""Text as ClickHouse reads it back, for statements that a person pastes: it cannot leave its quotes."""

from __future__ import annotations


def literal(text: str) -> str:
    r"""`text` in single quotes, on one line.

    >>> print(literal("o'clock\n"))
    'o\'clock\x0A'
    """
    return _quoted(text, "'")


def ident(text: str) -> str:
    """`text` in back quotes, on one line: the name of a database, a table, a column."""
    return _quoted(text, "`")


def _quoted(text: str, quote: str) -> str:
    return quote + "".join(_escaped(character, quote) for character in text) + quote


def _escaped(character: str, quote: str) -> str:
    if character in ("\\", quote):
        return "\\" + character
    # A newline would end a comment, and with a NUL it would break what someone pastes into a shell.
    return f"\\x{ord(character):02X}" if ord(character) < 32 or character == "\x7f" else character
