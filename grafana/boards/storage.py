"""Storage: disks, when they will be full, parts that were set aside, and what the tables take."""

from grafana.boards.shared import FULLEST_DISK
from grafana.frame import Board
from grafana.panels import Column, Graph, Row, Stat, Table
from grafana.queries import Query, largest, worst
from grafana.thresholds import seen_by

_DISK = "{{cluster}} {{host}} {{disk}}"

NOW = Row(
    "Now",
    (
        FULLEST_DISK,
        Stat(
            title="Free",
            about="Free space of all disks; disks on one file system count once each.",
            query=Query("sum(clickhouse_disk_free_bytes)"),
            unit="bytes",
            empty="not told",
        ),
        Stat(
            title="Broken disks",
            about="Disks that ClickHouse takes for broken.",
            query=Query("sum(clickhouse_disk_broken)"),
            counts="DiskBroken",
            empty="not told",
        ),
        Stat(
            title="New broken parts",
            about="Parts that were set aside as broken or unexpected within a day; all of them are below.",
            query=Query(f"sum({seen_by('BrokenParts')}) or 0 * max(clickhouse_detached_parts_all)"),
            counts="BrokenParts",
            empty="not told",
        ),
        Stat(
            title="Data",
            about="Compressed size of all tables of the MergeTree family.",
            query=Query("sum(clickhouse_compressed_bytes)"),
            unit="bytes",
        ),
        Stat(
            title="Rows",
            about="Rows of all tables of the MergeTree family.",
            query=Query("sum(clickhouse_rows)"),
        ),
    ),
)
DISKS = Row(
    "Disks",
    (
        Graph(
            title="Used",
            about="Used share of each disk. Merges stop long before 100 %.",
            queries=(largest("clickhouse_disk_usage_ratio", "cluster", "host", "disk"),),
            unit="percentunit",
            rule="DiskUsage",
            most=1,
        ),
        Graph(
            title="Free",
            about="Free space of each disk.",
            queries=(largest("clickhouse_disk_free_bytes", "cluster", "host", "disk"),),
            unit="bytes",
        ),
        Graph(
            title="Full in",
            about="If a disk fills on as in the last day; only disks over 60 %, and ten days at most.",
            queries=(Query(f"{seen_by('DiskWillFill')} < 240", _DISK),),
            unit="h",
            rule="DiskWillFill",
        ),
    ),
)
DETACHED = Row(
    "Parts that were set aside",
    (
        Graph(
            title="By class of reason",
            about="broken and unexpected ones may be lost rows; temporary and harmless ones are not.",
            queries=(
                Query(
                    "sum by (cluster, reason_class) (clickhouse_detached_parts_all)",
                    "{{cluster}} {{reason_class}}",
                ),
            ),
            stacked=True,
            width=12,
        ),
        Table(
            title="Tables with detached parts",
            about="Which tables, and why; the API has the exact reasons.",
            labels=("cluster", "host", "database", "table", "reason_class"),
            sort="Parts",
            width=12,
            columns=(
                Column(
                    name="Parts",
                    expr="clickhouse_detached_parts",
                ),
                Column(
                    name="Size",
                    expr="clickhouse_detached_parts_bytes",
                    unit="bytes",
                ),
            ),
        ),
    ),
)
TABLES = Row(
    "Tables",
    (
        Graph(
            title="Largest tables",
            about="Compressed size of the 20 largest tables.",
            queries=(worst("clickhouse_table_compressed_bytes"),),
            unit="bytes",
        ),
        Graph(
            title="Size of all tables",
            about="Compressed size of all tables of each node.",
            queries=(largest("clickhouse_compressed_bytes"),),
            unit="bytes",
        ),
        Graph(
            title="Worst compression",
            about="Compressed against uncompressed size: the ten tables that compress worst.",
            queries=(worst("clickhouse_table_compression_ratio", 10),),
            unit="percentunit",
        ),
    ),
)
BOARD = Board(
    uid="clustersight-storage",
    title="ClickHouse storage",
    about="Disks and when they will be full, parts that were set aside, sizes and compression of tables.",
    rows=(NOW, DISKS, DETACHED, TABLES),
    start="now-24h",
)
