"""What the exporter says of itself: build, reloads, visits, series, and its own CPU and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from clustersight import __version__
from clustersight.metrics import Metric
from clustersight.self_metrics import (
    BUILD_INFO,
    LEADER,
    RELOAD_SUCCESSFUL,
    RELOADED_AT,
    SERIES,
    STORE_UP,
    VISITS,
    VISITS_NOT_STORED,
    VISITS_STORED,
)
from exporter.page import Format
from exporter.recorder import Recorder


class OwnMetrics(Collector):
    """Values are read when the page is put together; reload times are wall seconds."""

    def __init__(self, visits: Callable[[], int], series: Callable[[], int]) -> None:
        self._visits = visits
        self._series = series
        self._process = ProcessCollector(registry=CollectorRegistry())
        self.recorder: Recorder | None = None
        self.reload_successful = True
        self.reloaded_at = 0.0

    def collect(self) -> Iterator[Family]:
        build = GaugeMetricFamily(BUILD_INFO.name, BUILD_INFO.help, labels=list(BUILD_INFO.labels))
        build.add_metric([__version__], 1)
        yield build
        yield _gauge(RELOAD_SUCCESSFUL, float(self.reload_successful))
        yield _gauge(RELOADED_AT, self.reloaded_at)
        yield _gauge(SERIES, self._series())
        yield CounterMetricFamily(VISITS.name, VISITS.help, value=self._visits())
        if self.recorder is not None:
            yield from _of_store(self.recorder)
        yield from self._process.collect()

    def render(self, page_format: Format) -> bytes:
        """As the end of a page."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        generate = generate_latest if page_format is Format.TEXT else openmetrics.generate_latest
        return bytes(generate(registry))


def _of_store(recorder: Recorder) -> Iterator[Family]:
    yield _gauge(STORE_UP, float(not recorder.error))
    yield _gauge(LEADER, float(recorder.leadership.leads))
    yield CounterMetricFamily(VISITS_STORED.name, VISITS_STORED.help, value=recorder.written)
    yield CounterMetricFamily(VISITS_NOT_STORED.name, VISITS_NOT_STORED.help, value=recorder.left_out)


def _gauge(metric: Metric, value: float) -> Family:
    return GaugeMetricFamily(metric.name, metric.help, value=value)
