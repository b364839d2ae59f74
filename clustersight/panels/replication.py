"""Replicas: lag, read-only, session and queue of every replicated table, from system.replicas.

The columns that ask Keeper for every table (total_replicas, log_pointer …) are left out (ClickHouse#43918).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from clustersight.clickhouse.errors import AccessDenied, QueryFailed, TimedOut, Unsupported
from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels import replicas, replication_queue
from clustersight.panels.panel import Context, Panel, Rows
from clustersight.panels.replicas import Replica
from clustersight.times import iso

NAME = "replication"


class ReplicaStatus(StrEnum):
    """The worst that is known of a replica."""

    OK = "ok"
    LAGGING = "lagging"
    READONLY = "readonly"
    SESSION_EXPIRED = "session_expired"
    UNKNOWN = "unknown"


_COLUMNS = tuple(field.name for field in dataclasses.fields(Replica))


@dataclass(frozen=True, slots=True)
class Row(Replica):
    """With what its queue says (None: not readable), and whether it may be read-only (`expected`)."""

    stuck_tasks: int | None
    last_exception: str
    expected: bool

    @property
    def lag_seconds(self) -> int | None:
        return None if self.lag_unknown else self.absolute_delay

    @property
    def status(self) -> ReplicaStatus:
        if self.is_session_expired:
            return ReplicaStatus.SESSION_EXPIRED
        if self.is_readonly:
            return ReplicaStatus.READONLY
        if self.lag_unknown:
            return ReplicaStatus.UNKNOWN
        return ReplicaStatus.LAGGING if LAG.severity(self.absolute_delay) >= 1 else ReplicaStatus.OK


_LABELS = ("database", "table")
LAG = Metric(
    "clickhouse_replica_lag_seconds",
    "How far the replica is behind, in inserts that it has not fetched; absent while it is unknown:"
    " read-only, session expired, or a queue that was never read.",
    _LABELS,
    key="replication.lag_seconds",
    unit=Unit.SECONDS,
    alarming=300,
    history=True,
)
LAG_UNKNOWN = Metric(
    "clickhouse_replica_lag_unknown",
    "1 while nobody can say how far the replica is behind.",
    _LABELS,
    key="replication.lag_unknown",
    unit=Unit.BOOL,
    alarming=1,
    history=True,
)
READONLY = Metric(
    "clickhouse_replica_readonly",
    "1 if the replica takes no inserts, expected or not.",
    _LABELS,
    key="replication.readonly",
    unit=Unit.BOOL,
    alarming=1,
    history=True,
)
READONLY_UNEXPECTED = Metric(
    "clickhouse_replica_readonly_unexpected",
    "1 if the replica is read-only and expected_readonly does not name it.",
    _LABELS,
    key="replication.readonly_unexpected",
    unit=Unit.BOOL,
    alarming=1,
    history=True,
)
SESSION_EXPIRED = Metric(
    "clickhouse_replica_session_expired",
    "1 if the replica has lost its session with Keeper.",
    _LABELS,
    key="replication.session_expired",
    unit=Unit.BOOL,
    alarming=1,
    history=True,
)
QUEUE_SIZE = Metric(
    "clickhouse_replica_queue_size",
    "Tasks that the replica has still to do.",
    _LABELS,
    key="replication.queue_size",
    unit=Unit.COUNT,
    # Where ClickHouse itself stops assigning merges (max_replicated_merges_in_queue).
    alarming=1000,
    history=True,
)
REPLICAS = Metric(
    "clickhouse_replicas",
    "Replicated tables of the node.",
    key="replication.replicas",
    unit=Unit.COUNT,
    history=True,
)
REPLICAS_READONLY = Metric(
    "clickhouse_replicas_readonly",
    "Read-only replicas of the node, without those that expected_readonly names.",
    key="replication.replicas_readonly",
    unit=Unit.COUNT,
    history=True,
)
REPLICAS_EXPIRED = Metric(
    "clickhouse_replicas_session_expired",
    "Replicas of the node that have lost their session with Keeper.",
    key="replication.replicas_session_expired",
    unit=Unit.COUNT,
    history=True,
)
REPLICAS_UNKNOWN = Metric(
    "clickhouse_replicas_lag_unknown",
    "Replicas of the node whose lag is unknown.",
    key="replication.replicas_lag_unknown",
    unit=Unit.COUNT,
)
MAX_LAG = Metric(
    "clickhouse_replica_max_lag_seconds",
    "The largest known lag of the node; absent where no replica's lag is known.",
    key="replication.max_lag_seconds",
    unit=Unit.SECONDS,
    history=True,
)


def probe(context: Context) -> Rows:
    queues = _queues(context)
    return [
        Row(
            **{name: getattr(replica, name) for name in _COLUMNS},
            **_beside(replica, queues),
            expected=is_expected(replica, context.expected_readonly, context.host),
        )
        for replica in replicas.read(context)
    ]


def _queues(context: Context) -> dict[tuple[str, str], replication_queue.Row] | None:
    """By table; None where the queue may not be read, which costs the replicas nothing."""
    try:
        return {(row.database, row.table): row for row in replication_queue.read(context)}
    except (AccessDenied, QueryFailed, TimedOut, Unsupported):
        return None


def _beside(replica: Replica, queues: dict[tuple[str, str], replication_queue.Row] | None) -> dict[str, Any]:
    if queues is None:
        return {"stuck_tasks": None, "last_exception": replica.queue_update_exception}
    queue = queues.get((replica.database, replica.table))
    if queue is None:
        return {"stuck_tasks": 0, "last_exception": replica.queue_update_exception}
    return {
        "stuck_tasks": queue.stuck_tasks,
        "last_exception": queue.last_exception or replica.queue_update_exception,
    }


def is_expected(replica: Replica, patterns: Sequence[str], host: str) -> bool:
    """Whether a pattern DATABASE.TABLE@REPLICA names it; the replica is its name in Keeper or its host."""
    name = f"{replica.database}.{replica.table}"
    for pattern in patterns:
        table, _, where = pattern.rpartition("@")
        if fnmatchcase(name, table) and any(fnmatchcase(x, where) for x in (replica.replica_name, host)):
            return True
    return False


def samples(rows: Rows) -> Iterator[Sample]:
    yield from _totals(rows)
    for row in rows:
        labels = (row.database, row.table)
        if not row.lag_unknown:
            yield Sample(LAG, labels, row.absolute_delay)
        yield Sample(LAG_UNKNOWN, labels, row.lag_unknown)
        yield Sample(READONLY, labels, row.is_readonly)
        yield Sample(READONLY_UNEXPECTED, labels, int(row.is_readonly and not row.expected))
        yield Sample(SESSION_EXPIRED, labels, row.is_session_expired)
        yield Sample(QUEUE_SIZE, labels, row.queue_size)


def _totals(rows: Rows) -> Iterator[Sample]:
    yield Sample(REPLICAS, (), len(rows))
    yield Sample(REPLICAS_READONLY, (), sum(1 for row in rows if row.is_readonly and not row.expected))
    yield Sample(REPLICAS_EXPIRED, (), sum(row.is_session_expired for row in rows))
    yield Sample(REPLICAS_UNKNOWN, (), sum(row.lag_unknown for row in rows))
    known = [row.absolute_delay for row in rows if not row.lag_unknown]
    if known:
        yield Sample(MAX_LAG, (), max(known))


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [_payload(row) for row in rows]


def _payload(row: Row) -> dict[str, Any]:
    return {
        "database": row.database,
        "table": row.table,
        "replica": row.replica_name,
        "lag_seconds": row.lag_seconds,
        "lag_unknown": bool(row.lag_unknown),
        "is_readonly": bool(row.is_readonly),
        "readonly_since": iso(row.readonly_since or None),
        "expected": row.expected,
        "is_session_expired": bool(row.is_session_expired),
        "queue_size": row.queue_size,
        "inserts_in_queue": row.inserts_in_queue,
        "merges_in_queue": row.merges_in_queue,
        "oldest_task_age_seconds": row.oldest_task_seconds,
        "stuck_tasks": row.stuck_tasks,
        "last_exception": row.last_exception,
        "status": str(row.status),
    }


PANEL = Panel(
    name=NAME,
    about="Lag, read-only state and queue of every replica, from system.replicas and replication_queue.",
    needs=("replicas",),
    reads=("replication_queue",),
    probe=probe,
    samples=samples,
    metrics=(
        LAG, LAG_UNKNOWN, READONLY, READONLY_UNEXPECTED, SESSION_EXPIRED, QUEUE_SIZE,
        REPLICAS, REPLICAS_READONLY, REPLICAS_EXPIRED, REPLICAS_UNKNOWN, MAX_LAG,
    ),
    hidden_without_show=True,
    payload=payload,
)  # fmt: skip
