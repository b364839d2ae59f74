"""How well the data of each table is compressed: system.tables (23.4+), else system.parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels.inner_tables import shown_names
from clustersight.panels.local_tables import restricted
from clustersight.panels.panel import Context, Panel, Rows, Tier

NAME = "compression"

# About 110 ms for 5000 tables with 300 000 parts; over system.parts it is 280 ms. The columns of
# system.columns and system.parts_columns say the same for 430 and 2000 ms.
SIZES_OF_TABLES = """
    SELECT
        database, name AS table,
        toUInt64(ifNull(total_bytes, 0)) AS compressed_bytes,
        toUInt64(ifNull(total_bytes_uncompressed, 0)) AS uncompressed_bytes,
        toUInt64(ifNull(total_rows, 0)) AS rows
    FROM system.tables
    WHERE engine LIKE '%MergeTree' AND total_bytes > 0
        AND {local} AND {not_temporary}
"""
SIZES_OF_PARTS = """
    SELECT
        database, table,
        sum(data_compressed_bytes) AS compressed_bytes,
        sum(data_uncompressed_bytes) AS uncompressed_bytes,
        sum(rows) AS rows
    FROM system.parts
    WHERE active
    GROUP BY database, table
"""
# `{sizes}` is one of the two above.
SQL = """
SELECT database, table, compressed_bytes, uncompressed_bytes, rows
FROM ({sizes})
WHERE uncompressed_bytes > 0
ORDER BY uncompressed_bytes DESC, database, table
LIMIT 500
"""
# A second pass, since the first one leaves the small tables out.
SQL_TOTALS = """
SELECT all_compressed AS compressed_bytes, all_uncompressed AS uncompressed_bytes, all_rows AS rows, tables
FROM (
    SELECT
        sum(compressed_bytes) AS all_compressed,
        sum(uncompressed_bytes) AS all_uncompressed,
        sum(rows) AS all_rows,
        count() AS tables
    FROM ({sizes})
    WHERE uncompressed_bytes > 0
)
ORDER BY tables
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Row:
    database: str
    table: str
    compressed_bytes: int
    uncompressed_bytes: int
    rows: int

    @property
    def ratio(self) -> float:
        """Below 1 is a gain; marks and indexes count, so that a tiny table may be above it."""
        return self.compressed_bytes / self.uncompressed_bytes


@dataclass(frozen=True, slots=True)
class Totals:
    """All tables of the node."""

    compressed_bytes: int
    uncompressed_bytes: int
    rows: int
    tables: int


_LABELS = ("database", "table")
RATIO = Metric(
    "clickhouse_table_compression_ratio",
    "Size of a table's active parts on disk against the size of their data: 0.2 is a fifth; "
    "absent for an empty table.",
    _LABELS,
    key="compression.ratio_pct",
    unit=Unit.PERCENT,
    history=True,
)
COMPRESSED = Metric(
    "clickhouse_table_compressed_bytes",
    "Size of a table's active parts on disk.",
    _LABELS,
    key="compression.compressed_bytes",
    unit=Unit.BYTES,
    history=True,
)
UNCOMPRESSED = Metric(
    "clickhouse_table_uncompressed_bytes",
    "Size of a table's data before compression.",
    _LABELS,
    key="compression.uncompressed_bytes",
    unit=Unit.BYTES,
)
ROWS = Metric("clickhouse_table_rows", "Rows in a table's active parts.", _LABELS)
ALL_RATIO = Metric(
    "clickhouse_compression_ratio",
    "Size of all tables on disk against the size of their data; absent on a server without data.",
    key="compression.all_ratio_pct",
    unit=Unit.PERCENT,
    history=True,
)
ALL_COMPRESSED = Metric("clickhouse_compressed_bytes", "Size of all tables on disk.")
ALL_UNCOMPRESSED = Metric("clickhouse_uncompressed_bytes", "Size of all tables' data before compression.")
ALL_ROWS = Metric("clickhouse_rows", "Rows in all tables.")


def probe(context: Context) -> Rows:
    """The tables, the largest first, and after them the totals."""
    sizes = restricted(SIZES_OF_TABLES) if context.has("tables.total_bytes_uncompressed") else SIZES_OF_PARTS
    rows = context.rows(SQL.replace("{sizes}", sizes), Row)
    totals = [found for found in context.rows(SQL_TOTALS.replace("{sizes}", sizes), Totals) if found.tables]
    shown = shown_names(context, {(row.database, row.table) for row in rows})
    return [*(_renamed(row, shown) for row in rows), *totals]


def _renamed(row: Row, shown: dict[tuple[str, str], str]) -> Row:
    name = shown.get((row.database, row.table), row.table)
    return Row(row.database, name, row.compressed_bytes, row.uncompressed_bytes, row.rows)


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        if isinstance(row, Totals):
            yield Sample(ALL_RATIO, (), row.compressed_bytes / row.uncompressed_bytes)
            yield Sample(ALL_COMPRESSED, (), row.compressed_bytes)
            yield Sample(ALL_UNCOMPRESSED, (), row.uncompressed_bytes)
            yield Sample(ALL_ROWS, (), row.rows)
        else:
            labels = (row.database, row.table)
            yield Sample(RATIO, labels, row.ratio)
            yield Sample(COMPRESSED, labels, row.compressed_bytes)
            yield Sample(UNCOMPRESSED, labels, row.uncompressed_bytes)
            yield Sample(ROWS, labels, row.rows)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [_payload(row) for row in rows if isinstance(row, Row)]


def _payload(row: Row) -> dict[str, Any]:
    return {
        "database": row.database,
        "table": row.table,
        "compressed_bytes": row.compressed_bytes,
        "uncompressed_bytes": row.uncompressed_bytes,
        "ratio": round(row.ratio, 6),
        "ratio_pct": round(100 * row.ratio, 2),
        "rows": row.rows,
    }


PANEL = Panel(
    name=NAME,
    about="Compressed and uncompressed size of the largest tables, from system.tables or system.parts.",
    needs=("tables", "parts"),
    reads=("databases",),
    probe=probe,
    samples=samples,
    metrics=(RATIO, COMPRESSED, UNCOMPRESSED, ROWS, ALL_RATIO, ALL_COMPRESSED, ALL_UNCOMPRESSED, ALL_ROWS),
    tier=Tier.TWO,
    hidden_without_show=True,
    payload=payload,
)
