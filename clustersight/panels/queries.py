"""Queries: running now (system.processes), since the start (system.events), ended (system.query_log)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clustersight.metrics import Kind, Metric, Rate, Sample, Unit
from clustersight.metrics import Reading as RateReading
from clustersight.panels import counters, query_log, server_limits
from clustersight.panels.panel import Context, Panel, Rows
from clustersight.panels.query_counts import Counts, count
from clustersight.panels.query_log import Reading
from clustersight.times import iso

NAME = "queries"

# Only what users sent counts as long: what runs for other nodes is seen there, DDL may take hours.
SQL = """
SELECT
    count() AS running,
    maxIf(elapsed, is_user_query) AS longest_seconds,
    argMaxIf(query_id, elapsed, is_user_query) AS longest_query_id,
    argMaxIf(user, elapsed, is_user_query) AS longest_user,
    argMaxIf(query_hash, elapsed, is_user_query) AS longest_query_hash
FROM
(
    SELECT
        elapsed, query_id, user,
        {{normalized_query_hash ? toString(normalized_query_hash) : ''}} AS query_hash,
        is_initial_query AND {{query_kind ? query_kind IN ('Select', 'Insert')
            : match(query, '(?i)^\\\\s*(select|with|insert)\\\\b')}} AS is_user_query
    FROM system.processes
    WHERE user != %(own)s {{is_internal ? AND NOT is_internal}}
      {{query_kind ? AND query_id != queryID()}}
)
"""


@dataclass(frozen=True, slots=True)
class Running:
    """Queries of others at this moment; the texts are empty where none is a user's."""

    running: int
    longest_seconds: float
    longest_query_id: str
    longest_user: str
    longest_query_hash: str


@dataclass(frozen=True, slots=True)
class Row:
    """`max_concurrent` is None without a limit, or where none can be read."""

    now: Running
    max_concurrent: float | None
    counts: Counts
    log: Reading

    @property
    def running_ratio(self) -> float | None:
        return self.now.running / self.max_concurrent if self.max_concurrent else None


RUNNING = Metric(
    "clickhouse_queries_running",
    "Queries that run now, without our own.",
    key="queries.running",
    unit=Unit.COUNT,
    history=True,
)
RUNNING_RATIO = Metric(
    "clickhouse_queries_running_ratio",
    "Running queries against max_concurrent_queries; absent without a limit, or where it cannot be read.",
    key="queries.running_pct",
    unit=Unit.PERCENT,
    alarming=0.8,
    history=True,
)
LONGEST = Metric(
    "clickhouse_query_longest_running_seconds",
    "How long the oldest SELECT or INSERT that a user sent to this node has been running; 0 if none is.",
    key="queries.longest_seconds",
    unit=Unit.SECONDS,
    history=True,
)
QUERIES = Metric(
    "clickhouse_queries_total",
    "Queries of this node, also those for other nodes and our own; the sum over kind is all of them.",
    ("kind",),
    kind=Kind.COUNTER,
    history=True,
)
FAILED = Metric(
    "clickhouse_failed_queries_total",
    "Queries of this node that failed, without the server's internal ones; absent before 20.6.",
    ("kind",),
    kind=Kind.COUNTER,
    history=True,
)
INITIAL = Metric(
    "clickhouse_initial_queries_total",
    "Queries that clients sent to this node; before 26.1 also those that it ran for other nodes.",
    kind=Kind.COUNTER,
    history=True,
)
FAILED_INITIAL = Metric(
    "clickhouse_failed_initial_queries_total",
    "Queries that clients sent to this node and that failed; as clickhouse_initial_queries_total.",
    kind=Kind.COUNTER,
    history=True,
)
DURATION = Metric(
    "clickhouse_query_duration_seconds",
    "Duration of the SELECTs of the last window, from query_log; absent below 20. Not to be averaged.",
    ("quantile",),
    kind=Kind.SUMMARY,
    keys=(("0.5", "queries.p50_ms"), ("0.95", "queries.p95_ms"), ("0.99", "queries.p99_ms")),
    unit=Unit.MILLISECONDS,
    history=True,
)
FAULTS = Metric(
    "clickhouse_query_server_faults",
    "Queries of the last window that failed by the server's fault, from query_log.",
    key="queries.server_faults",
    unit=Unit.COUNT,
    history=True,
)
FAULT_RATIO = Metric(
    "clickhouse_query_server_fault_ratio",
    "Share of the queries of the last window that failed by the server's fault; absent below 50.",
    key="queries.server_fault_pct",
    unit=Unit.PERCENT,
    alarming=0.05,
    history=True,
)
RATES = (
    Rate(
        "queries.per_sec",
        Unit.PER_SECOND,
        "Queries of this node a second.",
        (QUERIES.name,),
        f"sum without (kind) (rate({QUERIES.name}[5m]))",
    ),
    Rate(
        "queries.failed_pct",
        Unit.PERCENT,
        "Share of the queries sent to this node that failed, whoever was to blame; of 50 or more.",
        (INITIAL.name, FAILED_INITIAL.name),
        f"clamp_max(100 * increase({FAILED_INITIAL.name}[5m]) / (increase({INITIAL.name}[5m]) >= 50), 100)",
        at_least=query_log.SHARE_NEEDS,
    ),
    Rate(
        "queries.p95_times_usual",
        Unit.NONE,
        "p95 of the last window as a multiple of its own 24 h median; absent below 1 s, below 50 queries,"
        " and in the first 6 hours.",
        # The share is there only of so many queries as a p95 needs.
        (DURATION.name, FAULT_RATIO.name),
        f'sum without (quantile) (({DURATION.name}{{quantile="0.95"}} >= 1)'
        f' / quantile_over_time(0.5, {DURATION.name}{{quantile="0.95"}}[1d]))'
        f" and on (cluster, host) {FAULT_RATIO.name}"
        f' and on (cluster, host) count_over_time({DURATION.name}{{quantile="0.95"}}[18h] offset 6h)',
        window_seconds=86400,
        at_least=1000,
        reading=RateReading.TIMES_USUAL,
        where=(("quantile", "0.95"),),
    ),
)


