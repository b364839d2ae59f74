"""What the alerter says of itself at /metrics (spec/metrics.md, "Self")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from clustersight import __version__
from clustersight.alerter_metrics import (
    ALERTS,
    CHANNEL_HEALTHY,
    CLOCK_STEPS,
    EVALUATION_SECONDS,
    FAILURES,
    FIRING,
    HEARTBEATS,
    LAST_PASS,
    LEADER,
    MISSED,
    NOTIFICATIONS,
    OUTBOX_AGE,
    OUTBOX_ROWS,
    RELOAD_SUCCESSFUL,
    RELOADED_AT,
    RULES,
)
from clustersight.metrics import Kind, Metric
from clustersight.self_metrics import BUILD_INFO

if TYPE_CHECKING:
    from alerter.status import Status

_STATES = ("pending", "delivered", "superseded", "dead")
_OUTCOMES = ("delivered", "retried", "paused", "unhealthy", "refused", "dead")


class OwnMetrics(Collector):
    """Values are read at each scrape."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._process = ProcessCollector(registry=CollectorRegistry())

    def collect(self) -> Iterator[Family]:
        status = self._status
        yield _family(BUILD_INFO, {(__version__,): 1.0})
        yield _family(RELOAD_SUCCESSFUL, {(): float(status.reload_successful)})
        yield _family(RELOADED_AT, {(): status.reloaded_at})
        yield _family(LEADER, {(): float(status.leads)})
        yield _family(RULES, {(): float(len(status.rules))})
        yield _family(FAILURES, {(): float(status.failures)})
        yield _family(MISSED, {(): float(status.missed)})
        yield _family(CLOCK_STEPS, {(): float(status.clock_steps)})
        yield _family(HEARTBEATS, {("sent",): status.heartbeats[0], ("failed",): status.heartbeats[1]})
        if status.last_pass_at is not None:
            yield _family(LAST_PASS, {(): status.last_pass_at})
            yield _family(EVALUATION_SECONDS, {(): status.last_pass_seconds})
        yield _family(ALERTS, {(severity,): float(n) for severity, n in status.alerts().items()})
        yield _family(FIRING, {labels: float(n) for labels, n in status.firing().items()})
        yield from _deliveries(status)
        yield from self._process.collect()

    def render(self) -> bytes:
        """The page."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return bytes(generate_latest(registry))


def _deliveries(status: Status) -> Iterator[Family]:
    sent = {
        (channel, outcome): float(counts.get(outcome, 0))
        for channel, counts in status.notifications().items()
        for outcome in _OUTCOMES
    }
    yield _family(NOTIFICATIONS, sent)
    yield _family(CHANNEL_HEALTHY, {(name,): float(ok) for name, ok in status.channels().items()})
    rows, oldest_seconds = status.outbox()
    yield _family(OUTBOX_ROWS, {(state,): float(rows.get(state, 0)) for state in _STATES})
    yield _family(OUTBOX_AGE, {(): oldest_seconds})


def _family(metric: Metric, values: Mapping[Any, float]) -> Family:
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    """`values` by the values of the labels."""
    family = kind(metric.name, metric.help, labels=list(metric.labels))
    for labels, value in values.items():
        family.add_metric(list(labels), value)
    return family
