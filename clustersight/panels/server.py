"""The server itself: uptime, clock, memory against its limit, connections, merge pool.

Sources: uptime() and now(), system.metrics, system.asynchronous_metrics, system.server_settings (23.x+).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clustersight.clickhouse.errors import AccessDenied, Unsupported
from clustersight.metrics import Metric, Rate, Sample, Unit
from clustersight.panels import counters
from clustersight.panels.counters import Counters
from clustersight.panels.panel import Context, Panel, Rows

NAME = "server"

# The value is the effective figure; 0 means no limit.
SQL_LIMITS = """
SELECT name, toFloat64OrZero(value) AS value FROM system.server_settings
WHERE name IN ('max_server_memory_usage', 'max_concurrent_queries') ORDER BY name
"""
# Limits change with a restart or a reload: once an hour is enough.
LIMITS_SECONDS = 3600.0
CONNECTIONS = {"tcp": "TCPConnection", "http": "HTTPConnection", "interserver": "InterserverConnection"}


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Row:
    """`memory_limit_bytes` is the smallest of the server's, the cgroup's and the machine's; None: unknown."""

    version: str
    uptime_seconds: int
    clock_skew_seconds: float | None
    memory_bytes: float | None
    memory_limit_bytes: float | None
    connections: dict[str, float]
    merge_pool_busy: float | None
    merge_pool_size: float | None


UPTIME = Metric(
    "clickhouse_uptime_seconds",
    "Time since the server started; absent where it says 0, which is no value.",
    key="server.uptime_seconds",
    unit=Unit.SECONDS,
    history=True,
)
SKEW = Metric(
    "clickhouse_clock_skew_seconds",
    "The server's clock minus the exporter's, to half a second.",
    key="server.clock_skew_seconds",
    unit=Unit.SECONDS,
    history=True,
)
MEMORY = Metric(
    "clickhouse_memory_usage_ratio",
    "Memory of the server against the smallest of its limits; absent where none can be read.",
    key="memory.usage_pct",
    unit=Unit.PERCENT,
    history=True,
)
MEMORY_BYTES = Metric(
    "clickhouse_memory_usage_bytes",
    "The larger of tracked and resident memory of the server.",
    key="memory.usage_bytes",
    unit=Unit.BYTES,
    history=True,
)
MEMORY_LIMIT = Metric(
    "clickhouse_memory_limit_bytes",
    "The smallest of max_server_memory_usage, the cgroup's limit and the machine's memory.",
)
CONNECTED = Metric("clickhouse_connections", "Open connections of clients and other servers.", ("kind",))
MERGE_POOL = Metric(
    "clickhouse_merge_pool_saturation_ratio",
    "Busy share of the pool for merges and mutations.",
    key="pools.merge_saturation_pct",
    unit=Unit.PERCENT,
    history=True,
)
RESTARTS = Rate(
    "server.restarted",
    Unit.COUNT,
    "Starts of the server within ten minutes: how often the uptime went back.",
    (UPTIME.name,),
    f"resets({UPTIME.name}[10m])",
    window_seconds=600,
)


def probe(context: Context) -> Rows:
    values = counters.read(context)
    greeting = context.greeting
    if greeting is None:
        return []
    return [
        Row(
            version=greeting.version,
            uptime_seconds=greeting.uptime_seconds,
            clock_skew_seconds=greeting.clock_skew_seconds,
            memory_bytes=_largest(values.metric("MemoryTracking"), values.async_metric("MemoryResident")),
            memory_limit_bytes=_memory_limit(values, _limits(context)),
            connections=_connections(values),
            merge_pool_busy=values.metric("BackgroundMergesAndMutationsPoolTask"),
            merge_pool_size=values.metric("BackgroundMergesAndMutationsPoolSize"),
        )
    ]


def _limits(context: Context) -> dict[str, float]:
    memory = context.memory
    if "limits" not in memory or context.monotonic - memory["read_at"] > LIMITS_SECONDS:
        memory["limits"], memory["read_at"] = _read_limits(context), context.monotonic
    found: dict[str, float] = memory["limits"]
    return found


def _read_limits(context: Context) -> dict[str, float]:
    if not context.has("server_settings"):
        return {}
    try:
        return {limit.name: limit.value for limit in context.rows(SQL_LIMITS, Limit)}
    except (AccessDenied, Unsupported):
        return {}  # the ratio is absent then; everything else of the panel is known


def _memory_limit(values: Counters, limits: dict[str, float]) -> float | None:
    machine = ("CGroupMemoryTotal", "CGroupMaxMemory", "OSMemoryTotal")
    candidates = [limits.get("max_server_memory_usage"), *map(values.async_metric, machine)]
    # A cgroup without a limit says nearly 2^63.
    known = [value for value in candidates if value and value < 2**60]
    return min(known, default=None)


def _connections(values: Counters) -> dict[str, float]:
    found = {kind: values.metric(name) for kind, name in CONNECTIONS.items()}
    return {kind: value for kind, value in found.items() if value is not None}


def _largest(*values: float | None) -> float | None:
    return max((value for value in values if value is not None), default=None)


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        if row.uptime_seconds:
            yield Sample(UPTIME, (), row.uptime_seconds)
        if row.clock_skew_seconds is not None:
            yield Sample(SKEW, (), row.clock_skew_seconds)
        for kind, value in row.connections.items():
            yield Sample(CONNECTED, (kind,), value)
        yield from _memory_samples(row)
        if row.merge_pool_size and row.merge_pool_busy is not None:
            yield Sample(MERGE_POOL, (), row.merge_pool_busy / row.merge_pool_size)


def _memory_samples(row: Row) -> Iterator[Sample]:
    if row.memory_bytes is not None:
        yield Sample(MEMORY_BYTES, (), row.memory_bytes)
    if row.memory_limit_bytes:
        yield Sample(MEMORY_LIMIT, (), row.memory_limit_bytes)
        if row.memory_bytes is not None:
            yield Sample(MEMORY, (), row.memory_bytes / row.memory_limit_bytes)


PANEL = Panel(
    name=NAME,
    about="Uptime, clock, memory and connections, from system.metrics and server_settings.",
    needs=("metrics", "events"),
    reads=("asynchronous_metrics", "server_settings"),
    probe=probe,
    samples=samples,
    metrics=(UPTIME, SKEW, MEMORY, MEMORY_BYTES, MEMORY_LIMIT, CONNECTED, MERGE_POOL),
    rates=(RESTARTS,),
)
