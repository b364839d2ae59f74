"""The server itself: uptime, clock, memory and connections against their limits, merge pool, lost parts.

Sources: uptime() and now(), system.metrics, system.events, system.asynchronous_metrics,
system.server_settings (23.x+).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clustersight.metrics import Kind, Metric, Rate, Reading, Sample, Unit, per_minute
from clustersight.panels import counters, server_limits
from clustersight.panels.counters import Counters
from clustersight.panels.panel import Context, Panel, Rows

NAME = "server"

CONNECTIONS = {
    "tcp": "TCPConnection",
    "http": "HTTPConnection",
    "interserver": "InterserverConnection",
    "mysql": "MySQLConnection",
    "postgresql": "PostgreSQLConnection",
}
# What a server counts when another one cannot be reached: at all for a Distributed table, or for a part.
INTERSERVER_ERRORS = {
    "distributed": "DistributedConnectionFailAtAll",
    "fetch": "ReplicatedPartFailedFetches",
}
# A cgroup without a limit says nearly 2^63.
NO_LIMIT_BYTES = 2**60


@dataclass(frozen=True, slots=True)
class Row:
    """`memory_limit_bytes` is the smallest of the server's, the cgroup's and the machine's; None: unknown."""

    version: str
    uptime_seconds: int
    clock_skew_seconds: float | None
    memory_bytes: float | None
    memory_limit_bytes: float | None
    connections: Mapping[str, float]
    max_connections: float | None
    merge_pool_busy: float | None
    merge_pool_size: float | None
    interserver_errors: Mapping[str, float]
    data_losses: float
    ddl_entry: float | None = None
    ddl_pushed_entry: float | None = None

    @property
    def memory_usage(self) -> float | None:
        return _share(self.memory_bytes, self.memory_limit_bytes)

    @property
    def connections_usage(self) -> float | None:
        return _share(sum(self.connections.values()), self.max_connections)

    @property
    def merge_pool_saturation(self) -> float | None:
        return _share(self.merge_pool_busy, self.merge_pool_size)


UPTIME = Metric(
    "clickhouse_uptime_seconds",
    "Time since the server started; absent where it says 0, which is no value.",
    key="server.uptime_seconds",
    unit=Unit.SECONDS,
    history=True,
)
SKEW = Metric(
    "clickhouse_clock_skew_seconds",
    "How far the server's clock is from the exporter's, fast or slow, to half a second; absent if unsure.",
    key="server.clock_skew_seconds",
    unit=Unit.SECONDS,
    alarming=5,
    history=True,
)
OFFSET = Metric(
    "clickhouse_clock_offset_seconds",
    "The server's clock minus the exporter's: negative if it is slow; absent if the answer took long.",
)
MEMORY = Metric(
    "clickhouse_memory_usage_ratio",
    "Memory of the server against the smallest of its limits; absent where none can be read.",
    key="memory.usage_pct",
    unit=Unit.PERCENT,
    alarming=0.9,
    history=True,
)
MEMORY_BYTES = Metric(
    "clickhouse_memory_usage_bytes",
    "The larger of tracked and resident memory of the server; before 20.x that of its queries only.",
    key="memory.usage_bytes",
    unit=Unit.BYTES,
    history=True,
)
MEMORY_LIMIT = Metric(
    "clickhouse_memory_limit_bytes",
    "The smallest of max_server_memory_usage, the cgroup's limit and the machine's memory.",
)
CONNECTED = Metric("clickhouse_connections", "Open connections of clients and other servers.", ("kind",))
CONNECTIONS_USAGE = Metric(
    "clickhouse_connections_usage_ratio",
    "Open connections of all kinds against max_connections; absent where the limit cannot be read.",
    key="server.connections_pct",
    unit=Unit.PERCENT,
    alarming=0.9,
    history=True,
)
MERGE_POOL = Metric(
    "clickhouse_merge_pool_saturation_ratio",
    "Busy share of the pool for merges and mutations; absent before 22.x.",
    key="pools.merge_saturation_pct",
    unit=Unit.PERCENT,
    alarming=1,
    history=True,
)
INTERSERVER = Metric(
    "clickhouse_interserver_errors_total",
    "Other servers that could not be reached for a distributed query, and parts that could not be fetched.",
    ("kind",),
    kind=Kind.COUNTER,
    history=True,
)
DATA_LOSS = Metric(
    "clickhouse_replicated_data_loss_total",
    "Parts that are on no replica any more: their rows are lost.",
    kind=Kind.COUNTER,
    history=True,
)
DDL_ENTRY = Metric(
    "clickhouse_ddl_max_entry_id",
    "The newest entry of DDL ON CLUSTER that the server is through with since its start; absent before 21.x.",
)
DDL_PUSHED_ENTRY = Metric(
    "clickhouse_ddl_max_pushed_entry_id",
    "The newest entry of DDL ON CLUSTER that this server has put into the queue since its start; absent"
    " before 23.x.",
)
RATES = (
    Rate(
        "server.restarted",
        Unit.COUNT,
        "Starts of the server within ten minutes: how often the uptime went back.",
        (UPTIME.name,),
        f"resets({UPTIME.name}[10m])",
        window_seconds=600,
        reading=Reading.RESETS,
    ),
    Rate(
        "server.restarts_1h",
        Unit.COUNT,
        "Starts of the server within an hour: how often the uptime went back.",
        (UPTIME.name,),
        f"resets({UPTIME.name}[1h])",
        window_seconds=3600,
        reading=Reading.RESETS,
    ),
    per_minute(
        "interserver.errors_per_min", INTERSERVER.name, "Failures to reach other servers a minute.", ("kind",)
    ),
    per_minute("replicated_data_loss.per_min", DATA_LOSS.name, "Parts lost on all replicas a minute."),
)


