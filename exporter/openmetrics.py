"""The page as OpenMetrics, for scrapers that ask for it: made by prometheus_client, on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from clustersight.metrics import Kind, Metric, Sample
from exporter.page import PieceKey

OPENMETRICS_TYPE = CONTENT_TYPE_LATEST

Pieces = Iterable[tuple[PieceKey, list[Sample]]]


class _Pieces(Collector):
    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    def collect(self) -> Iterator[Family]:
        families: dict[str, Family] = {}
        for key, samples in self._pieces:
            for metric, values, value in samples:
                family = families.setdefault(metric.name, _family(metric))
                labels = {"cluster": key.cluster}
                if not metric.cluster_only:
                    labels["host"] = key.host
                labels |= dict(zip(metric.labels, values, strict=True))
                family.add_sample(metric.name, labels, value)
        yield from (families[name] for name in sorted(families))


def _family(metric: Metric) -> Family:
    # OpenMetrics names a counter's family without the suffix, and knows no counter without it.
    counted = metric.kind is Kind.COUNTER and metric.name.endswith("_total")
    kind = metric.kind.value if metric.kind is not Kind.COUNTER else "counter" if counted else "unknown"
    return Family(metric.name.removesuffix("_total") if counted else metric.name, metric.help, kind)


def render(pieces: Pieces, own: Collector) -> bytes:
    """Everything on the page and the exporter's own metrics, ending in # EOF."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Pieces(pieces))
    registry.register(own)
    return bytes(generate_latest(registry))  # type: ignore[no-untyped-call]
