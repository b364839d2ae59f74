"""Colours of the dashboards: the thresholds of the built-in rules, in the unit of the panel.

One source, so that a line on a graph is where the alert fires: config/rules/*.yaml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from grafana_foundation_sdk.models.dashboard import Threshold

from clustersight.metric_keys import metric_keys
from clustersight.metrics import Unit
from clustersight.rules.pack import built_in
from clustersight.rules.promql import value_of
from clustersight.rules.rule import Rule
from clustersight.settings.notify import Severity

CALM, WARNING, CRITICAL = "green", "orange", "red"
_COLOURS = {Severity.WARNING: WARNING, Severity.CRITICAL: CRITICAL}
# Grafana colours from a threshold on, a rule fires beyond it: of a threshold of 0, 0 itself is calm.
LEAST = 1e-6
# What a value of a rule key is divided by to be in a unit of Grafana's.
_SCALES = {(Unit.PERCENT, "percentunit"): 100.0, (Unit.MILLISECONDS, "s"): 1000.0}


@dataclass(frozen=True, slots=True)
class Level:
    """From which value on (or, `below`, under which) a rule of this severity fires."""

    value: float
    severity: Severity
    below: bool


def steps_of(rule: str, unit: str) -> list[Threshold]:
    """The steps for a panel in `unit` of this rule and of its other severity.

    Raises ValueError for a rule that the pack does not have.
    """
    levels = levels_of(rule, unit)
    return _falling(levels) if levels[0].below else _rising(levels)


def steps_of_count(rule: str) -> list[Threshold]:
    """The steps for a number of things for each of which the rule fires, or of alerts of a severity.

    Raises ValueError.
    """
    severity = Severity(rule) if rule in set(Severity) else levels_of(rule, "")[0].severity
    return _rising([Level(1.0, severity, below=False)])


def levels_of(rule: str, unit: str) -> list[Level]:
    """The thresholds of a rule and of its other severity, if that is of the same key.

    Raises ValueError without any.
    """
    named = _named(rule)
    return [_level(one, unit) for one in _pack() if _are_one(one, named)]


def seen_by(rule: str) -> str:
    """What a rule looks at, as PromQL in the unit of its key. Raises ValueError.

    Events a minute are counted over $__rate_interval instead of the five minutes of the rule.
    """
    named = _named(rule)
    return value_of(metric_keys()[named.metric_key], named.match).replace("[5m]", "[$__rate_interval]")


def _named(rule: str) -> Rule:
    named = next((one for one in _pack() if one.name == rule), None)
    if named is None:
        raise ValueError(f"there is no built-in rule {rule}")
    return named


def _are_one(one: Rule, other: Rule) -> bool:
    return one.identity == other.identity and one.metric_key == other.metric_key


@cache
def _pack() -> Sequence[Rule]:
    return built_in().rules


def _level(rule: Rule, unit: str) -> Level:
    value = rule.threshold / _SCALES.get((Unit(metric_keys()[rule.metric_key].unit), unit), 1.0)
    off = rule.operator == "==" and value == 0
    below = rule.operator.startswith("<") or off
    # `== 0` of a value that is 0 or 1: under 1 it fires.
    return Level(1.0 if off else (value or LEAST), rule.severity, below)


def _rising(levels: Sequence[Level]) -> list[Threshold]:
    return [
        Threshold(None, CALM),
        *(Threshold(one.value, _COLOURS[one.severity]) for one in sorted(levels, key=lambda one: one.value)),
    ]


def _falling(levels: Sequence[Level]) -> list[Threshold]:
    """Grafana's steps say what holds from a value on, so each begins where the worse one ends."""
    ordered = sorted(levels, key=lambda one: one.value)
    starts = [None, *(one.value for one in ordered)]
    colours = [*(_COLOURS[one.severity] for one in ordered), CALM]
    return [Threshold(start, colour) for start, colour in zip(starts, colours, strict=True)]
