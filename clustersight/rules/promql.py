"""A rule's condition as PromQL in the unit of its key, for who evaluates rules in Prometheus (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from clustersight.metric_keys import MetricKey, metric_keys
from clustersight.metrics import Metric, Rate
from clustersight.panels import ALL
from clustersight.rules.expression import matcher, number, string
from clustersight.rules.rule import COMMON_LABELS, Match, NoData, Rule
from clustersight.scores import HEALTH
from clustersight.self_metrics import LAST_SUCCESS, RUNNER

# A family within an expression of the catalogue, and what it chooses already.
_FAMILY = re.compile(r"\b((?:clickhouse|clustersight)_\w+)\b(?:\{([^{}]*)\})?")
# What binds weaker than the comparison that follows.
_LOOSE = re.compile(r" (?:and|or|unless) |[<>=!]=? ")


@cache
def families() -> Mapping[str, Metric]:
    """Every family of the page, by name."""
    every = [*(metric for panel in ALL for metric in panel.metrics), *RUNNER, *HEALTH]
    return {metric.name: metric for metric in every}


def condition(rule: Rule) -> str:
    """The expression that has a value where the rule fires. The rule is checked, and none with SQL."""
    key = metric_keys()[rule.metric_key]
    value = value_of(key, rule.match)
    parts = [f"{value} {rule.operator} {number(rule.threshold)}"]
    if rule.resolve_threshold is not None:
        stays = f"{value} {rule.operator} {number(rule.resolve_threshold)}"
        parts.append(f"({stays} and on ({', '.join(labels_of(key))}) {_firing(rule)})")
    if rule.no_data is NoData.ALERT:
        parts.append(f"absent({_selector(key.prometheus_name, {**rule.match, **_own(key)})})")
    return " or ".join(parts)


def value_of(key: MetricKey, match: Match) -> str:
    """The values of a key, in its unit."""
    source = key.source
    if isinstance(source, Rate):
        return _rate(source, match)
    selector = _selector(source.name, {**match, **_own(key)})
    if source.name == LAST_SUCCESS.name:
        return f"time() - {selector}"
    # The label that chooses the key is none of the alert's.
    value = f"max without ({source.labels[0]}) ({selector})" if source.keys else selector
    return value if source.per_base_unit == 1 else f"{value} * {number(source.per_base_unit)}"


def _own(key: MetricKey) -> dict[str, str]:
    """What chooses one key of a family that has several."""
    source = key.source
    if isinstance(source, Rate) or not source.keys:
        return {}
    return {source.labels[0]: next(value for value, name in source.keys if name == key.key)}


def _rate(rate: Rate, match: Match) -> str:
    """The catalogue's expression with the match put in after each family, as far as it has the labels."""

    def conditions(name: str) -> list[str]:
        has = (*COMMON_LABELS, *families()[name].labels)
        return [matcher(label, value) for label, value in match.items() if label in has]

    expression = selected(rate.expr, conditions)
    return f"({expression})" if _LOOSE.search(rate.expr) else expression


def selected(expression: str, conditions: Callable[[str], Sequence[str]]) -> str:
    """An expression with more conditions after the name of each family, beside those that it has."""

    def more(found: re.Match[str]) -> str:
        name, chosen = found.groups()
        return _braced(name, [*([chosen] if chosen else []), *conditions(name)])

    return _FAMILY.sub(more, expression)


def _selector(name: str, match: Match) -> str:
    return _braced(name, [matcher(label, value) for label, value in match.items()])


def _braced(name: str, conditions: Sequence[str]) -> str:
    return f"{name}{{{','.join(conditions)}}}" if conditions else name


def labels_of(key: MetricKey) -> Iterator[str]:
    """What makes one alert: the labels by which ALERTS is told to be of the same thing."""
    yield "cluster"
    if isinstance(key.source, Rate) or not key.source.cluster_only:
        yield "host"
    yield from key.labels


def _firing(rule: Rule) -> str:
    """Prometheus' own record of what fires; the severity tells a rule from the one that it raises."""
    wanted = {"alertname": rule.identity, "alertstate": "firing", "severity": str(rule.severity)}
    return "ALERTS{" + ",".join(f"{label}={string(value)}" for label, value in wanted.items()) + "}"
