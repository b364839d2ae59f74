"""What Distributed tables have still to send to their shards: system.distribution_queue (20.x+)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clustersight.metrics import Metric, Rate, Reading, Sample, Unit
from clustersight.panels.masking import without_values
from clustersight.panels.panel import Context, Panel, Rows, Tier
from clustersight.times import iso

NAME = "distribution"

# The server has one row for each table and target. Its error_count sinks by half in five minutes without
# an error, while the exception goes with the first file that is sent: only both, on a target that still
# has files, are a failure. Some versions count broken files from 0 after a restart, but not their bytes.
SQL = """
SELECT
    database, table,
    toInt64(count()) AS targets,
    toInt64(sum(data_files)) AS pending_files,
    toInt64(sum(data_compressed_bytes)) AS pending_bytes,
    {{broken_data_files, broken_data_compressed_bytes
        ? toNullable(toInt64(sum(greatest(broken_data_files, toUInt64(broken_data_compressed_bytes > 0)))))
        : CAST(NULL AS Nullable(Int64))}} AS broken_files,
    toInt64(max(is_blocked)) AS blocked,
    toInt64(sum(if(data_files > 0 AND last_exception != '', error_count, 0))) AS errors,
    {{last_exception_time ? toInt64(max(toUnixTimestamp(last_exception_time))) : toInt64(0)}} AS failed_at,
    substring({{last_exception_time ? argMax(last_exception, (last_exception != '', last_exception_time))
        : max(last_exception)}}, 1, 300) AS exception
FROM system.distribution_queue
GROUP BY database, table
ORDER BY broken_files > 0 DESC, errors DESC, blocked DESC, pending_files DESC, database, table
LIMIT 10000
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A Distributed table, all its targets together; `broken_files` is None where the version is silent.

    `failed_at` is the epoch time of the last exception of any target, 0 without one.
    """

    database: str
    table: str
    targets: int
    pending_files: int
    pending_bytes: int
    broken_files: int | None
    blocked: int
    errors: int
    failed_at: int
    exception: str


_LABELS = ("database", "table")
FILES = Metric(
    "clickhouse_distribution_queue_files",
    "Files of a Distributed table that wait to be sent, each a block of an INSERT; absent for a table that "
    "has not kept a file since the server's start.",
    _LABELS,
    key="distribution.pending_files",
    unit=Unit.COUNT,
    alarming=1000,  # a judgement: at rest there are a few, each a file to open and an INSERT to run
    history=True,
)
BYTES = Metric(
    "clickhouse_distribution_queue_bytes",
    "Compressed size of the files that wait to be sent.",
    _LABELS,
    key="distribution.pending_bytes",
    unit=Unit.BYTES,
)
BROKEN = Metric(
    "clickhouse_distribution_queue_broken_files",
    "Files that were set aside as broken: their rows are not delivered.",
    _LABELS,
    key="distribution.broken_files",
    unit=Unit.COUNT,
    alarming=1,
    history=True,
)
BLOCKED = Metric(
    "clickhouse_distribution_queue_blocked",
    "1 if somebody stopped the sends of the table (SYSTEM STOP DISTRIBUTED SENDS).",
    _LABELS,
    key="distribution.blocked",
    unit=Unit.BOOL,
    alarming=1,
    history=True,
)
ERRORS = Metric(
    "clickhouse_distribution_queue_errors",
    "Recent errors of targets whose last send failed and that have files waiting; ClickHouse halves them "
    "every five minutes, and forgets them when it restarts.",
    _LABELS,
    key="distribution.errors",
    unit=Unit.COUNT,
    alarming=1,
    history=True,
)
ALL_FILES = Metric(
    "clickhouse_distribution_queue_files_all",
    "Files of all Distributed tables that wait to be sent.",
    key="distribution.all_pending_files",
    unit=Unit.COUNT,
    history=True,
)
ALL_BYTES = Metric(
    "clickhouse_distribution_queue_bytes_all",
    "Compressed size of the files of all Distributed tables that wait to be sent.",
    key="distribution.all_pending_bytes",
    unit=Unit.BYTES,
)
ALL_BROKEN = Metric(
    "clickhouse_distribution_queue_broken_files_all",
    "Files of all Distributed tables that were set aside as broken.",
    key="distribution.all_broken_files",
    unit=Unit.COUNT,
)
GROWN = Rate(
    "distribution.grown_30m",
    Unit.COUNT,
    "Files of a Distributed table that wait to be sent: how many more than 30 minutes ago.",
    (FILES.name,),
    f"clamp_min({FILES.name} - {FILES.name} offset 30m, 0) or ({FILES.name} unless"
    f" {FILES.name} offset 30m and on (cluster, host) {ALL_FILES.name} offset 30m)",
    _LABELS,
    window_seconds=1800,
    reading=Reading.RISE,
)


def probe(context: Context) -> Rows:
    return without_values(context.rows(SQL, Row), "exception")


def samples(rows: Rows) -> Iterator[Sample]:
    yield Sample(ALL_FILES, (), sum(row.pending_files for row in rows))
    yield Sample(ALL_BYTES, (), sum(row.pending_bytes for row in rows))
    yield Sample(ALL_BROKEN, (), sum(row.broken_files or 0 for row in rows))
    for row in rows:
        labels = (row.database, row.table)
        yield Sample(FILES, labels, row.pending_files)
        yield Sample(BYTES, labels, row.pending_bytes)
        yield Sample(BLOCKED, labels, row.blocked)
        yield Sample(ERRORS, labels, row.errors)
        if row.broken_files is not None:
            yield Sample(BROKEN, labels, row.broken_files)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [
        {
            "database": row.database,
            "table": row.table,
            "targets": row.targets,
            "pending_files": row.pending_files,
            "pending_bytes": row.pending_bytes,
            "broken_files": row.broken_files,
            "is_blocked": bool(row.blocked),
            "errors": row.errors,
            "last_exception_at": iso(row.failed_at or None),
            "last_exception": row.exception,
        }
        for row in rows
    ]


PANEL = Panel(
    name=NAME,
    about="What Distributed tables have still to send, and what stops it, from system.distribution_queue.",
    needs=("distribution_queue",),
    probe=probe,
    samples=samples,
    metrics=(FILES, BYTES, BROKEN, BLOCKED, ERRORS, ALL_FILES, ALL_BYTES, ALL_BROKEN),
    rates=(GROWN,),
    tier=Tier.TWO,
    hidden_without_show=True,
    payload=payload,
)
