"""What the API says of itself at /metrics: build, reloads, requests, and CPU and memory of each worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from api.reloads import ReloadState
from api.traffic import BUCKETS, Traffic
from clustersight import __version__
from clustersight.self_metrics import API_DURATION, API_REQUESTS, BUILD_INFO, RELOAD_SUCCESSFUL, RELOADED_AT

_BOUNDS = [*map(str, BUCKETS), "+Inf"]


class OwnMetrics(Collector):
    """`routes` are the paths by their number in `traffic`."""

    def __init__(self, traffic: Traffic, reloads: ReloadState, routes: Sequence[str]) -> None:
        self._traffic = traffic
        self._reloads = reloads
        self._routes = routes

    def render(self) -> bytes:
        """The page in Prometheus' text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return bytes(generate_latest(registry))

    def collect(self) -> Iterator[Family]:
        build = GaugeMetricFamily(BUILD_INFO.name, BUILD_INFO.help, labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield GaugeMetricFamily(RELOAD_SUCCESSFUL.name, RELOAD_SUCCESSFUL.help, float(self._reloads.ok))
        yield GaugeMetricFamily(RELOADED_AT.name, RELOADED_AT.help, self._reloads.succeeded_at)
        yield self._requests()
        yield self._durations()
        yield from self._processes()

    def _requests(self) -> Family:
        family = CounterMetricFamily(API_REQUESTS.name, API_REQUESTS.help, labels=list(API_REQUESTS.labels))
        for route, method, status, count in self._traffic.requests():
            family.add_metric([self._routes[route], method, str(status)], count)
        return family

    def _durations(self) -> Family:
        family = HistogramMetricFamily(API_DURATION.name, API_DURATION.help, labels=list(API_DURATION.labels))
        for route, counts, seconds in self._traffic.durations():
            family.add_metric([self._routes[route]], list(zip(_BOUNDS, counts, strict=True)), seconds)
        return family

    def _processes(self) -> Iterator[Family]:
        """`worker` is the row of a worker, which its successor takes over."""
        families: dict[str, Family] = {}
        for row, pid in self._traffic.workers():
            for found in ProcessCollector(pid=partial(int, pid), registry=CollectorRegistry()).collect():
                family = families.setdefault(found.name, Family(found.name, found.documentation, found.type))
                for sample in found.samples:
                    family.add_sample(sample.name, {"worker": str(row)}, sample.value)
        yield from families.values()
