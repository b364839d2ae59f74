"""Consumers of tables with the engine Kafka, and whether they fail: system.kafka_consumers (23.8+)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clustersight.metrics import Kind, Metric, Rate, Sample, Unit
from clustersight.panels.masking import without_values
from clustersight.panels.panel import Context, Panel, Rows, Tier
from clustersight.times import iso

NAME = "kafka"

# The last ten exceptions of a consumer stay for ever: only a young one says that it fails now. A connection
# that was lost and is back is one too, so that whoever commits later is well; unless all ten are young, as
# with one message that fails each time while those of other partitions are committed.
# Never rdkafka_stat: some kilobytes of JSON a consumer.
FAILED_WITHIN_SECONDS = 600
SQL = """
SELECT
    database, table,
    toInt64(count()) AS consumers,
    toInt64(sum(failed_at > since AND (failed_at >= committed_at OR all_since))) AS failing_consumers,
    toInt64(sum(read)) AS messages,
    max(polled_at) AS last_polled_at,
    if(last_polled_at = 0, CAST(NULL AS Nullable(Int64)),
        greatest(toInt64(0), toInt64(toUnixTimestamp(now())) - last_polled_at)) AS poll_age_seconds,
    max(committed_at) AS last_committed_at,
    max(failed_at) AS last_failed_at,
    argMax(text, failed_at) AS exception
FROM
(
    SELECT
        database, table,
        toUInt64(num_messages_read) AS read,
        toInt64(toUnixTimestamp(last_poll_time)) AS polled_at,
        toInt64(toUnixTimestamp(last_commit_time)) AS committed_at,
        toInt64(toUnixTimestamp(now())) - %(within)s AS since,
        arrayMap(at -> toInt64(toUnixTimestamp(at)), exceptions.time) AS times,
        arrayMax(arrayPushBack(times, toInt64(0))) AS failed_at,
        length(times) >= 10 AND arrayAll(at -> at > since, times) AS all_since,
        substring(exceptions.text[-1], 1, 300) AS text
    FROM system.kafka_consumers
)
GROUP BY database, table
ORDER BY failing_consumers DESC, last_failed_at DESC, database, table
LIMIT 10000
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A table, all its consumers together. `…_at` in epoch seconds, 0 for never.

    `messages` counts since the table was attached; `exception` is the newest, which may be an old one.
    """

    database: str
    table: str
    consumers: int
    failing_consumers: int
    messages: int
    last_polled_at: int
    poll_age_seconds: int | None
    last_committed_at: int
    last_failed_at: int
    exception: str


_LABELS = ("database", "table")
FAILING = Metric(
    "clickhouse_kafka_consumer_failing",
    "1 if a consumer of the table had an exception in the last 10 minutes and has committed nothing since, "
    "or had ten.",
    _LABELS,
    key="kafka.failing",
    unit=Unit.BOOL,
    alarming=1,
    history=True,
)
CONSUMERS = Metric(
    "clickhouse_kafka_consumers",
    "Consumers of the table on this node.",
    _LABELS,
    key="kafka.consumers",
    unit=Unit.COUNT,
)
MESSAGES = Metric(
    "clickhouse_kafka_messages_read_total",
    "Messages that the consumers of the table have read since it was attached.",
    _LABELS,
    kind=Kind.COUNTER,
    history=True,
)
POLL_AGE = Metric(
    "clickhouse_kafka_last_poll_age_seconds",
    "Time since a consumer of the table last asked Kafka for messages; absent before the first time. "
    "It grows without end while nobody reads the table, not even a materialized view.",
    _LABELS,
    key="kafka.poll_age_seconds",
    unit=Unit.SECONDS,
)
ALL_CONSUMERS = Metric(
    "clickhouse_kafka_consumers_all",
    "Consumers of all Kafka tables of the node.",
    key="kafka.all_consumers",
    unit=Unit.COUNT,
)
ALL_FAILING = Metric(
    "clickhouse_kafka_consumers_failing_all",
    "Consumers of all Kafka tables of the node that fail: those by which a table is failing.",
    key="kafka.all_failing",
    unit=Unit.COUNT,
    history=True,
)
# Three of the panel's intervals: it is collected every 5 minutes.
READ = Rate(
    "kafka.messages_per_min",
    Unit.PER_MINUTE,
    "Messages that the consumers of a table read, a minute over a quarter of an hour.",
    (MESSAGES.name,),
    f"60 * rate({MESSAGES.name}[15m])",
    _LABELS,
    window_seconds=900,
)


def probe(context: Context) -> Rows:
    return without_values(context.rows(SQL, Row, within=FAILED_WITHIN_SECONDS), "exception")


def samples(rows: Rows) -> Iterator[Sample]:
    yield Sample(ALL_CONSUMERS, (), sum(row.consumers for row in rows))
    yield Sample(ALL_FAILING, (), sum(row.failing_consumers for row in rows))
    for row in rows:
        labels = (row.database, row.table)
        yield Sample(FAILING, labels, int(row.failing_consumers > 0))
        yield Sample(CONSUMERS, labels, row.consumers)
        yield Sample(MESSAGES, labels, row.messages)
        if row.poll_age_seconds is not None:
            yield Sample(POLL_AGE, labels, row.poll_age_seconds)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [
        {
            "database": row.database,
            "table": row.table,
            "consumers": row.consumers,
            "failing_consumers": row.failing_consumers,
            "messages": row.messages,
            "last_poll_at": iso(row.last_polled_at or None),
            "last_commit_at": iso(row.last_committed_at or None),
            "last_exception_at": iso(row.last_failed_at or None),
            "last_exception": row.exception,
        }
        for row in rows
    ]


PANEL = Panel(
    name=NAME,
    about="Consumers of Kafka tables, and which of them fail, from system.kafka_consumers.",
    needs=("kafka_consumers",),
    probe=probe,
    samples=samples,
    metrics=(FAILING, CONSUMERS, MESSAGES, POLL_AGE, ALL_CONSUMERS, ALL_FAILING),
    rates=(READ,),
    tier=Tier.TWO,
    hidden_without_show=True,
    payload=payload,
)
