"""Backups of a node that succeeded, failed or run: system.backups (22.8+) and system.backup_log (23.12+).

The first is emptied by a restart, the second is there where it is configured, once something was backed up.
The newest success of the whole cluster, also of before a restart: clustersight/last_backup.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels.masking import without_values
from clustersight.panels.panel import Context, Panel, Rows, Tier
from clustersight.times import iso

NAME = "backups"

FAILED_WITHIN_SECONDS = 14 * 86400

# Failures of 14 days; successes of 100, since a backup a month is somebody's plan. A backup has two rows in
# the log and one in system.backups. Older versions lack some of the states, so they are compared as texts.
SQL = """
SELECT
    maxIf(ended_at, state = 'BACKUP_CREATED') AS succeeded_at,
    maxIf(ended_at, has_failed) AS failed_at,
    toInt64(arrayCount(x -> x > succeeded_at, groupArrayIf(ended_at, has_failed))) AS failed,
    toInt64(countIf(state = 'CREATING_BACKUP')) AS running,
    substring(splitByString(', Stack trace', argMaxIf(error, ended_at, has_failed))[1], 1, 300) AS last_error,
    toFloat64(now()) AS asked_at
FROM
(
    SELECT
        argMax(said, at) AS state, max(at) AS ended_at, argMax(text, at) AS error,
        state IN ('BACKUP_FAILED', 'BACKUP_CANCELLED') AND ended_at > toFloat64(now()) - %(within)s
            AS has_failed
    FROM
    (
        SELECT id, toString(status) AS said, toFloat64(end_time) AS at, substring(error, 1, 500) AS text
        FROM system.backups
        WHERE said IN ('CREATING_BACKUP', 'BACKUP_CREATED', 'BACKUP_FAILED', 'BACKUP_CANCELLED')
        {{backup_log.status ?
        UNION ALL
        SELECT id, toString(status), toFloat64(end_time), substring(error, 1, 500)
        FROM system.backup_log
        WHERE event_date >= today() - 100
          AND toString(status) IN ('BACKUP_CREATED', 'BACKUP_FAILED', 'BACKUP_CANCELLED')
        }}
    )
    GROUP BY id
)
ORDER BY failed DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Row:
    """Times in epoch seconds, 0: none is known. `failed`: those since the last one that succeeded.

    `last_error` is of the last one that failed, without the values that it quotes. `asked_at`: by its clock.
    """

    succeeded_at: float
    failed_at: float
    failed: int
    running: int
    last_error: str
    asked_at: float = 0.0


SUCCEEDED_AT = Metric(
    "clickhouse_backup_last_success_timestamp_seconds",
    "When a backup that this node made last succeeded; absent where none is known.",
)
FAILED_AT = Metric(
    "clickhouse_backup_last_failure_timestamp_seconds",
    "When a backup that this node made last failed or was cancelled, within 14 days; absent without one.",
)
FAILED = Metric(
    "clickhouse_backups_failed",
    "Backups that failed or were cancelled on this node since its last one that succeeded, within 14 days.",
    key="backups.failed",
    unit=Unit.COUNT,
    alarming=1,
    history=True,
)
RUNNING = Metric(
    "clickhouse_backups_running",
    "Backups that are being made.",
    key="backups.running",
    unit=Unit.COUNT,
    history=True,
)


def probe(context: Context) -> Rows:
    found = without_values(context.rows(SQL, Row, within=FAILED_WITHIN_SECONDS), "last_error")
    context.memory["known"] = rows = [remembered(row, context.memory.get("known", ())) for row in found]
    return rows


def remembered(row: Row, before: Sequence[Row]) -> Row:
    """With what a server forgot that was started again: a failure is over after a success, or two weeks."""
    known = before[0] if before else row
    succeeded_at = max(row.succeeded_at, known.succeeded_at)
    is_old = known.failed_at <= row.asked_at - FAILED_WITHIN_SECONDS
    if is_old or row.failed_at >= known.failed_at or succeeded_at > known.failed_at:
        return replace(row, succeeded_at=succeeded_at)
    return replace(known, succeeded_at=succeeded_at, running=row.running, asked_at=row.asked_at)


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        yield Sample(FAILED, (), row.failed)
        yield Sample(RUNNING, (), row.running)
        if row.succeeded_at:
            yield Sample(SUCCEEDED_AT, (), row.succeeded_at)
        if row.failed_at:
            yield Sample(FAILED_AT, (), row.failed_at)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [
        {
            "succeeded_at": iso(row.succeeded_at or None),
            "failed_at": iso(row.failed_at or None),
            "failed": row.failed,
            "running": row.running,
            "last_error": row.last_error,
        }
        for row in rows
    ]


PANEL = Panel(
    name=NAME,
    about="Backups that succeeded and failed, from system.backups and backup_log.",
    needs=("backups",),
    reads=("backup_log",),
    probe=probe,
    samples=samples,
    metrics=(FAILED, RUNNING, SUCCEEDED_AT, FAILED_AT),
    tier=Tier.TWO,
    lasting_memory=True,
    payload=payload,
)