def probe(context: Context) -> Rows:
    limits = server_limits.read(context)
    [now] = context.rows(SQL, Running, own=context.username)
    counts = count(counters.read(context), context)
    if context.tier2_due:
        context.memory["log"] = query_log.read(context)
    log = context.memory.get("log", Reading(note="not read yet"))
    return [Row(now, limits.get("max_concurrent_queries"), counts, log)]


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        yield Sample(RUNNING, (), row.now.running)
        yield Sample(LONGEST, (), row.now.longest_seconds)
        if row.running_ratio is not None:
            yield Sample(RUNNING_RATIO, (), row.running_ratio)
        yield from _count_samples(row.counts)
        yield from _log_samples(row.log.row)


def _count_samples(counts: Counts) -> Iterator[Sample]:
    for metric, by_kind in ((QUERIES, counts.queries), (FAILED, counts.failed)):
        for kind, value in by_kind.items():
            yield Sample(metric, (kind,), value)
    yield Sample(INITIAL, (), counts.initial)
    if counts.failed_initial is not None:
        yield Sample(FAILED_INITIAL, (), counts.failed_initial)


def _log_samples(log: query_log.Row | None) -> Iterator[Sample]:
    if log is None:
        return
    for quantile, seconds in log.quantiles.items():
        yield Sample(DURATION, (quantile,), seconds)
    yield Sample(FAULTS, (), log.server_faults)
    if log.server_fault_ratio is not None:
        yield Sample(FAULT_RATIO, (), log.server_fault_ratio)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [_payload(row) | _counts_payload(row.counts) | _log_payload(row.log) for row in rows]


def _payload(row: Row) -> dict[str, Any]:
    return {
        "running": row.now.running,
        "running_pct": _percent(row.running_ratio),
        "max_concurrent_queries": row.max_concurrent,
        "longest_seconds": row.now.longest_seconds,
        "longest_query_id": row.now.longest_query_id or None,
        "longest_user": row.now.longest_user or None,
        "longest_query_hash": row.now.longest_query_hash or None,
    }


def _counts_payload(counts: Counts) -> dict[str, Any]:
    return {"queries": dict(counts.queries), "failed_queries": dict(counts.failed) or None}


def _log_payload(log: Reading) -> dict[str, Any]:
    row = log.row
    quantiles: Mapping[str, float] = row.quantiles if row else {}
    keys = {key.removeprefix("queries."): quantiles.get(quantile) for quantile, key in DURATION.keys}
    return {
        "log_read_at": iso(row.read_at) if row else None,
        "log_note": log.note or None,
        **{key: None if value is None else round(1000 * value, 3) for key, value in keys.items()},
        "selects": row.selects if row else None,
        "finished": row.finished if row else None,
        "failed": row.failed if row else None,
        "server_faults": row.server_faults if row else None,
        "server_fault_pct": _percent(row.server_fault_ratio) if row else None,
    }


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else round(100 * ratio, 2)


PANEL = Panel(
    name=NAME,
    about="Running, failed and slow queries, from system.processes, system.events and system.query_log.",
    needs=("processes", "events"),
    reads=("metrics", "asynchronous_metrics", "server_settings", "query_log"),
    probe=probe,
    samples=samples,
    metrics=(
        RUNNING, RUNNING_RATIO, LONGEST, QUERIES, FAILED, INITIAL, FAILED_INITIAL, DURATION, FAULTS,
        FAULT_RATIO,
    ),
    rates=RATES,
    payload=payload,
)  # fmt: skip
