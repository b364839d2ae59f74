"""A rule as everyone has it, wherever it comes from; checked against the catalogue."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from clustersight.metric_keys import metric_keys
from clustersight.problem import unknown
from clustersight.settings.notify import Severity

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


class NoData(StrEnum):
    """What a rule makes of a panel that has not been read for two intervals (spec/rules.md)."""

    KEEP = "keep"
    ALERT = "alert"
    OK = "ok"


class RunOn(StrEnum):
    """Which nodes a SQL rule is asked of."""

    EACH = "each"
    ONE = "one"


Match = Mapping[str, str | tuple[str, ...]]
# The panel and metric key of a SQL rule: this and its name.
SQL_PREFIX = "rule:"
DEFAULT_COOLDOWN_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of any origin; thresholds in the unit of the metric key, times in seconds.

    `raises` names the rule that this one is the higher severity of; `group` "cluster" makes one message of
    all its alerts in a cluster. `sql` rules have the metric key `rule:NAME`. No `cluster_ids`: all clusters.
    `origin` is FILE:LINE of a rule from a file.
    """

    name: str
    metric_key: str
    operator: Operator
    threshold: float
    severity: Severity = Severity.WARNING
    match: Match = field(default_factory=dict)
    resolve_threshold: float | None = None
    for_sec: int = 0
    keep_firing_for_sec: int = 0
    cooldown_sec: int = DEFAULT_COOLDOWN_SECONDS
    no_data: NoData = NoData.KEEP
    raises: str | None = None
    inhibited_by: tuple[str, ...] = ()
    group: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""
    description: str = ""
    runbook_url: str | None = None
    fix: str | None = None
    sql: str | None = None
    run_on: RunOn = RunOn.EACH
    interval_sec: int | None = None
    cluster_ids: tuple[str, ...] = ()
    enabled: bool = True
    origin: str = ""

    @property
    def identity(self) -> str:
        """The rule whose alert this one raises: its own name, or that of the milder one."""
        return self.raises or self.name


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a field of a rule; in a text, at which of its characters (from 0)."""

    field: str
    message: str
    position: int | None = None


def faults(rule: Rule) -> Iterator[Fault]:
    """Everything that is wrong with a rule, as spec/rules.md has it."""
    if not math.isfinite(rule.threshold):
        yield Fault("threshold", "must be a finite number")
    if rule.sql is None and rule.metric_key not in metric_keys():
        yield Fault("metric_key", _unknown_key(rule.metric_key))
    elif (allowed := labels_of(rule)) is not None:
        for label in rule.match:
            if label not in allowed:
                yield Fault(f"match.{label}", unknown("label", label, allowed))
    yield from _time_faults(rule)
    yield from _resolve_faults(rule)


def labels_of(rule: Rule) -> tuple[str, ...] | None:
    """The labels that its values have; None where nobody knows before it is asked: SQL, an unknown key."""
    key = metric_keys().get(rule.metric_key)
    return None if key is None else (*COMMON_LABELS, *key.labels)


def _time_faults(rule: Rule) -> Iterator[Fault]:
    for name in ("for_sec", "keep_firing_for_sec", "cooldown_sec"):
        if getattr(rule, name) < 0:
            yield Fault(name, "must be 0 seconds or more")


# Looking for near names takes a millisecond, and a typo may be in 10 000 rules.
@lru_cache(maxsize=1000)
def _unknown_key(key: str) -> str:
    """With the nearest names; there are too many for all of them."""
    near = difflib.get_close_matches(key, metric_keys(), n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"unknown metric key {key!r}; {hint}docs/METRICS.md and GET /alerts/rules/metrics list all"


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
