"""Parts that ClickHouse or a person has set aside: system.detached_parts (20.x+)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clustersight.metrics import Metric, Rate, Reading, Sample, Unit
from clustersight.panels.inner_tables import shown_names
from clustersight.panels.panel import Context, Panel, Rows, Tier

NAME = "broken-parts"

# `covered-by-broken` parts hold good rows, but are lost like the broken one that covers them. What is
# in none of the lists is `unexpected`, which is also a reason of ClickHouse's own.
SQL = """
SELECT
    database, table,
    substring(ifNull(reason, ''), 1, 100) AS reason,
    multiIf(
        reason = '', 'manual',
        reason IN ('broken', 'broken-on-start', 'broken-from-backup', 'covered-by-broken', 'noquorum',
            'merge-not-byte-identical', 'mutate-not-byte-identical'), 'broken',
        reason IN ('attaching', 'deleting', 'tmp-fetch'), 'temporary',
        reason IN ('ignored', 'clone'), 'harmless',
        'unexpected') AS reason_class,
    count() AS count
FROM system.detached_parts
GROUP BY database, table, reason, reason_class
ORDER BY reason_class = 'broken' DESC, reason_class = 'unexpected' DESC, count DESC, database, table, reason
LIMIT 2000
"""
# A size makes the server walk the directories of every part: only for the tables that have some, and
# not for a table with so many that it would take seconds.
SQL_BYTES = """
SELECT database, table, substring(ifNull(reason, ''), 1, 100) AS reason, sum(bytes_on_disk) AS bytes
FROM system.detached_parts
WHERE (database, table) IN %(tables)s
GROUP BY database, table, reason
ORDER BY bytes DESC
LIMIT 2000
"""
MOST_SIZED_TABLES = 100
MOST_SIZED_PARTS = 2000
CLASSES = ("broken", "unexpected", "temporary", "harmless", "manual")


@dataclass(frozen=True, slots=True)
class Found:
    database: str
    table: str
    reason: str
    reason_class: str
    count: int


@dataclass(frozen=True, slots=True)
class Size:
    database: str
    table: str
    reason: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Row:
    """The parts of a table that were set aside for one reason. `bytes` is None where it was not asked."""

    database: str
    table: str
    reason: str
    reason_class: str
    count: int
    bytes: int | None


_LABELS = ("database", "table", "reason_class")
DETACHED = Metric(
    "clickhouse_detached_parts",
    "Detached parts of a table by why they are: broken, unexpected, temporary, harmless or manual; "
    "absent where there are none.",
    _LABELS,
    key="broken_parts.count",
    unit=Unit.COUNT,
    alarming=1,
    history=True,
)
BYTES = Metric(
    "clickhouse_detached_parts_bytes",
    "Space that the detached parts of a table take; absent where there are too many to measure.",
    _LABELS,
    key="broken_parts.bytes",
    unit=Unit.BYTES,
)
ALL = Metric(
    "clickhouse_detached_parts_all",
    "Detached parts of all tables by why they are.",
    ("reason_class",),
    key="broken_parts.all",
    unit=Unit.COUNT,
    history=True,
)
NEW = Rate(
    "broken_parts.new_24h",
    Unit.COUNT,
    "Detached parts of a table by why they are: how many more than 24 hours ago.",
    (DETACHED.name,),
    f"clamp_min({DETACHED.name} - {DETACHED.name} offset 1d, 0) or ({DETACHED.name} unless"
    f" {DETACHED.name} offset 1d and on (cluster, host, reason_class) {ALL.name} offset 1d)",
    _LABELS,
    window_seconds=86400,
    reading=Reading.RISE,
)


def probe(context: Context) -> Rows:
    found = context.rows(SQL, Found)
    sizes = _sizes(context, found)
    shown = shown_names(context, {(row.database, row.table) for row in found})
    return [
        Row(
            database=row.database,
            table=shown.get((row.database, row.table), row.table),
            reason=row.reason,
            reason_class=row.reason_class,
            count=row.count,
            bytes=sizes.get((row.database, row.table, row.reason)),
        )
        for row in found
    ]


def _sizes(context: Context, found: list[Found]) -> dict[tuple[str, str, str], int]:
    tables = _sized_tables(found)
    if not tables or not context.has("detached_parts.bytes_on_disk"):
        return {}
    sizes = context.rows(SQL_BYTES, Size, tables=tuple(tables))
    return {(size.database, size.table, size.reason): size.bytes for size in sizes}


def _sized_tables(found: list[Found]) -> list[tuple[str, str]]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in found:
        counts[row.database, row.table] += row.count
    chosen: list[tuple[str, str]] = []
    left = MOST_SIZED_PARTS
    for table, count in counts.items():
        if count <= left and len(chosen) < MOST_SIZED_TABLES:
            chosen.append(table)
            left -= count
    return chosen


def samples(rows: Rows) -> Iterator[Sample]:
    for reason_class in CLASSES:
        count = sum(row.count for row in rows if row.reason_class == reason_class)
        yield Sample(ALL, (reason_class,), count)
    of_class: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        of_class[row.database, row.table, row.reason_class].append(row)
    for labels, found in of_class.items():
        yield Sample(DETACHED, labels, sum(row.count for row in found))
        sizes = [row.bytes for row in found if row.bytes is not None]
        if len(sizes) == len(found):
            yield Sample(BYTES, labels, sum(sizes))


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [
        {
            "database": row.database,
            "table": row.table,
            "reason": row.reason,
            "reason_class": row.reason_class,
            "count": row.count,
            "bytes": row.bytes,
        }
        for row in rows
    ]


PANEL = Panel(
    name=NAME,
    about="Parts that were set aside, by reason, from system.detached_parts.",
    needs=("detached_parts",),
    reads=("tables",),
    probe=probe,
    samples=samples,
    metrics=(DETACHED, BYTES, ALL),
    rates=(NEW,),
    tier=Tier.TWO,
    hidden_without_show=True,
    payload=payload,
)
