"""The metrics of ClickHouse's own endpoint under its own names, for dashboards that people already have.

Sources: system.metrics, system.events, system.asynchronous_metrics. Only with `exporter.builtin_names`.
The names are the server's, so the families are made as they are met.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clustersight.metrics import Kind, Metric, Sample
from clustersight.panels import counters
from clustersight.panels.panel import Context, Panel, Rows

NAME = "builtin"

METRICS, EVENTS, ASYNC = "Metrics", "ProfileEvents", "AsyncMetrics"
SQL = """
SELECT 'Metrics' AS source, metric AS name, '' AS key, toFloat64(value) AS value FROM system.metrics
UNION ALL
SELECT 'ProfileEvents', event, '', toFloat64(value) FROM system.events
LIMIT 20000
"""
# From 26.8 those of each CPU, device and disk are one row with a Map, its value NaN (ClickHouse#115333);
# asynchronous_metrics_key_values_mode brings the old names back, alone or beside the Map.
SQL_ASYNC = """
SELECT
    'AsyncMetrics' AS source, metric AS name, {{key ? toString(key) : ''}} AS key, toFloat64(value) AS value
FROM system.asynchronous_metrics
{{key_values ?
UNION ALL
SELECT 'AsyncMetrics', metric, toString(keyed.1), toFloat64(keyed.2)
FROM system.asynchronous_metrics
ARRAY JOIN arrayZip(mapKeys(key_values), mapValues(key_values)) AS keyed
}}
LIMIT 20000
"""
# ClickHouse's endpoint labels a key by what it names; the table does not say by what.
KEY_LABELS = {"Disk": "disk", "Block": "device"}
# ClickHouse's endpoint exports events that are 0, system.events hides them: rate() of a dashboard would find
# nothing, and increase() would miss the first one. These are named by the Grafana and ClickHouse mixins.
NAMED_EVENTS = frozenset(counters.EVENTS) | frozenset((
    "AsyncInsertQuery", "CachedReadBufferReadFromCacheBytes", "CachedReadBufferReadFromSourceBytes",
    "DiskReadElapsedMicroseconds", "DiskWriteElapsedMicroseconds", "FailedAsyncInsertQuery",
    "InsertQueryTimeMicroseconds", "InsertedBytes", "InsertedRows", "LogError", "MarkCacheHits",
    "MarkCacheMisses", "Merge", "MergeTreeDataWriterBlocks", "MergeTreeDataWriterCompressedBytes",
    "MergeTreeDataWriterRows", "MergeTreeDataWriterUncompressedBytes", "MergedRows",
    "MergedUncompressedBytes", "NetworkReceiveBytes", "NetworkReceiveElapsedMicroseconds",
    "NetworkSendBytes", "NetworkSendElapsedMicroseconds", "OSCPUVirtualTimeMicroseconds", "OSReadChars",
    "QueryMemoryLimitExceeded", "QueryTimeMicroseconds", "ReadBufferFromS3Bytes", "ReplicatedPartChecks",
    "ReplicatedPartFetches", "ReplicatedPartMerges", "ReplicatedPartMutations",
    "SelectQueryTimeMicroseconds", "SelectedBytes", "SelectedMarks", "SelectedParts", "SelectedRanges",
    "SelectedRows", "ZooKeeperWaitMicroseconds",
))  # fmt: skip
_UNSAFE = re.compile(r"[^a-zA-Z0-9_:]")


@dataclass(frozen=True, slots=True)
class Row:
    """`key` is the disk, device or CPU that the value is of; empty for a value of the whole server."""

    source: str
    name: str
    key: str
    value: float


@dataclass(frozen=True, slots=True)
class Named:
    """A value and the instance that it is of."""

    row: Row
    instance: str


class Families:
    """One Metric for each name and label, made once: samples are grouped by it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Metric] = {}

    def of(self, row: Row) -> Metric:
        label = _key_label(row)
        key = (row.source, row.name, label)
        found = self._known.get(key)
        # Two threads may meet a name at once: both get the one that was first.
        return found or self._known.setdefault(key, _family(row, label))


_FAMILIES = Families()


def _family(row: Row, label: str) -> Metric:
    labels = ("instance", label) if label else ("instance",)
    kind = Kind.COUNTER if row.source == EVENTS else Kind.GAUGE
    return Metric(metric_name(row.source, row.name), f"ClickHouse's own {row.name}.", labels, kind)


def metric_name(source: str, name: str) -> str:
    """What ClickHouse's endpoint calls it; whatever Prometheus does not allow is an underscore there too."""
    return f"ClickHouse{source}_{_UNSAFE.sub('_', name)}"


def _key_label(row: Row) -> str:
    if not row.key:
        return ""
    return next((label for start, label in KEY_LABELS.items() if row.name.startswith(start)), "key")


def probe(context: Context) -> Rows:
    rows = context.rows(SQL, Row)
    if context.has("asynchronous_metrics"):
        rows += context.rows(SQL_ASYNC, Row)
    return [Named(row, context.endpoint) for row in (*rows, *_zeros(rows))]


def _zeros(rows: list[Row]) -> Iterator[Row]:
    """The events that dashboards name and that have not happened yet."""
    happened = {row.name for row in rows if row.source == EVENTS}
    for name in sorted(NAMED_EVENTS - happened):
        yield Row(EVENTS, name, "", 0.0)


def samples(rows: Rows) -> Iterator[Sample]:
    for named in rows:
        row: Row = named.row
        labels = (named.instance, row.key) if row.key else (named.instance,)
        yield Sample(_FAMILIES.of(row), labels, row.value)


def payload(rows: Rows) -> list[dict[str, Any]]:  # noqa: ARG001
    """Nothing: these thousands of values are for the page only."""
    return []


PANEL = Panel(
    name=NAME,
    about="The names of ClickHouse's own Prometheus endpoint, from system.metrics, events and their like.",
    needs=("metrics", "events"),
    reads=("asynchronous_metrics",),
    probe=probe,
    samples=samples,
    metrics=(),
    dynamic=True,
    payload=payload,
)
