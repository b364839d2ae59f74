"""The texts of an alert: `{{ $labels.disk }}`, `{{ $value | humanize }}`. Nothing is evaluated.

A tag is one variable and functions that it goes through, from the left to the right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clustersight.problem import unknown
from clustersight.rules import humanize as human
from clustersight.rules.quoting import ident, literal

# A value of a row may be text, a number, or what JSON has beside these.
Value = Any


class Variable(StrEnum):
    """What a tag begins with; labels and rows are followed by a name."""

    LABELS = "$labels"
    VALUE = "$value"
    ROW = "$row"


class TemplateError(ValueError):
    """A text that is no template; `position` counts characters from 0."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position
        self.message = message


@dataclass(frozen=True, slots=True)
class Tag:
    """One `{{ … }}`. `position` is that of the variable, `start` and `end` those of the braces."""

    variable: Variable
    name: str
    functions: tuple[str, ...]
    position: int
    start: int
    end: int

    @property
    def quoted(self) -> bool:
        """Whether ClickHouse reads what comes out as one name or one text."""
        return bool(self.functions) and self.functions[-1] in QUOTING


@dataclass(frozen=True, slots=True)
class Template:
    """A text with tags; `parts` are its plain texts and its tags, in order."""

    text: str
    parts: tuple[str | Tag, ...]

    @property
    def tags(self) -> tuple[Tag, ...]:
        return tuple(part for part in self.parts if isinstance(part, Tag))

    def render(self, labels: Mapping[str, str], value: float, row: Mapping[str, Value]) -> str:
        """The text for an alert; never raises: an alert whose text fails is still sent, with the error.

        `value` is in the unit of the rule's key; `row` is the panel's row behind it.
        """
        try:
            return "".join(
                part if isinstance(part, str) else _expanded(part, labels, value, row) for part in self.parts
            )
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            return f"<error expanding template: {_reason(error)}>"

    def masked(self, put: str) -> str:
        """The text with `put` for every tag."""
        return "".join(part if isinstance(part, str) else put for part in self.parts)


def _reason(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


def _number(value: Value) -> float:
    """Labels are text, and the columns of a row may be: Prometheus converts them too."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{_text(value)!r} is no number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{value!r:.60} is no number") from None


def _text(value: Value) -> str:
    if isinstance(value, float):
        return human.plain(value)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _of_number(function: Callable[[float], str]) -> Callable[[Value], str]:
    return lambda value: function(_number(value))


def _of_text(function: Callable[[str], str]) -> Callable[[Value], str]:
    return lambda value: function(_text(value))


FUNCTIONS: Mapping[str, Callable[[Value], str]] = {
    "humanize": _of_number(human.humanize),
    "humanize1024": _of_number(human.humanize1024),
    "humanizeDuration": _of_number(human.humanize_duration),
    "humanizePercentage": _of_number(human.humanize_percentage),
    "humanizePercent": _of_number(human.humanize_percent),
    "humanizeTimestamp": _of_number(human.humanize_timestamp),
    "title": _of_text(human.title),
    "toUpper": _of_text(str.upper),
    "toLower": _of_text(str.lower),
    "ident": _of_text(ident),
    "literal": _of_text(literal),
}
# What makes a value safe within a statement.
QUOTING = ("ident", "literal")

_BRACES = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_VARIABLE = re.compile(r"\s*(\$\w+)(?:\.(\w*))?")
_FUNCTION = re.compile(r"\s*\|\s*(\w+)")


def compile(text: str) -> Template:  # noqa: A001 - as re.compile: it is called templates.compile
    """Cut a text into its parts. Raises TemplateError at the first tag that is none."""
    parts: list[str | Tag] = []
    end = 0
    for found in _BRACES.finditer(text):
        parts += _plain(text, end, found.start())
        parts.append(_tag(text, found))
        end = found.end()
    parts += _plain(text, end, len(text))
    return Template(text, tuple(parts))


def _plain(text: str, start: int, end: int) -> Iterator[str]:
    opened = text.find("{{", start, end)
    if opened >= 0:
        raise TemplateError(opened, "{{ is not closed; write }} after the value")
    if start < end:
        yield text[start:end]


def _tag(text: str, found: re.Match[str]) -> Tag:
    start, end = found.span(1)
    variable = _VARIABLE.match(text, start, end)
    if variable is None:
        raise TemplateError(_after_spaces(text, start), _no_variable(found.group(1)))
    position = variable.start(1)
    kind, name = _variable(position, variable.group(1), variable.group(2))
    functions, at = [], variable.end()
    while function := _FUNCTION.match(text, at, end):
        functions.append(_function(function))
        at = function.end()
    if text[at:end].strip():
        what = f"{text[at:end].strip()[:30]!r} is not understood; write {{{{ $value | humanize }}}}"
        raise TemplateError(_after_spaces(text, at), what)
    return Tag(kind, name, tuple(functions), position, found.start(), found.end())


def _no_variable(inside: str) -> str:
    word = inside.split()[:1]
    if not word:
        return "{{ }} is empty; write {{ $value }} or {{ $labels.host }}"
    if word[0] in FUNCTIONS:
        return f"a value goes through a function as in {{{{ $value | {word[0]} }}}}"
    return f"{word[0][:30]!r} is not understood; a tag begins with $labels.NAME, $value or $row.COLUMN"


def _variable(position: int, word: str, name: str | None) -> tuple[Variable, str]:
    if word not in set(Variable):
        raise TemplateError(position, unknown("variable", word, map(str, Variable)))
    variable = Variable(word)
    if variable is Variable.VALUE and name is not None:
        raise TemplateError(position, "$value is a number and has no parts; write $value")
    if variable is not Variable.VALUE and not name:
        raise TemplateError(position, f"{word} needs a name, as in {word}.host")
    return variable, name or ""


def _function(found: re.Match[str]) -> str:
    name = found.group(1)
    if name not in FUNCTIONS:
        raise TemplateError(found.start(1), unknown("function", name, FUNCTIONS))
    return name


def _after_spaces(text: str, at: int) -> int:
    return len(text) - len(text[at:].lstrip())


def _expanded(tag: Tag, labels: Mapping[str, str], value: float, row: Mapping[str, Value]) -> str:
    result = _looked_up(tag, labels, value, row)
    for function in tag.functions:
        result = FUNCTIONS[function](result)
    return _text(result)


def _looked_up(tag: Tag, labels: Mapping[str, str], value: float, row: Mapping[str, Value]) -> Value:
    if tag.variable is Variable.VALUE:
        return float(value)
    source: Mapping[str, Value] = labels if tag.variable is Variable.LABELS else row
    if source.get(tag.name) is None:
        what = "label" if tag.variable is Variable.LABELS else "column in the row"
        raise LookupError(f"there is no {what} {tag.name!r}")
    return source[tag.name]
