"""Samples as lines of the Prometheus text format (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.utils import floatToGoString

from clustersight.metrics import Kind, Metric, Sample

# 0.0.4 is what every Prometheus reads.
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def escape(value: str) -> str:
    """A label value, escaped; a NUL, which ends the page for some parsers, is shown as \\0."""
    if value.isalnum():
        return value
    return value.replace("\0", "\\0").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def header(metric: Metric) -> bytes:
    """HELP and TYPE of a family."""
    text = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {metric.name} {text}\n# TYPE {metric.name} {metric.kind}\n".encode()


def openmetrics_header(metric: Metric) -> bytes:
    """The same as OpenMetrics: a counter's family lacks _total, and one without it is of unknown type."""
    text = metric.help.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    counted = metric.kind is Kind.COUNTER and metric.name.endswith("_total")
    kind = metric.kind if counted or metric.kind is not Kind.COUNTER else "unknown"
    name = metric.name.removesuffix("_total") if counted else metric.name
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode()


def render(samples: Iterable[Sample], cluster: str, host: str) -> dict[Metric, list[str]]:
    """Lines per family, each with `cluster`, and `host` unless the family is of the whole cluster."""
    of_cluster = f'cluster="{escape(cluster)}"'
    of_host = f'{of_cluster},host="{escape(host)}"'
    lines: dict[Metric, list[str]] = {}
    for metric, values, value in samples:
        base = of_cluster if metric.cluster_only else of_host
        own = "".join(f',{k}="{escape(v)}"' for k, v in zip(metric.labels, values, strict=True))
        lines.setdefault(metric, []).append(f"{metric.name}{{{base}{own}}} {number(value)}\n")
    return lines


def number(value: float) -> str:
    """1 as 1, not 1.0: a tenth of a large page."""
    return str(int(value)) if -1e15 < value < 1e15 and value == int(value) else str(floatToGoString(value))  # type: ignore[no-untyped-call]