def probe(context: Context) -> Rows:
    greeting = context.greeting
    if greeting is None:
        return []
    values, limits = counters.read(context), server_limits.read(context)
    return [
        Row(
            version=greeting.version,
            uptime_seconds=greeting.uptime_seconds,
            clock_skew_seconds=greeting.clock_skew_seconds,
            memory_bytes=_largest(values.metric("MemoryTracking"), values.async_metric("MemoryResident")),
            memory_limit_bytes=_memory_limit(values, limits),
            connections=_connections(values),
            max_connections=limits.get("max_connections"),
            merge_pool_busy=values.metric("BackgroundMergesAndMutationsPoolTask"),
            merge_pool_size=values.metric("BackgroundMergesAndMutationsPoolSize"),
            interserver_errors={kind: values.event(name) for kind, name in INTERSERVER_ERRORS.items()},
            data_losses=values.event("ReplicatedDataLoss"),
            ddl_entry=values.metric("MaxDDLEntryID"),
            ddl_pushed_entry=values.metric("MaxPushedDDLEntryID"),
        )
    ]


def _memory_limit(values: Counters, limits: Mapping[str, float]) -> float | None:
    machine = ("CGroupMemoryTotal", "CGroupMaxMemory", "OSMemoryTotal")
    candidates = [limits.get("max_server_memory_usage"), *map(values.async_metric, machine)]
    return min((value for value in candidates if value and value < NO_LIMIT_BYTES), default=None)


def _connections(values: Counters) -> dict[str, float]:
    found = {kind: values.metric(name) for kind, name in CONNECTIONS.items()}
    return {kind: value for kind, value in found.items() if value is not None}


def _largest(*values: float | None) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        for metric, value in _known(row):
            if value is not None:
                yield Sample(metric, (), value)
        for kind, value in row.connections.items():
            yield Sample(CONNECTED, (kind,), value)
        for kind, value in row.interserver_errors.items():
            yield Sample(INTERSERVER, (kind,), value)


def _known(row: Row) -> Iterator[tuple[Metric, float | None]]:
    yield UPTIME, row.uptime_seconds or None
    skew = row.clock_skew_seconds
    yield SKEW, None if skew is None else abs(skew)
    yield OFFSET, skew
    yield MEMORY_BYTES, row.memory_bytes
    yield MEMORY_LIMIT, row.memory_limit_bytes
    yield MEMORY, row.memory_usage
    yield CONNECTIONS_USAGE, row.connections_usage
    yield MERGE_POOL, row.merge_pool_saturation
    yield DATA_LOSS, row.data_losses
    yield DDL_ENTRY, row.ddl_entry
    yield DDL_PUSHED_ENTRY, row.ddl_pushed_entry


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [_payload(row) for row in rows]


def _payload(row: Row) -> dict[str, Any]:
    return {
        "version": row.version,
        "uptime_seconds": row.uptime_seconds or None,
        "clock_skew_seconds": row.clock_skew_seconds,
        "memory_bytes": row.memory_bytes,
        "memory_limit_bytes": row.memory_limit_bytes,
        "memory_usage_pct": _percent(row.memory_usage),
        "connections": dict(row.connections),
        "max_connections": row.max_connections,
        "connections_pct": _percent(row.connections_usage),
        "merge_pool_saturation_pct": _percent(row.merge_pool_saturation),
        "interserver_errors": dict(row.interserver_errors),
        "replicated_data_losses": row.data_losses,
    }


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else round(100 * ratio, 2)


PANEL = Panel(
    name=NAME,
    about="Uptime, clock, memory and connections, from system.metrics and server_settings.",
    needs=("metrics", "events"),
    reads=("asynchronous_metrics", "server_settings"),
    probe=probe,
    samples=samples,
    metrics=(
        UPTIME, SKEW, OFFSET, MEMORY, MEMORY_BYTES, MEMORY_LIMIT, CONNECTED, CONNECTIONS_USAGE, MERGE_POOL,
        INTERSERVER, DATA_LOSS, DDL_ENTRY, DDL_PUSHED_ENTRY,
    ),
    rates=RATES,
    payload=payload,
)  # fmt: skip
