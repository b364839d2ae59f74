"""How large the parts of each table are, and how many of them a partition has: system.parts.

Many small parts where few large ones should be are the usual reason for slow queries and refused inserts.
0.5 s for 300 000 parts (clickhouse-facts.md, 4), so it is asked by a person only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clustersight.clickhouse.errors import AccessDenied
from clustersight.inspector.answers import Found
from clustersight.inspector.nodes import TIMEOUT_SECONDS, Deadline, Node, Sessions, ask_all
from clustersight.panels import part_limits
from clustersight.panels.inner_tables import shown_names
from clustersight.panels.part_limits import LARGE, AllLimits

# Decimal, as disks are sold and as the names say.
BUCKETS = ("<1MB", "<10MB", "<100MB", "<1GB", "<10GB", ">=10GB")
_COUNTS = """[countIf(bytes_on_disk < 1e6),
        countIf(bytes_on_disk >= 1e6 AND bytes_on_disk < 1e7),
        countIf(bytes_on_disk >= 1e7 AND bytes_on_disk < 1e8),
        countIf(bytes_on_disk >= 1e8 AND bytes_on_disk < 1e9),
        countIf(bytes_on_disk >= 1e9 AND bytes_on_disk < 1e10),
        countIf(bytes_on_disk >= 1e10)]"""
# A partition of parts that are large on average has no limits; its table's own idea of large first.
SQL = f"""
SELECT
    database, table,
    max(partition_replicated) AS is_replicated,
    sum(partition_parts) AS parts,
    count() AS partitions,
    sum(partition_rows) AS all_rows,
    sum(partition_bytes) AS all_bytes,
    min(smallest) AS smallest_bytes,
    quantileExactMerge(0.5)(median_state) AS median_bytes,
    max(largest) AS largest_bytes,
    max(partition_parts) AS max_in_partition,
    maxIf(partition_parts, partition_bytes / partition_parts <= if(
        has(%(own_names)s, concat(database, '\\n', table)),
        arrayElement(%(own_bytes)s, indexOf(%(own_names)s, concat(database, '\\n', table))),
        if(partition_replicated, %(replicated_bytes)s, %(plain_bytes)s))) AS counted,
    sumForEach(counts) AS histogram
FROM (
    SELECT
        database, table, partition_id,
        max(engine LIKE 'Replicated%%') AS partition_replicated,
        count() AS partition_parts,
        sum(rows) AS partition_rows,
        sum(bytes_on_disk) AS partition_bytes,
        min(bytes_on_disk) AS smallest,
        quantileExactState(0.5)(bytes_on_disk) AS median_state,
        max(bytes_on_disk) AS largest,
        {_COUNTS} AS counts
    FROM system.parts
    WHERE active AND NOT match(table, '^(_tmp_replace_|\\\\.tmp)')
    GROUP BY database, table, partition_id
)
GROUP BY database, table
ORDER BY counted DESC, parts DESC, database, table
LIMIT 5000
"""  # noqa: S608 - put together from constants, values are bound
NO_SIZE = 2**62


@dataclass(frozen=True, slots=True)
class TableParts:
    """The active parts of a table on one node. Sizes in bytes on disk; the median is one of them.

    `limit` is the table's parts_to_throw_insert, None where the version has none. `pressure` is the
    fullest partition that limits apply to against it: at 1 inserts are refused. `histogram` counts parts
    by size, in powers of ten.
    """

    host: str
    database: str
    table: str
    parts: int
    partitions: int
    rows: int
    bytes: int
    min_part_bytes: int
    avg_part_bytes: int
    median_part_bytes: int
    max_part_bytes: int
    max_parts_in_partition: int
    limit: int | None
    pressure: float | None
    histogram: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Figures:
    database: str
    table: str
    is_replicated: int
    parts: int
    partitions: int
    all_rows: int
    all_bytes: int
    smallest_bytes: int
    median_bytes: int
    largest_bytes: int
    max_in_partition: int
    counted: int
    histogram: Sequence[int]


def parts_distribution(
    sessions: Sessions, *, limit: int, timeout_seconds: float = TIMEOUT_SECONDS
) -> Found[TableParts]:
    """The tables nearest to their limit first. Raises TooExpensive, ClickHouseError if no node answers."""
    answers = ask_all(sessions, _tables, Deadline.within(timeout_seconds))
    rows = [row for found in answers.by_host.values() for row in found]
    rows.sort(key=lambda row: (-(row.pressure or 0), -row.parts, row.host, row.database, row.table))
    return Found(tuple(rows[:limit]), answers.nodes, answers.errors)


def _tables(node: Node) -> list[TableParts]:
    context = node.context
    limits = part_limits.read(context)
    found = context.rows(SQL, Figures, **_values(limits))
    if not found and context.rows_hidden:
        raise AccessDenied(f"rows are hidden: GRANT SHOW TABLES ON *.* TO {context.username}")
    shown = shown_names(context, {(one.database, one.table) for one in found})
    return [_row(node.host, one, limits, shown.get((one.database, one.table), one.table)) for one in found]


def _values(limits: AllLimits) -> dict[str, Any]:
    own = {table: settings[LARGE] for table, settings in limits.own.items() if LARGE in settings}
    # One entry that matches nothing: an empty list has no type.
    return {
        "own_names": ["", *(f"{database}\n{table}" for database, table in own)],
        "own_bytes": [NO_SIZE, *(size or NO_SIZE for size in own.values())],
        "plain_bytes": limits.plain.get(LARGE) or NO_SIZE,
        "replicated_bytes": limits.replicated.get(LARGE) or NO_SIZE,
    }


def _row(host: str, one: Figures, limits: AllLimits, shown: str) -> TableParts:
    throw = limits.of((one.database, one.table), replicated=bool(one.is_replicated)).throw
    return TableParts(
        host=host,
        database=one.database,
        table=shown,
        parts=one.parts,
        partitions=one.partitions,
        rows=one.all_rows,
        bytes=one.all_bytes,
        min_part_bytes=one.smallest_bytes,
        avg_part_bytes=round(one.all_bytes / one.parts),
        median_part_bytes=int(one.median_bytes),
        max_part_bytes=one.largest_bytes,
        max_parts_in_partition=one.max_in_partition,
        limit=throw,
        pressure=_pressure(one.counted, throw),
        histogram=dict(zip(BUCKETS, one.histogram, strict=True)),
    )


def _pressure(counted: int, throw: int | None) -> float | None:
    if throw is None:
        return None
    # A limit of 0 refuses every insert (tried on 26.9).
    return round(counted / throw, 4) if throw else 1.0
