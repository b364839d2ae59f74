"""Parts, merges, mutations and inserts: how near tables are to refusing inserts, and why."""

from grafana.boards.shared import FAILING_MUTATIONS, PARTS_PRESSURE
from grafana.frame import Board
from grafana.panels import Graph, Row, Stat
from grafana.queries import OF_TABLE, Query, a_minute, a_second, largest, worst

NOW = Row(
    "Now",
    (
        PARTS_PRESSURE,
        Stat(
            title="Delay pressure",
            about="The fullest partition against the number of parts from which inserts are slowed down.",
            query=Query("max(clickhouse_parts_max_delay_pressure_ratio)"),
            unit="percentunit",
            rule="PartsPressure",
        ),
        Stat(
            title="Active parts",
            about="Active parts of all tables.",
            query=Query("sum(clickhouse_parts_active)"),
            empty="not told",
        ),
        Stat(
            title="Merges",
            about="Running merges and mutations of parts.",
            query=Query("sum(clickhouse_merges_running)"),
        ),
        Stat(
            title="Stuck merges",
            about="Merges that run for over an hour and need over a day more.",
            query=Query("sum(clickhouse_merges_running_stuck)"),
            counts="MergeStuck",
        ),
        FAILING_MUTATIONS,
    ),
)
PRESSURE = Row(
    "Pressure",
    (
        Graph(
            title="Against the limit for inserts",
            about="The fullest partition of a table against parts_to_throw_insert: the 20 fullest.",
            queries=(worst("clickhouse_table_parts_pressure_ratio"),),
            unit="percentunit",
            rule="PartsPressureCritical",
        ),
        Graph(
            title="Against the delay",
            about="The fullest partition of a table against parts_to_delay_insert: the 20 fullest.",
            queries=(worst("clickhouse_table_parts_delay_pressure_ratio"),),
            unit="percentunit",
            rule="PartsPressure",
        ),
        Graph(
            title="Against max_parts_in_total",
            about="Parts in all partitions of a table against max_parts_in_total: the 20 fullest tables.",
            queries=(worst("clickhouse_table_parts_total_pressure_ratio"),),
            unit="percentunit",
            rule="PartsTotalPressure",
        ),
        Graph(
            title="Parts by table",
            about="Active parts of the 20 tables that have most; tables with few are left out.",
            queries=(worst("clickhouse_table_parts"),),
        ),
        Graph(
            title="Inserts slowed down",
            about="Blocks of inserts that were held back because a partition has many parts, a minute.",
            queries=(a_minute("clickhouse_delayed_inserts_total"),),
            unit="cpm",
            rule="InsertsDelayed",
        ),
        Graph(
            title="Inserts refused",
            about="Inserts that were refused because of too many parts, a minute.",
            queries=(a_minute("clickhouse_rejected_inserts_total"),),
            unit="cpm",
            rule="InsertsRejected",
        ),
    ),
)
COMING = Row(
    "Where parts come from",
    (
        Graph(
            title="Created against merged",
            about="Parts that inserts create, and by how many merges make them fewer, a second. Where the"
            " first stays above the second, inserts will be refused: this is the early sign.",
            queries=(
                Query("sum(clickhouse_parts_created_per_second)", "created"),
                Query("sum(clickhouse_small_parts_created_per_second)", "created with few rows"),
                Query("sum(clickhouse_parts_merged_per_second)", "merged"),
            ),
            unit="cps",
        ),
        Graph(
            title="Growth by table",
            about="Parts created less those merged away, a minute: the ten tables that grow fastest.",
            queries=(Query("topk(10, 60 * clickhouse_table_parts_growth_per_second > 0)", OF_TABLE),),
            unit="cpm",
            rule="PartsCreatedFasterThanMerged",
        ),
        Graph(
            title="Rows of a new part",
            about="Rows of the average part that inserts create: the ten tables with the smallest inserts.",
            queries=(Query("bottomk(10, clickhouse_table_rows_per_created_part)", OF_TABLE),),
        ),
        Graph(
            title="Small inserts",
            about="Parts with few rows that inserts create, a minute: the ten worst tables.",
            queries=(Query("topk(10, 60 * clickhouse_table_small_parts_created_per_second > 0)", OF_TABLE),),
            unit="cpm",
            rule="SmallInserts",
        ),
        Graph(
            title="Asynchronous inserts",
            about="Asynchronous inserts a second of each node.",
            queries=(a_second("clickhouse_async_inserts_total"),),
            unit="ops",
        ),
        Graph(
            title="Failed asynchronous inserts",
            about="Asynchronous inserts whose data was not written, a minute; often nobody else is told.",
            queries=(a_minute("clickhouse_failed_async_inserts_total"),),
            unit="cpm",
            rule="AsyncInsertsFailing",
        ),
    ),
)
MERGES = Row(
    "Merges",
    (
        Graph(
            title="Merge pool",
            about="Busy share of the pool for merges and mutations. A full pool merges nothing more.",
            queries=(largest("clickhouse_merge_pool_saturation_ratio"),),
            unit="percentunit",
            rule="MergePoolSaturated",
            most=1,
        ),
        Graph(
            title="Running merges",
            about="Running merges and mutations of parts of each node.",
            queries=(largest("clickhouse_merges_running"),),
        ),
        Graph(
            title="Longest merges",
            about="How long the longest merge of a table has been running: the ten longest.",
            queries=(worst("clickhouse_merge_longest_elapsed_seconds", 10),),
            unit="s",
        ),
    ),
)
MUTATIONS = Row(
    "Mutations",
    (
        Graph(
            title="Unfinished",
            about="Mutations of a table that are not done: the ten tables with most.",
            queries=(worst("clickhouse_mutations_active", 10),),
            rule="MutationsMany",
        ),
        Graph(
            title="Failing and stuck",
            about="Mutations of a table that fail, and those whose work does not get less.",
            queries=(
                Query("topk(10, clickhouse_mutations_failing > 0)", "failing " + OF_TABLE),
                Query("topk(10, clickhouse_mutations_stuck > 0)", "stuck " + OF_TABLE),
            ),
            counts="MutationFailing",
        ),
        Graph(
            title="Oldest",
            about="Age of the oldest unfinished mutation of each node.",
            queries=(largest("clickhouse_mutations_unfinished_max_age_seconds"),),
            unit="s",
        ),
    ),
)
BOARD = Board(
    uid="clustersight-parts",
    title="ClickHouse parts and merges",
    about="Parts against their limits, inserts that are slowed down or refused, merges and mutations.",
    rows=(NOW, PRESSURE, COMING, MERGES, MUTATIONS),
)
