"""PromQL back to a condition: what the export writes, and a family of the page compared with a number.

Everything else raises UnknownExpressionError; there is no parser of PromQL here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from clustersight.metric_keys import MetricKey, metric_keys
from clustersight.metrics import Rate
from clustersight.rules import expression
from clustersight.rules.expression import ExpressionError
from clustersight.rules.rule import Match, NoData, Operator
from clustersight.self_metrics import LAST_SUCCESS

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_CONDITIONS = r"""(?:[^{}"'`]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)*"""
_SELECTOR = rf"[a-zA-Z_:][\w:]*\s*(?:\{{{_CONDITIONS}\}})?"
_COMPARED = re.compile(rf"(?P<value>.*\S)\s*(?P<operator>>=|<=|==|!=|>|<)\s*(?P<number>{_NUMBER})", re.DOTALL)
_STAYS = re.compile(r"(?P<fires>.*?) or \((?P<stays>.*) and on ?\([\w, ]*\) ALERTS\{.*\}\)", re.DOTALL)
_ABSENT = re.compile(r"(?P<rest>.*) or absent\((?:[^()]|\"(?:\\.|[^\"\\])*\")*\)", re.DOTALL)
_TIMES = re.compile(rf"(?P<value>.*\S)\s*\*\s*(?P<factor>{_NUMBER})", re.DOTALL)
_AGE = re.compile(rf"time\(\)\s*-\s*(?P<selector>{_SELECTOR})")
_WITHOUT = re.compile(rf"(?:max|sum|min) without ?\(\w+\) ?\((?P<selector>{_SELECTOR})\)")
_FAMILY = re.compile(r"((?:clickhouse|clustersight)_\w+)(\{[^{}]*\})?")
# More digits of a threshold that was multiplied are errors of binary fractions: 0.29 * 100.
_DIGITS = 12


class UnknownExpressionError(ValueError):
    """An expression that no rule key says; the message says why."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What an expression says in the unit of the key; `scaled`: the expression was in another unit."""

    metric_key: str
    match: Match
    operator: Operator
    threshold: float
    resolve_threshold: float | None = None
    no_data: NoData = NoData.KEEP
    scaled: bool = False


@dataclass(frozen=True, slots=True)
class _Value:
    """A key, and what its values in the expression are multiplied with to be in the key's unit."""

    key: str
    match: Match
    factor: float = 1.0


def read(text: str) -> Condition:
    """The condition of an expression. Raises UnknownExpressionError."""
    text, no_data, stays = " ".join(text.split()), NoData.KEEP, None
    if absent := _ABSENT.fullmatch(text):
        text, no_data = absent["rest"], NoData.ALERT
    if hysteresis := _STAYS.fullmatch(text):
        text, stays = hysteresis["fires"], hysteresis["stays"]
    value, operator, threshold = _comparison(text)
    resolve = None
    if stays is not None:
        same, also, resolve = _comparison(stays)
        if (same, also) != (value, operator):
            raise UnknownExpressionError("the conditions to fire and to stay are of different things")
    return Condition(
        value.key, value.match, operator, threshold, resolve, no_data, scaled=value.factor != 1.0
    )


def _comparison(text: str) -> tuple[_Value, Operator, float]:
    compared = _COMPARED.fullmatch(text)
    if compared is None:
        raise UnknownExpressionError(f"is not a value compared with a number ({expression.SHAPE})")
    value = _value(compared["value"])
    number = float(compared["number"]) * value.factor
    return value, Operator(compared["operator"]), float(f"{number:.{_DIGITS}g}")


def _value(text: str) -> _Value:
    rate = _rate(text)
    if rate is not None:
        return rate
    if age := _AGE.fullmatch(text):
        name, match = _selector(age["selector"])
        if name == LAST_SUCCESS.name:
            return _Value(LAST_SUCCESS.key or "", match)
    if times := _TIMES.fullmatch(text):
        inner = _value(times["value"])
        factor = float(times["factor"])
        if not factor:
            raise UnknownExpressionError("multiplies with 0")
        return _Value(inner.key, inner.match, inner.factor / factor)
    without = _WITHOUT.fullmatch(text)
    return _of_family(*_selector(without["selector"] if without else text))


def _selector(text: str) -> tuple[str, Match]:
    try:
        found = expression.parse(f"{text} > 0")
    except ExpressionError as error:
        raise UnknownExpressionError(error.message) from None
    return found.name, found.match


def _of_family(name: str, match: Match) -> _Value:
    for key in metric_keys().values():
        source = key.source
        if isinstance(source, Rate) or source.name != name or name == LAST_SUCCESS.name:
            continue
        if not source.keys:
            return _Value(key.key, match, source.per_base_unit)
        label = source.labels[0]
        if match.get(label) == next(value for value, own in source.keys if own == key.key):
            return _Value(key.key, {k: v for k, v in match.items() if k != label}, source.per_base_unit)
    raise UnknownExpressionError(f"no rule key has the values of {name}")


def _rate(text: str) -> _Value | None:
    """A rate of the catalogue with conditions put in; all its families must have the same ones."""
    for key, pattern in _rates():
        found = pattern.fullmatch(text)
        if found is None:
            continue
        selectors = [_selector(f"x{{{one.strip('{}')}}}")[1] for one in found.groups() if one]
        fullest: Match = max(selectors, key=len, default={})
        if all(one.items() <= fullest.items() for one in selectors):
            return _Value(key.key, fullest)
    return None


@cache
def _rates() -> tuple[tuple[MetricKey, re.Pattern[str]], ...]:
    return tuple(
        (key, _pattern(key.source.expr)) for key in metric_keys().values() if isinstance(key.source, Rate)
    )


def _pattern(expr: str) -> re.Pattern[str]:
    """The expression with a place for conditions after each family."""
    return re.compile(rf"\(?{''.join(_pieces(expr))}\)?")


def _pieces(expr: str) -> Iterator[str]:
    end = 0
    for found in _FAMILY.finditer(expr):
        yield re.escape(expr[end : found.start()]) + re.escape(found[1])
        own = found[2]
        # What the catalogue chose stands first.
        yield rf"{re.escape(own[:-1])}(?:,({_CONDITIONS}))?\}}" if own else rf"(\{{{_CONDITIONS}\}})?"
        end = found.end()
    yield re.escape(expr[end:])
