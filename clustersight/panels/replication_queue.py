"""What replicas still have to do, and what of it does not get done: system.replication_queue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clustersight.clickhouse.errors import ClickHouseError
from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels import replicas
from clustersight.panels.masking import without_values
from clustersight.panels.panel import Context, Panel, Rows

NAME = "replication-queue"

# From when a task counts as stuck (facts, section 3): it failed often and for five minutes, or it was
# put off a thousand times and for an hour. Merges wait for parts all the time: that is no failure.
STUCK = {"tries": 10, "failing_seconds": 300, "postponements": 1000, "postponed_seconds": 3600}

# sum() of a condition and one argMax for each column: 18.16 knows no countIf on tuples. Ties take the
# first task in all of them, so the columns of the worst task belong together.
SQL = """
SELECT
    database, table,
    toInt64(count()) AS tasks,
    toInt64(sum(is_currently_executing)) AS executing,
    toInt64(sum(is_failing)) AS failing_tasks,
    toInt64(sum(is_postponed)) AS postponed_tasks,
    toInt64(sum((is_failing AND age_seconds > %(failing_seconds)s)
        OR (is_postponed AND age_seconds > %(postponed_seconds)s))) AS stuck_tasks,
    max(age_seconds) AS oldest_task_seconds,
    argMax(type, num_tries) AS worst_type,
    argMax(new_part_name, num_tries) AS worst_part,
    argMax(source_replica, num_tries) AS worst_source_replica,
    toInt64(max(num_tries)) AS worst_tries,
    argMax(substring(last_exception, 1, 300), num_tries) AS last_exception,
    argMax(substring(postpone_reason, 1, 300), num_postponed) AS postpone_reason
FROM
(
    SELECT
        database, table, type, new_part_name, source_replica, is_currently_executing,
        num_tries, num_postponed, last_exception, postpone_reason,
        num_tries > %(tries)s AND last_exception != '' AS is_failing,
        num_postponed > %(postponements)s AS is_postponed,
        if(toUnixTimestamp(create_time) = 0, toInt64(0),
            greatest(toInt64(0), toInt64(toUnixTimestamp(now())) - toInt64(toUnixTimestamp(create_time))))
            AS age_seconds
    FROM system.replication_queue
)
GROUP BY database, table
ORDER BY stuck_tasks DESC, failing_tasks DESC, oldest_task_seconds DESC, database, table
LIMIT 10000
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One table. `worst_*` and `last_exception` are of the task that was tried most often."""

    database: str
    table: str
    tasks: int
    executing: int
    failing_tasks: int
    postponed_tasks: int
    stuck_tasks: int
    oldest_task_seconds: int
    worst_type: str
    worst_part: str
    worst_source_replica: str
    worst_tries: int
    last_exception: str
    postpone_reason: str


_LABELS = ("database", "table")
STUCK_TASKS = Metric(
    "clickhouse_replication_queue_stuck_tasks",
    "Tasks that failed more than 10 times and are older than 5 minutes, or were postponed more than"
    " 1000 times and are older than an hour; absent for a table with an empty queue.",
    _LABELS,
    key="replication.stuck_tasks",
    unit=Unit.COUNT,
    alarming=1,
    history=True,
)
OLDEST = Metric(
    "clickhouse_replication_queue_oldest_task_seconds",
    "Age of a table's oldest task; absent for a table with an empty queue.",
    _LABELS,
    key="replication.oldest_task_seconds",
    unit=Unit.SECONDS,
    alarming=3600,
    history=True,
)
FAILING_TASKS = Metric(
    "clickhouse_replication_queue_failing_tasks",
    "Tasks that failed more than 10 times; absent for a table with an empty queue.",
    _LABELS,
    key="replication.failing_tasks",
    unit=Unit.COUNT,
    alarming=1,
)
TASKS = Metric(
    "clickhouse_replication_tasks",
    "Tasks in the queues of all replicas of the node.",
    key="replication.tasks",
    unit=Unit.COUNT,
    history=True,
)
TASKS_STUCK = Metric(
    "clickhouse_replication_tasks_stuck",
    "Stuck tasks of all replicas of the node.",
    key="replication.tasks_stuck",
    unit=Unit.COUNT,
    history=True,
)
MAX_OLDEST = Metric(
    "clickhouse_replication_max_oldest_task_seconds",
    "Age of the oldest task of the node, 0 where every queue is empty.",
    key="replication.max_oldest_task_seconds",
    unit=Unit.SECONDS,
    history=True,
)


def read(context: Context) -> list[Row]:
    """One query a visit, also when the replication panel asks too; none where there is no replica."""
    found = context.rows(SQL, Row, **STUCK) if _may_have_tasks(context) else []
    return without_values(found, "last_exception")


def _may_have_tasks(context: Context) -> bool:
    try:
        return not context.has("replicas") or bool(replicas.read(context))
    except ClickHouseError:
        return True  # the other table may be readable all the same


def samples(rows: Rows) -> Iterator[Sample]:
    yield Sample(TASKS, (), sum(row.tasks for row in rows))
    yield Sample(TASKS_STUCK, (), sum(row.stuck_tasks for row in rows))
    yield Sample(MAX_OLDEST, (), max((row.oldest_task_seconds for row in rows), default=0))
    for row in rows:
        labels = (row.database, row.table)
        yield Sample(STUCK_TASKS, labels, row.stuck_tasks)
        yield Sample(OLDEST, labels, row.oldest_task_seconds)
        yield Sample(FAILING_TASKS, labels, row.failing_tasks)


PANEL = Panel(
    name=NAME,
    about="Tasks of replicas that wait, fail or are stuck, by table, from system.replication_queue.",
    needs=("replication_queue",),
    probe=read,
    samples=samples,
    metrics=(STUCK_TASKS, OLDEST, FAILING_TASKS, TASKS, TASKS_STUCK, MAX_OLDEST),
    hidden_without_show=True,
)
