"""Every rule key with what a person needs to use it: from the catalogue (spec/metrics.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from clustersight.metrics import Metric, Rate
from clustersight.panels import ALL
from clustersight.panels.panel import Tier
from clustersight.scores import HEALTH
from clustersight.self_metrics import RUNNER, RUNNER_RATES

# What is neither a panel's: the runner's own keys and those of the score.
RUNNER_PANEL = "collector"
HEALTH_PANEL = "health-score"


@dataclass(frozen=True, slots=True)
class MetricKey:
    """A key of rules. `labels` come beside `cluster` and `host`; a rate's name is its first source's."""

    key: str
    unit: str
    description: str
    labels: tuple[str, ...]
    prometheus_name: str
    panel: str
    tier: int
    source: Metric | Rate


@cache
def metric_keys() -> dict[str, MetricKey]:
    """All of them, by key, in the order of the catalogue."""
    return {one.key: one for one in _all()}


def _all() -> Iterator[MetricKey]:
    for panel in ALL:
        for metric in panel.metrics:
            yield from _of_metric(metric, panel.name, panel.tier)
        for rate in panel.rates:
            yield _of_rate(rate, panel.name, panel.tier)
    for metric in RUNNER:
        yield from _of_metric(metric, RUNNER_PANEL, Tier.ONE)
    for rate in RUNNER_RATES:
        yield _of_rate(rate, RUNNER_PANEL, Tier.ONE)
    for metric in HEALTH:
        yield from _of_metric(metric, HEALTH_PANEL, Tier.ONE)


def _of_rate(rate: Rate, panel: str, tier: Tier) -> MetricKey:
    unit, source = str(rate.unit), rate.sources[0]
    return MetricKey(rate.key, unit, rate.help, rate.labels, source, panel, int(tier), rate)


def _of_metric(metric: Metric, panel: str, tier: Tier) -> Iterator[MetricKey]:
    unit, tier_number = str(metric.unit), int(tier)
    if metric.key is not None:
        yield MetricKey(metric.key, unit, metric.help, metric.labels, metric.name, panel, tier_number, metric)
    for value, key in metric.keys:
        about = f"{metric.help} ({metric.labels[0]} {value})"
        yield MetricKey(key, unit, about, (), metric.name, panel, tier_number, metric)
