"""PromQL of the dashboards: written with bare names of families, which get the selectors of the variables.

A name that the catalogue does not have is an error at once, so that no dashboard is empty by a typing slip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from clustersight import catalogue
from clustersight.metrics import Kind, Metric
from clustersight.panels import ALL
from clustersight.panels.panel import Scope
from clustersight.rules.promql import selected
from clustersight.scores import HEALTH
from clustersight.self_metrics import RUNNER

_OF_HISTOGRAM = ("_bucket", "_sum", "_count")


class UnknownFamilyError(ValueError):
    """An expression names a family that the catalogue does not have."""


@dataclass(frozen=True, slots=True)
class Query:
    """`expr` names families without cluster and host; `legend` is Grafana's, with {{label}}."""

    expr: str
    legend: str = ""


@cache
def families() -> Mapping[str, Metric]:
    """Every family of the catalogue, by name; those of a histogram by its three names too."""
    return dict(_named())


def _named() -> Iterator[tuple[str, Metric]]:
    for metric in catalogue.metrics():
        yield metric.name, metric
        if metric.kind is Kind.HISTOGRAM:
            yield from ((metric.name + suffix, metric) for suffix in _OF_HISTOGRAM)


def scoped(expr: str, variables: frozenset[str]) -> str:
    """The expression with `cluster=~"$cluster"` and `host=~"$host"` wherever a family has the label.

    `variables` are those that the dashboard has. Raises UnknownFamilyError.
    """

    def conditions(name: str) -> list[str]:
        if name not in families():
            raise UnknownFamilyError(f"{name} is not in the catalogue (docs/METRICS.md): {expr}")
        return [f'{label}=~"${label}"' for label in places(families()[name]) if label in variables]

    return selected(expr, conditions)


def places(metric: Metric) -> tuple[str, ...]:
    """Those of cluster and host by which a family may be chosen.

    What a panel of the whole cluster tells carries the host that told it: choosing hosts must not hide it.
    """
    if metric in _of_nodes():
        return ("cluster", "host")
    return ("cluster",) if metric in _of_clusters() or "cluster" in metric.labels else ()


@cache
def _of_nodes() -> frozenset[Metric]:
    of_panels = {metric for panel in ALL if panel.scope is Scope.NODE for metric in panel.metrics}
    return frozenset(of_panels | {metric for metric in RUNNER if not metric.cluster_only})


@cache
def _of_clusters() -> frozenset[Metric]:
    of_panels = {metric for panel in ALL if panel.scope is Scope.CLUSTER for metric in panel.metrics}
    return frozenset(of_panels | {metric for metric in (*RUNNER, *HEALTH) if metric.cluster_only})


OF_TABLE = "{{cluster}} {{host}} {{database}}.{{table}}"


def largest(expr: str, *by: str) -> Query:
    """The largest value for each combination of these labels; without any, for each node."""
    labels = by or ("cluster", "host")
    return Query(f"max by ({', '.join(labels)}) ({expr})", legend(labels))


def a_second(counter: str, *by: str) -> Query:
    """How often a second, for each combination of these labels; without any, for each node."""
    return _rate("rate({}[$__rate_interval])", counter, by)


def a_minute(counter: str, *by: str) -> Query:
    """How often a minute, as rule keys have it; else as `a_second`."""
    return _rate("60 * rate({}[$__rate_interval])", counter, by)


def _rate(form: str, counter: str, by: tuple[str, ...]) -> Query:
    labels = by or ("cluster", "host")
    return Query(f"sum by ({', '.join(labels)}) ({form.format(counter)})", legend(labels))


def worst(expr: str, count: int = 20) -> Query:
    """The `count` tables with the largest value."""
    return Query(f"topk({count}, {expr})", OF_TABLE)


def alerts_of(severity: str) -> Query:
    """How many alerts of a severity there are; nothing at all where no alerter works, and never 0 then."""
    return Query(
        f'sum(clustersight_alerter_firing_alerts{{severity="{severity}"}})'
        " or 0 * (max(clustersight_alerter_leader) == 1)"
    )


def legend(labels: tuple[str, ...]) -> str:
    """The values of these labels."""
    return " ".join(f"{{{{{label}}}}}" for label in labels)
