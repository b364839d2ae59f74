"""Asynchronous inserts: how many, how many fail, and what waits to be flushed (22.x+).

Sources: system.events, system.metrics, system.asynchronous_inserts, system.asynchronous_insert_log. With
wait_for_async_insert = 0 nobody is told that an insert failed: this is the only place where it shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clustersight.metrics import Kind, Metric, Sample, Unit, per_minute
from clustersight.panels import async_insert_log, counters
from clustersight.panels.async_insert_log import Reading
from clustersight.panels.panel import Context, Panel, Rows

NAME = "async-inserts"

SQL = """
SELECT
    database, table,
    sum(length(`entries.query_id`)) AS inserts,
    sum(total_bytes) AS bytes,
    max(greatest(0, toInt64(toUnixTimestamp(now())) - toInt64(toUnixTimestamp(first_update))))
        AS oldest_seconds
FROM system.asynchronous_inserts
GROUP BY database, table
ORDER BY oldest_seconds DESC, database, table
LIMIT 200
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Inserts into a table that are not flushed yet."""

    database: str
    table: str
    inserts: int
    bytes: int
    oldest_seconds: int


@dataclass(frozen=True, slots=True)
class Row:
    """A node. Counters are since its start; `pending` is None where this version does not say it."""

    inserts: float
    bytes: float
    failed: float
    pending: float | None
    waiting: Sequence[Waiting]
    log: Reading

    @property
    def oldest_seconds(self) -> int:
        return max((one.oldest_seconds for one in self.waiting), default=0)


INSERTS = Metric(
    "clickhouse_async_inserts_total",
    "Asynchronous inserts of this node.",
    kind=Kind.COUNTER,
    history=True,
)
BYTES = Metric(
    "clickhouse_async_insert_bytes_total",
    "Data of the asynchronous inserts of this node.",
    kind=Kind.COUNTER,
)
FAILED = Metric(
    "clickhouse_failed_async_inserts_total",
    "Asynchronous inserts whose data was not written: it could not be parsed, or the flush failed.",
    kind=Kind.COUNTER,
    history=True,
)
PENDING = Metric(
    "clickhouse_async_inserts_pending",
    "Asynchronous inserts that wait to be flushed.",
    key="async_inserts.pending",
    unit=Unit.COUNT,
    history=True,
)
OLDEST = Metric(
    "clickhouse_async_insert_oldest_pending_seconds",
    "How long the oldest data has waited to be flushed; 0 if none does.",
    key="async_inserts.oldest_pending_seconds",
    unit=Unit.SECONDS,
    alarming=60,
    history=True,
)
TABLE_FAILED = Metric(
    "clickhouse_table_async_inserts_failed",
    "Asynchronous inserts into a table that failed in the last window, by the log; absent where none did.",
    ("database", "table"),
    key="async_inserts.failed",
    unit=Unit.COUNT,
    alarming=1,
    history=True,
)
RATES = (
    per_minute("async_inserts.per_min", INSERTS.name, "Asynchronous inserts a minute."),
    per_minute("async_inserts.failed_per_min", FAILED.name, "Asynchronous inserts that fail a minute."),
)


def probe(context: Context) -> Rows:
    values = counters.read(context)
    if context.tier2_due:
        context.memory["waiting"] = context.rows(SQL, Waiting)
        context.memory["log"] = async_insert_log.read(context)
    return [
        Row(
            inserts=values.event("AsyncInsertQuery"),
            bytes=values.event("AsyncInsertBytes"),
            failed=values.event("FailedAsyncInsertQuery"),
            pending=values.metric("PendingAsyncInsert"),
            waiting=context.memory.get("waiting", ()),
            log=context.memory.get("log", Reading(note="not read yet")),
        )
    ]


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        yield Sample(INSERTS, (), row.inserts)
        yield Sample(BYTES, (), row.bytes)
        yield Sample(FAILED, (), row.failed)
        if row.pending is not None:
            yield Sample(PENDING, (), row.pending)
        yield Sample(OLDEST, (), row.oldest_seconds)
        for table in row.log.tables:
            if table.failed:
                yield Sample(TABLE_FAILED, (table.database, table.table), table.failed)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [_payload(row) for row in rows]


def _payload(row: Row) -> dict[str, Any]:
    return {
        "inserts": row.inserts,
        "bytes": row.bytes,
        "failed": row.failed,
        "pending": row.pending,
        "oldest_pending_seconds": row.oldest_seconds,
        "waiting": [asdict(one) for one in row.waiting],
        "log_note": row.log.note or None,
        "tables": [async_insert_log.payload(one) for one in row.log.tables],
    }


PANEL = Panel(
    name=NAME,
    about="Asynchronous inserts that fail or wait, from system.events and system.asynchronous_insert_log.",
    needs=("asynchronous_inserts", "events", "metrics"),
    reads=("asynchronous_insert_log", "asynchronous_metrics"),
    probe=probe,
    samples=samples,
    metrics=(INSERTS, BYTES, FAILED, PENDING, OLDEST, TABLE_FAILED),
    rates=RATES,
    payload=payload,
)
