"""Replication: how far replicas are behind, which take no inserts, and what waits in their queues."""

from grafana.boards.shared import LARGEST_LAG, READONLY_REPLICAS
from grafana.frame import Board
from grafana.panels import YES, Column, Graph, Row, Stat, Table
from grafana.queries import Query, a_minute, largest, worst

NOW = Row(
    "Now",
    (
        Stat(
            title="Replicas",
            about="Replicas of all chosen nodes.",
            query=Query("sum(clickhouse_replicas)"),
            empty="no replicas",
        ),
        READONLY_REPLICAS,
        Stat(
            title="Session expired",
            about="Replicas whose session with Keeper has expired.",
            query=Query("sum(clickhouse_replicas_session_expired)"),
            counts="ReplicaSessionExpired",
            empty="no replicas",
        ),
        Stat(
            title="Lag unknown",
            about="Replicas of which nobody can say how far they are behind. Unknown is not 0.",
            query=Query("sum(clickhouse_replicas_lag_unknown)"),
            counts="ReplicaReadonly",
            empty="no replicas",
        ),
        LARGEST_LAG,
        Stat(
            title="Stuck tasks",
            about="Tasks of replication queues that fail or are put off again and again.",
            query=Query("sum(clickhouse_replication_tasks_stuck)"),
            counts="ReplicationQueueStuck",
            empty="no replicas",
        ),
    ),
)
LAG = Row(
    "Lag and state",
    (
        Graph(
            title="Lag by node",
            about="The slowest replica of each node. Where the lag is unknown there is no line.",
            queries=(largest("clickhouse_replica_max_lag_seconds"),),
            unit="s",
            rule="ReplicationLag",
            width=12,
        ),
        Graph(
            title="Lag by table",
            about="The 20 replicas that are farthest behind.",
            queries=(worst("clickhouse_replica_lag_seconds > 0"),),
            unit="s",
            rule="ReplicationLag",
            width=12,
        ),
        Graph(
            title="Read-only replicas",
            about="Replicas of each node that take no inserts.",
            queries=(largest("clickhouse_replicas_readonly"),),
            counts="ReplicaReadonly",
            width=12,
        ),
        Graph(
            title="Parts lost on all replicas",
            about="Parts that no replica has any more, a minute: their rows are gone.",
            queries=(a_minute("clickhouse_replicated_data_loss_total"),),
            unit="cpm",
            rule="ReplicatedDataLoss",
            width=12,
        ),
    ),
)
QUEUE = Row(
    "Queue",
    (
        Graph(
            title="Tasks",
            about="Tasks that wait in the replication queues of each node.",
            queries=(largest("clickhouse_replication_tasks"),),
        ),
        Graph(
            title="Oldest task",
            about="Age of the oldest task of each node; a big mutation may make hours.",
            queries=(largest("clickhouse_replication_max_oldest_task_seconds"),),
            unit="s",
        ),
        Graph(
            title="Stuck tasks by table",
            about="Tasks that fail or are put off again and again; the 20 worst tables.",
            queries=(worst("clickhouse_replication_queue_stuck_tasks > 0"),),
            counts="ReplicationQueueStuck",
        ),
    ),
)
TABLES = Table(
    title="Replicas that are not well",
    about="Replicas that lag, are read-only, have no session, or wait with tasks.",
    labels=("cluster", "host", "database", "table"),
    sort="Lag",
    height=10,
    columns=(
        Column(
            name="Lag",
            expr="clickhouse_replica_lag_seconds > 0",
            unit="s",
            rule="ReplicationLag",
        ),
        Column(
            name="Read-only",
            expr="clickhouse_replica_readonly > 0",
            words=YES,
        ),
        Column(
            name="Session expired",
            expr="clickhouse_replica_session_expired > 0",
            words=YES,
        ),
        Column(name="Queue", expr="clickhouse_replica_queue_size > 0"),
        Column(
            name="Failing tasks",
            expr="clickhouse_replication_queue_failing_tasks > 0",
        ),
        Column(
            name="Oldest task",
            expr="clickhouse_replication_queue_oldest_task_seconds > 0",
            unit="s",
        ),
    ),
)
BOARD = Board(
    uid="clustersight-replication",
    title="ClickHouse replication",
    about="Lag, read-only replicas, sessions and queues of replicated tables.",
    rows=(NOW, LAG, QUEUE, Row("Tables", (TABLES,))),
)
