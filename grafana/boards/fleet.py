"""Fleet overview: every cluster in one line, the worst first."""

from grafana.frame import Board
from grafana.links import BOARD_OF_ALERTS, BOARD_OF_CLUSTER
from grafana.panels import UP, YES, Column, Graph, Row, Stat, Table, Timeline
from grafana.queries import Query, alerts_of, largest

SUMMARY = Row(
    "All clusters",
    (
        Stat(
            title="Clusters",
            about="Clusters that the exporter watches.",
            query=Query("count(count by (cluster) (clickhouse_up))"),
        ),
        Stat(
            title="Nodes up",
            about="Nodes that answer, be it with an exception.",
            query=Query("sum(clickhouse_up)"),
        ),
        Stat(
            title="Nodes down",
            about="Nodes that do not answer: no connection, or no answer in time.",
            query=Query("count(clickhouse_up) - sum(clickhouse_up)"),
            counts="NodeDown",
        ),
        Stat(
            title="Lowest score",
            about="The health score of the worst cluster, 0 to 100.",
            query=Query("min(clickhouse_health_score)"),
            rule="HealthScoreLow",
            decimals=1,
        ),
        Stat(
            title="Critical alerts",
            about="Critical alerts that are not resolved, as ClusterSight's alerter has them.",
            query=alerts_of("critical"),
            counts="critical",
            link=BOARD_OF_ALERTS,
            empty="no alerter",
        ),
        Stat(
            title="Warnings",
            about="Warnings that are not resolved, as ClusterSight's alerter has them.",
            query=alerts_of("warning"),
            counts="warning",
            link=BOARD_OF_ALERTS,
            empty="no alerter",
        ),
    ),
)
CLUSTERS = Table(
    title="Clusters",
    about="Each cluster with its score and what drags it down most often. A name opens the cluster.",
    labels=("cluster",),
    sort="Score",
    falling=False,
    links={"cluster": BOARD_OF_CLUSTER},
    height=10,
    columns=(
        Column(
            name="Score",
            expr="clickhouse_health_score",
            rule="HealthScoreLow",
            decimals=1,
        ),
        Column(name="Grade", expr="clickhouse_health_score", grades=True),
        Column(name="Nodes", expr="clickhouse_up", how="count"),
        Column(name="Down", expr="clickhouse_cluster_nodes_down", counts="NodeDown"),
        Column(name="Shards down", expr="clickhouse_cluster_shards_down", counts="ShardDown"),
        Column(
            name="Alerts",
            expr="sum by (cluster) (clustersight_alerter_firing_alerts)"
            " or 0 * max by (cluster) (clickhouse_up) and on () (max(clustersight_alerter_leader) == 1)",
            how="",
        ),
        Column(
            name="Largest lag",
            expr="clickhouse_replica_max_lag_seconds",
            unit="s",
            rule="ReplicationLag",
        ),
        Column(
            name="Parts pressure",
            expr="clickhouse_parts_max_pressure_ratio",
            unit="percentunit",
            rule="PartsPressureCritical",
        ),
        Column(
            name="Fullest disk",
            expr="clickhouse_disk_usage_ratio",
            unit="percentunit",
            rule="DiskUsage",
        ),
        Column(
            name="Memory",
            expr="clickhouse_memory_usage_ratio",
            unit="percentunit",
            rule="MemoryPressure",
        ),
        Column(
            name="Failing mutations",
            expr="clickhouse_mutations_unfinished_failing",
            how="sum",
            counts="MutationFailing",
        ),
        Column(
            name="Versions differ",
            expr="clickhouse_version_mismatch",
            words=YES,
        ),
    ),
)
COURSE = Row(
    "Course",
    (
        Graph(
            title="Health score",
            about="0 to 100 for each cluster; below the line HealthScoreLow fires.",
            queries=(largest("clickhouse_health_score", "cluster"),),
            rule="HealthScoreLow",
            width=12,
            most=100,
        ),
        Graph(
            title="Alerts",
            about="Alerts that are not resolved, by cluster.",
            queries=(Query("sum by (cluster) (clustersight_alerter_firing_alerts)", "{{cluster}}"),),
            width=12,
            stacked=True,
        ),
        Timeline(
            title="Nodes",
            about="Whether each node answered. A gap is a time in which nobody asked.",
            query=largest("clickhouse_up"),
            words=UP,
            width=24,
            height=9,
        ),
    ),
)
BOARD = Board(
    uid="clustersight-fleet",
    title="ClickHouse fleet",
    about="Every ClickHouse cluster: score, alerts, nodes that are down, and the nearest limits.",
    rows=(SUMMARY, Row("Each cluster", (CLUSTERS,)), COURSE),
    places=("cluster",),
)
