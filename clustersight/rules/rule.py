"""A rule as everyone has it, wherever it comes from; checked against the catalogue."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from clustersight.metric_keys import metric_keys
from clustersight.problem import unknown

# Beside its own labels every metric has these.
COMMON_LABELS = ("cluster", "host")


class Operator(StrEnum):
    """How a value is compared with the threshold."""

    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="
    EQUAL = "=="
    DIFFERENT = "!="


_RISING = frozenset({Operator.ABOVE, Operator.AT_LEAST})
_FALLING = frozenset({Operator.BELOW, Operator.AT_MOST})


@dataclass(frozen=True, slots=True)
class Rule:
    """What is compared; thresholds in the unit of the metric key, times in seconds."""

    metric_key: str
    operator: Operator
    threshold: float
    match: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    resolve_threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a field of a rule."""

    field: str
    message: str


def faults(rule: Rule) -> Iterator[Fault]:
    """Everything that is wrong with a rule, as spec/rules.md has it."""
    known = metric_keys()
    if not math.isfinite(rule.threshold):
        yield Fault("threshold", "must be a finite number")
    if rule.metric_key not in known:
        yield Fault("metric_key", _unknown_key(rule.metric_key))
    else:
        allowed = (*COMMON_LABELS, *known[rule.metric_key].labels)
        for label in rule.match:
            if label not in allowed:
                yield Fault(f"match.{label}", unknown("label", label, allowed))
    yield from _resolve_faults(rule)


def _unknown_key(key: str) -> str:
    """With the nearest names; there are too many for all of them."""
    near = difflib.get_close_matches(key, metric_keys(), n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"unknown metric key {key!r}; {hint}GET /alerts/rules/metrics lists all"


def _resolve_faults(rule: Rule) -> Iterator[Fault]:
    resolve = rule.resolve_threshold
    if resolve is None:
        return
    if rule.operator not in _RISING | _FALLING:
        yield Fault("resolve_threshold", "needs one of the operators > >= < <=; leave it out")
    elif not math.isfinite(resolve):
        yield Fault("resolve_threshold", "must be a finite number")
    elif resolve > rule.threshold if rule.operator in _RISING else resolve < rule.threshold:
        side = "at most" if rule.operator in _RISING else "at least"
        yield Fault("resolve_threshold", f"must be {side} the threshold, on its calm side")
