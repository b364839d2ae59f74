"""`expr:` of a rule: a selector, an operator and a number; the smallest part of PromQL, written as PromQL.

    disk.usage_pct{disk=~"default|s3", host="a"} > 85

Names may have dots, since rule keys do. `import` reads Prometheus names with the same grammar.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from clustersight.rules.rule import Match, Operator

SHAPE = 'METRIC{label="value"} > NUMBER'
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MATCHER = re.compile(r"=~|!~|!=|=")
_STRING = re.compile(r""" "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `[^`]*` """, re.VERBOSE | re.DOTALL)
_OPERATOR = re.compile(r">=|<=|==|!=|>|<")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])")
_NO_NUMBER = re.compile(r"[+-]?(?:inf|nan)\b", re.IGNORECASE)
_SPACE = re.compile(r"\s*")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_OF_REGEX = frozenset(r".+*?()[]{}^$\|")
# What people bring from PromQL, by how it begins.
_FOREIGN = (
    (re.compile(r"\["), "a range ([5m])"),
    (re.compile(r"\("), "a function or parentheses"),
    (re.compile(r"(?:and|or|unless)\b"), "a second condition (and, or, unless)"),
    (re.compile(r"(?:offset\b|@)"), "another time (offset, @)"),
    (re.compile(r"bool\b"), "bool"),
    (re.compile(r"(?:by|without|on|ignoring|group_left|group_right)\b"), "an aggregation or a join"),
    (re.compile(r"[-+*/%^]"), "arithmetic"),
)


class ExpressionError(ValueError):
    """An expression that is none; `position` counts characters from 0."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position
        self.message = message


@dataclass(frozen=True, slots=True)
class Expression:
    """What an expression says; `positions` has where each label and the name ("") begin."""

    name: str
    match: Match
    operator: Operator
    threshold: float
    positions: Mapping[str, int]


def parse(text: str) -> Expression:
    """Read an expression. Raises ExpressionError, which names what is not supported."""
    return _Parser(text).expression()


def format_expression(name: str, match: Match, operator: Operator, threshold: float) -> str:
    """Write an expression that `parse` reads back."""
    matchers = ",".join(matcher(label, value) for label, value in match.items())
    selector = f"{name}{{{matchers}}}" if match else name
    return f"{selector} {operator} {number(threshold)}"


def number(value: float) -> str:
    """A number with the fewest digits that read back: `85`, not `85.0`."""
    return repr(value).removesuffix(".0")


def matcher(label: str, value: str | tuple[str, ...]) -> str:
    """One condition on a label as PromQL: equality, or `=~` of the values of a list."""
    if isinstance(value, str):
        return f"{label}={string(value)}"
    return f"{label}=~{string('|'.join(map(_escaped, value)))}"


def string(text: str) -> str:
    """A string of PromQL, on one line."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\x{ord(c):02x}" if ord(c) < 32 else c for c in text) + '"'


def _escaped(value: str) -> str:
    """For RE2: re.escape would put a backslash before characters that RE2 refuses it for."""
    return "".join("\\" + c if c in _OF_REGEX else c for c in value)


class _Parser:
    """One text and how far it is read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def expression(self) -> Expression:
        self._spaces()
        positions = {"": self._at}
        name = self._need(_NAME, f"must begin with a metric key; the form is {SHAPE}")
        match = self._matchers(positions) if self._take(re.compile(r"\{")) else {}
        operator = Operator(self._need(_OPERATOR, f"needs one of the operators {' '.join(Operator)}"))
        threshold = self._number()
        self._spaces()
        if self._at < len(self._text):
            self._fail("has more after the number")
        return Expression(name, match, operator, threshold, positions)

    def _matchers(self, positions: dict[str, int]) -> dict[str, str | tuple[str, ...]]:
        match: dict[str, str | tuple[str, ...]] = {}
        while not self._take(re.compile(r"\}")):
            self._spaces()
            at = self._at
            label = self._need(_LABEL, "needs a label's name, or }")
            if label in match:
                raise ExpressionError(at, f"label {label!r} is there twice; leave one out")
            positions[label] = at
            match[label] = self._condition()
            if not self._take(re.compile(",")) and not self._sees(r"\}"):
                self._fail("needs a comma, or }")
        return match

    def _condition(self) -> str | tuple[str, ...]:
        self._spaces()
        at = self._at
        kind = self._need(_MATCHER, 'needs = and a value, as in disk="default"')
        if kind in ("!=", "!~"):
            raise ExpressionError(at, f"{kind} is not supported; match takes a value, or a list of them")
        self._spaces()
        at = self._at
        value = _unquoted(self._need(_STRING, "needs a value in quotes"), at)
        return value if kind == "=" else _alternatives(value, at)

    def _number(self) -> float:
        self._spaces()
        at = self._at
        if _NO_NUMBER.match(self._text, at):
            self._fail("must be a finite number")
        number = float(self._need(_NUMBER, "needs a number"))
        if not math.isfinite(number):
            raise ExpressionError(at, "must be a finite number")
        return number

    def _spaces(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _take(self, pattern: re.Pattern[str]) -> str:
        self._spaces()
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found.group()

    def _sees(self, pattern: str) -> bool:
        self._spaces()
        return re.compile(pattern).match(self._text, self._at) is not None

    def _need(self, pattern: re.Pattern[str], otherwise: str) -> str:
        return self._take(pattern) or self._fail(otherwise)

    def _fail(self, message: str) -> str:
        self._spaces()
        for pattern, what in _FOREIGN:
            if pattern.match(self._text, self._at):
                message = f"{what} is not supported here; the form is {SHAPE}"
                break
        raise ExpressionError(min(self._at, max(0, len(self._text) - 1)), message)


def _unquoted(quoted: str, at: int) -> str:
    if quoted[0] == "`":
        return quoted[1:-1]

    def meant(found: re.Match[str]) -> str:
        *codes, character = found.groups()
        code = next((code for code in codes if code), None)
        if code is None:
            return _ESCAPED.get(character, character)
        if int(code, 16) > 0x10FFFF:
            raise ExpressionError(at + 1 + found.start(), "is no character of Unicode")
        return chr(int(code, 16))

    return _ESCAPE.sub(meant, quoted[1:-1])


def _alternatives(pattern: str, at: int) -> str | tuple[str, ...]:
    """The values of a plain `a|b`; a regular expression beyond that is refused."""
    values, escaped = [""], False
    for character in pattern:
        if escaped or character not in _OF_REGEX:
            if escaped and (character.isalnum() or character == "_"):
                raise ExpressionError(at, _no_alternatives(f"\\{character}"))
            values[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "|":
            values.append("")
        else:
            raise ExpressionError(at, _no_alternatives(character))
    if escaped:
        raise ExpressionError(at, _no_alternatives("\\"))
    return tuple(values)


def _no_alternatives(what: str) -> str:
    return f'=~ takes plain alternatives ("a|b"); {what!r} of a regular expression is not supported'
