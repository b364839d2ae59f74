"""One cluster (or several): its score and why, its nodes, and what has a dashboard of its own in short."""

from grafana.boards.cluster_objects import OBJECTS
from grafana.boards.shared import (
    FAILING_MUTATIONS,
    FULLEST_DISK,
    LARGEST_LAG,
    PARTS_PRESSURE,
    READONLY_REPLICAS,
)
from grafana.frame import Board
from grafana.links import BOARD_OF_NODE
from grafana.panels import OK, UP, YES, Column, Graph, Row, Stat, Table, Timeline
from grafana.queries import Query, a_minute, a_second, largest

HEALTH = Row(
    "Health",
    (
        Stat(
            title="Score",
            about="The lowest health score of the chosen clusters, 0 to 100; the API explains it.",
            query=Query("min(clickhouse_health_score)"),
            rule="HealthScoreLow",
            decimals=1,
            height=8,
        ),
        Graph(
            title="Score by component",
            about="The score is their weighted mean, held down by the worst of them.",
            queries=(
                Query(
                    "min by (cluster, component) (clickhouse_health_component_score)",
                    "{{cluster}} {{component}}",
                ),
            ),
            most=100,
            width=12,
        ),
        Timeline(
            title="Nodes",
            about="Whether each node answered.",
            query=largest("clickhouse_up"),
            words=UP,
        ),
    ),
)
NODES = Table(
    title="Nodes",
    about="Every node as it is now. A host's name narrows the dashboard to it.",
    labels=("cluster", "host"),
    sort="Up",
    falling=False,
    links={"host": BOARD_OF_NODE},
    height=9,
    columns=(
        Column(name="Up", expr="clickhouse_up", words=UP),
        Column(name="Uptime", expr="clickhouse_uptime_seconds", unit="s"),
        Column(
            name="Memory",
            expr="clickhouse_memory_usage_ratio",
            unit="percentunit",
            rule="MemoryPressure",
        ),
        Column(
            name="Clock",
            expr="clickhouse_clock_skew_seconds",
            unit="s",
            rule="ClockSkew",
        ),
        Column(name="Queries", expr="clickhouse_queries_running"),
        Column(name="Tables", expr="clickhouse_tables"),
        Column(name="Parts", expr="clickhouse_parts_active"),
        Column(
            name="Merge pool",
            expr="clickhouse_merge_pool_saturation_ratio",
            unit="percentunit",
            rule="MergePoolSaturated",
        ),
        Column(name="Keeper", expr="clickhouse_keeper_online", words=OK),
    ),
)
VERSIONS = Table(
    title="Versions",
    about="Version and place of each node; more than one version for a day is VersionMismatch.",
    labels=("cluster", "host", "version", "shard", "replica"),
    width=12,
    columns=(
        Column(
            name="Answers",
            expr="clickhouse_info",
            words=OK,
        ),
    ),
)
LOAD = Row(
    "Load",
    (
        Graph(
            title="Queries",
            about="Queries a second of each node, with those for other nodes and our own.",
            queries=(a_second("clickhouse_queries_total"),),
            unit="reqps",
        ),
        Graph(
            title="Memory",
            about="Memory against the smallest limit: of the server, of the cgroup, of the machine.",
            queries=(largest("clickhouse_memory_usage_ratio"),),
            unit="percentunit",
            rule="MemoryPressure",
            most=1,
        ),
        Graph(
            title="Connections",
            about="Open connections of clients and of other servers, by kind.",
            queries=(Query("sum by (kind) (clickhouse_connections)", "{{kind}}"),),
            stacked=True,
        ),
        Graph(
            title="Errors",
            about="The ten errors that were raised most often, a minute, without those of other servers.",
            queries=(
                Query(
                    "topk(10, sum by (error) (60 * rate(clickhouse_errors_total[$__rate_interval])))",
                    "{{error}}",
                ),
            ),
            unit="cpm",
        ),
        Graph(
            title="Restarts within an hour",
            about="How often the uptime went back; from three on RestartLoop fires.",
            queries=(largest("resets(clickhouse_uptime_seconds[1h])"),),
            rule="RestartLoop",
        ),
        Graph(
            title="Other servers that could not be reached",
            about="Failures of distributed queries and of fetches of parts, a minute.",
            queries=(a_minute("clickhouse_interserver_errors_total", "cluster", "host", "kind"),),
            unit="cpm",
            rule="InterserverFailing",
        ),
    ),
)
LIMITS = Row(
    "Nearest limits",
    (
        LARGEST_LAG,
        READONLY_REPLICAS,
        PARTS_PRESSURE,
        FULLEST_DISK,
        FAILING_MUTATIONS,
        Stat(
            title="Versions differ",
            about="Whether the nodes that answer run more than one version.",
            query=Query("max(clickhouse_version_mismatch)"),
            words=YES,
        ),
    ),
)
BOARD = Board(
    uid="clustersight-cluster",
    title="ClickHouse cluster",
    about="One cluster: its health and what it is made of, its nodes, load, errors, and the nearest limits.",
    rows=(HEALTH, LIMITS, Row("Each node", (NODES,)), LOAD, OBJECTS, Row("Versions", (VERSIONS,))),
)
