"""Queries: how many, how slow, which fail, and whether the server refuses more."""

from grafana.frame import Board
from grafana.panels import Graph, Row, Stat
from grafana.queries import Query, a_minute, a_second, largest
from grafana.thresholds import seen_by

NOW = Row(
    "Now",
    (
        Stat(
            title="Running",
            about="Queries that run now, without our own.",
            query=Query("sum(clickhouse_queries_running)"),
        ),
        Stat(
            title="Against the limit",
            about="Running queries against max_concurrent_queries, of the busiest node.",
            query=Query("max(clickhouse_queries_running_ratio)"),
            unit="percentunit",
            empty="no limit",
        ),
        Stat(
            title="Longest",
            about="How long the oldest SELECT or INSERT of a user has been running.",
            query=Query("max(clickhouse_query_longest_running_seconds)"),
            unit="s",
        ),
        Stat(
            title="p95",
            about="95 % of the SELECTs of the last window were faster, on the slowest node.",
            query=Query('max(clickhouse_query_duration_seconds{quantile="0.95"})'),
            unit="s",
            empty="too few queries",
        ),
        Stat(
            title="Server's faults",
            about="Share of the queries that failed by the server's fault, of the worst node.",
            query=Query("max(clickhouse_query_server_fault_ratio)"),
            unit="percentunit",
            rule="FailedQueries",
            empty="too few queries",
        ),
        Stat(
            title="Refused a minute",
            about="Queries refused because too many ran, or because a server was overloaded.",
            query=Query("sum(60 * rate(clickhouse_queries_refused_total[$__rate_interval]))"),
            unit="cpm",
            rule="QueriesRefused",
            empty="not told",
        ),
    ),
)
RATE = Row(
    "How many",
    (
        Graph(
            title="By kind",
            about="Queries a second of all chosen nodes, by kind.",
            queries=(a_second("clickhouse_queries_total", "kind"),),
            unit="reqps",
            stacked=True,
        ),
        Graph(
            title="By node",
            about="Queries that clients sent to each node, a second.",
            queries=(a_second("clickhouse_initial_queries_total"),),
            unit="reqps",
        ),
        Graph(
            title="Running",
            about="Queries that run on each node, without our own.",
            queries=(largest("clickhouse_queries_running"),),
        ),
    ),
)
SLOW = Row(
    "How slow",
    (
        Graph(
            title="p50",
            about="Half of the SELECTs were faster. Of each node: quantiles must not be averaged.",
            queries=(largest('clickhouse_query_duration_seconds{quantile="0.5"}'),),
            unit="s",
        ),
        Graph(
            title="p95",
            about="95 % of the SELECTs were faster.",
            queries=(largest('clickhouse_query_duration_seconds{quantile="0.95"}'),),
            unit="s",
        ),
        Graph(
            title="p99",
            about="99 % of the SELECTs were faster.",
            queries=(largest('clickhouse_query_duration_seconds{quantile="0.99"}'),),
            unit="s",
        ),
        Graph(
            title="Longest running",
            about="How long the oldest SELECT or INSERT of each node has been running.",
            queries=(largest("clickhouse_query_longest_running_seconds"),),
            unit="s",
            width=12,
        ),
        Graph(
            title="p95 against the usual",
            about="How many times the median of the last day p95 is; where it is a second or more.",
            queries=(largest(seen_by("SlowQueries")),),
            rule="SlowQueries",
            width=12,
        ),
    ),
)
FAILED = Row(
    "What fails",
    (
        Graph(
            title="Failed, by kind",
            about="Queries that failed a second, whoever was to blame.",
            queries=(a_second("clickhouse_failed_queries_total", "kind"),),
            unit="reqps",
            stacked=True,
        ),
        Graph(
            title="Server's faults",
            about="Share of the queries of the last window that failed by the server's fault; of 50 or more.",
            queries=(largest("clickhouse_query_server_fault_ratio"),),
            unit="percentunit",
            rule="FailedQueries",
            most=1,
        ),
        Graph(
            title="Refused",
            about="Queries that a node refused because too many ran or it was overloaded, a minute.",
            queries=(a_minute("clickhouse_queries_refused_total"),),
            unit="cpm",
            rule="QueriesRefused",
        ),
        Graph(
            title="Errors by name",
            about="The 15 errors that were raised most often, a minute, without those of other servers.",
            queries=(
                Query(
                    "topk(15, sum by (error) (60 * rate(clickhouse_errors_total[$__rate_interval])))",
                    "{{error}}",
                ),
            ),
            unit="cpm",
            width=24,
        ),
        Graph(
            title="Errors for want of room",
            about="Errors a minute for want of memory, threads or space, or for too many parts.",
            queries=(largest(seen_by("CapacityErrors"), "cluster", "host", "error"),),
            unit="cpm",
            rule="CapacityErrors",
            width=12,
        ),
        Graph(
            title="Errors that mean damage",
            about="Errors a minute that say that data on a disk are damaged or missing.",
            queries=(largest(seen_by("CriticalErrors"), "cluster", "host", "error"),),
            unit="cpm",
            rule="CriticalErrors",
            width=12,
        ),
    ),
)
BOARD = Board(
    uid="clustersight-queries",
    title="ClickHouse queries",
    about="Rate, duration and failures of queries. Which queries those are: the query inspector of the API.",
    rows=(NOW, RATE, SLOW, FAILED),
)
