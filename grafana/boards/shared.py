"""Numbers that stand on more than one dashboard: the nearest limits, each on its own subject's too."""

from grafana.panels import Stat
from grafana.queries import Query

LARGEST_LAG = Stat(
    title="Largest lag",
    about="How far the slowest replica is behind, in inserts not fetched; absent where that is unknown.",
    query=Query("max(clickhouse_replica_max_lag_seconds)"),
    unit="s",
    rule="ReplicationLag",
    empty="no replicas",
)
READONLY_REPLICAS = Stat(
    title="Read-only replicas",
    about="Replicas that take no inserts: without Keeper, or without their metadata.",
    query=Query("sum(clickhouse_replicas_readonly)"),
    counts="ReplicaReadonly",
    empty="no replicas",
)
PARTS_PRESSURE = Stat(
    title="Parts pressure",
    about="The fullest partition of all tables against its limit: at 100 % inserts are refused.",
    query=Query("max(clickhouse_parts_max_pressure_ratio)"),
    unit="percentunit",
    rule="PartsPressureCritical",
)
FULLEST_DISK = Stat(
    title="Fullest disk",
    about="The fullest disk of all nodes.",
    query=Query("max(clickhouse_disk_usage_ratio)"),
    unit="percentunit",
    rule="DiskUsage",
    empty="not told",
)
FAILING_MUTATIONS = Stat(
    title="Failing mutations",
    about="Mutations that fail and are tried again and again.",
    query=Query("sum(clickhouse_mutations_unfinished_failing)"),
    counts="MutationFailing",
    empty="not told",
)
