"""What the exporter says of itself: build, reloads, visits, series, and its own CPU and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from clustersight import __version__
from exporter.page import Format


class OwnMetrics(Collector):
    """Values are read when the page is put together; reload times are wall seconds."""

    def __init__(self, visits: Callable[[], int], series: Callable[[], int]) -> None:
        self._visits = visits
        self._series = series
        self._process = ProcessCollector(registry=CollectorRegistry())
        self.reload_successful = True
        self.reloaded_at = 0.0

    def collect(self) -> Iterator[Family]:
        build = GaugeMetricFamily("clustersight_build_info", "1; the version.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield GaugeMetricFamily(
            "clustersight_config_last_reload_successful",
            "1 if the last reload of the configuration was taken over.",
            value=float(self.reload_successful),
        )
        yield GaugeMetricFamily(
            "clustersight_config_last_reload_success_timestamp_seconds",
            "When a configuration was last taken over.",
            value=self.reloaded_at,
        )
        yield GaugeMetricFamily(
            "clustersight_exporter_series", "Series of the clusters on this page.", value=self._series()
        )
        yield CounterMetricFamily(
            "clustersight_exporter_visits", "Visits to nodes since the start.", value=self._visits()
        )
        yield from self._process.collect()

    def render(self, page_format: Format) -> bytes:
        """As the end of a page."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        generate = generate_latest if page_format is Format.TEXT else openmetrics.generate_latest
        return bytes(generate(registry))
