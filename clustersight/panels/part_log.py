"""Parts that inserts create against parts that merges take away: system.part_log (18.16+, where it is on).

The early sign of too many parts: it rises long before a partition is near its limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels import log_table
from clustersight.panels.inner_tables import shown_names
from clustersight.panels.local_tables import TEMPORARY_DATABASES, TEMPORARY_NAME
from clustersight.panels.log_table import FLUSH_SECONDS
from clustersight.panels.panel import Context, Panel, Rows, Tier, first_matching

NAME = "part-log"

# What ClickHouse's documentation asks an insert to have at least.
SMALL_ROWS = 1000
# A row is a table that was written or merged within the window; only the worst are kept.
MOST_TABLES = 300
# Of the event types, whose names changed, 1 is a new part, 2 a merge and 3 a part fetched from a replica:
# that of an insert has one block, a merged one takes the place of as many as it has blocks, or fewer. A part
# is named PARTITION_FIRST_LAST_LEVEL by its blocks; of tables in the oldest syntax it begins with two dates.
# The parts of ClickHouse's own logs are left out: nobody can batch those; and of tables that live for one
# statement: a view that refreshes writes each time into a new one, and drops the old one with its parts.
# The worst come first by the two that have rules: twelve small parts are as bad as one more.
SQL = """
SELECT
    database, table,
    countIf(event = 1) AS created,
    sumIf(rows, event = 1) AS created_rows,
    countIf(event = 1 AND rows < %(small)s) AS small,
    countIf(event = 3 AND blocks[1] = blocks[2]) AS fetched,
    countIf(event = 2) AS merges,
    sumIf(sources, event = 2) AS sources,
    countIf(event = 3 AND blocks[1] != blocks[2]) AS fetched_merges,
    sumIf(toInt64OrZero(blocks[2]) - toInt64OrZero(blocks[1]), event = 3) AS fetched_merged
FROM
(
    SELECT
        database, table, rows,
        toInt8(event_type) AS event,
        length(merged_from) AS sources,
        if(substring(part_name, length(partition_id) + 1, 1) = '_', length(partition_id) + 2, 19) AS start,
        splitByChar('_', substring(part_name, start)) AS blocks
    FROM system.part_log
    WHERE event_date >= toDate(now() - %(starts)s)
      AND event_time >= now() - %(starts)s AND event_time < now() - %(ends)s
      AND event IN (1, 2, 3) {{error ? AND error = 0}}
      AND database NOT IN %(left_out)s AND NOT match(table, %(temporary)s)
)
GROUP BY database, table
ORDER BY greatest(toFloat64(toInt64(created) + fetched + merges - sources - fetched_merged), small / 12) DESC,
    database, table
LIMIT 5000
"""
REMEDY = "the server's configuration has no <part_log>, or no part was written yet"


@dataclass(frozen=True, slots=True)
class Counted:
    """What happened to the parts of a table within the window.

    `fetched_merged`: by how many parts the fetched merges made it smaller, at the most.
    """

    database: str
    table: str
    created: int
    created_rows: int
    small: int
    fetched: int
    merges: int
    sources: int
    fetched_merges: int
    fetched_merged: int

    @property
    def merged(self) -> int:
        """How many parts fewer there are by merges."""
        return self.sources - self.merges

    @property
    def growth(self) -> int | None:
        """How many parts more there are; with merged parts from another replica at least, None if unsure."""
        least = self.created + self.fetched - self.merged - self.fetched_merged
        return None if self.fetched_merges and least <= 0 else least


@dataclass(frozen=True, slots=True)
class Row:
    """A table, in parts a minute. `growth_per_min` is None where fetched merges may outweigh it."""

    database: str
    table: str
    created_per_min: float
    small_per_min: float
    fetched_per_min: float
    merged_per_min: float
    growth_per_min: float | None
    rows_per_part: float | None


@dataclass(frozen=True, slots=True)
class Totals:
    """All tables of the node, in parts a minute."""

    created_per_min: float
    small_per_min: float
    merged_per_min: float


_TABLE = ("database", "table")


def _rate(
    name: str, key: str, text: str, labels: tuple[str, ...] = (), alarming: float | None = None
) -> Metric:
    """A second on the page, a minute in rules; over the last window of tier 2."""
    return Metric(
        name, text, labels, key=f"part_log.{key}", unit=Unit.PER_MINUTE, alarming=alarming, history=True
    )


CREATED = _rate(
    "clickhouse_table_parts_created_per_second",
    "created_per_min",
    "Parts of a table that inserts created, over the last window; absent where nothing was written.",
    _TABLE,
)
SMALL = _rate(
    "clickhouse_table_small_parts_created_per_second",
    "small_per_min",
    f"Parts of a table that inserts created with fewer than {SMALL_ROWS} rows, over the last window.",
    _TABLE,
    2.0,
)
MERGED = _rate(
    "clickhouse_table_parts_merged_per_second",
    "merged_per_min",
    "By how many parts merges made a table smaller, over the last window.",
    _TABLE,
)
GROWTH = _rate(
    "clickhouse_table_parts_growth_per_second",
    "growth_per_min",
    "Parts created or fetched less those merged away, over the last window; below 0 where merges catch up, "
    "the least that it can be where merged parts are fetched from another replica, absent if that is none.",
    _TABLE,
    10 / 60,
)
ROWS = Metric(
    "clickhouse_table_rows_per_created_part",
    "Rows of the average part that inserts created, over the last window; absent where none was.",
    _TABLE,
    key="part_log.rows_per_part",
    unit=Unit.COUNT,
)
ALL_CREATED = _rate(
    "clickhouse_parts_created_per_second",
    "all_created_per_min",
    "Parts of all tables that inserts created, without ClickHouse's own logs, over the last window.",
)
ALL_SMALL = _rate(
    "clickhouse_small_parts_created_per_second",
    "all_small_per_min",
    f"Those of the parts created that have fewer than {SMALL_ROWS} rows.",
)
ALL_MERGED = _rate(
    "clickhouse_parts_merged_per_second",
    "all_merged_per_min",
    "By how many parts merges made all tables smaller, without ClickHouse's own logs, over the last window.",
)


def probe(context: Context) -> Rows:
    seconds = math.ceil(context.window_seconds)
    found = context.rows(
        log_table.composed(context, SQL, REMEDY),
        Counted,
        starts=seconds + FLUSH_SECONDS,
        ends=FLUSH_SECONDS,
        small=SMALL_ROWS,
        left_out=("system", *TEMPORARY_DATABASES),
        temporary=TEMPORARY_NAME,
    )
    return [_totals(found, seconds), *_tables(context, found[:MOST_TABLES], seconds)]


def _totals(found: Sequence[Counted], seconds: int) -> Totals:
    def per_minute(values: Iterator[int]) -> float:
        return _per_minute(sum(values), seconds)

    return Totals(
        created_per_min=per_minute(one.created for one in found),
        small_per_min=per_minute(one.small for one in found),
        merged_per_min=per_minute(one.merged for one in found),
    )


def _tables(context: Context, found: Sequence[Counted], seconds: int) -> Iterator[Row]:
    shown = shown_names(context, {(one.database, one.table) for one in found})
    for one in found:
        yield Row(
            database=one.database,
            table=shown.get((one.database, one.table), one.table),
            created_per_min=_per_minute(one.created, seconds),
            small_per_min=_per_minute(one.small, seconds),
            fetched_per_min=_per_minute(one.fetched, seconds),
            merged_per_min=_per_minute(one.merged, seconds),
            growth_per_min=None if one.growth is None else _per_minute(one.growth, seconds),
            rows_per_part=one.created_rows / one.created if one.created else None,
        )


def _per_minute(count: int, seconds: int) -> float:
    return round(60 * count / seconds, 3)


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        for metric, per_minute in _rates(row):
            if per_minute is not None:
                yield Sample(metric, _labels(row), per_minute / metric.per_base_unit)
        if isinstance(row, Row) and row.rows_per_part is not None:
            yield Sample(ROWS, _labels(row), row.rows_per_part)


def _labels(row: Row | Totals) -> tuple[str, ...]:
    return (row.database, row.table) if isinstance(row, Row) else ()


def _rates(row: Row | Totals) -> tuple[tuple[Metric, float | None], ...]:
    if isinstance(row, Totals):
        return (
            (ALL_CREATED, row.created_per_min),
            (ALL_SMALL, row.small_per_min),
            (ALL_MERGED, row.merged_per_min),
        )
    return (
        (CREATED, row.created_per_min),
        (SMALL, row.small_per_min),
        (MERGED, row.merged_per_min),
        (GROWTH, row.growth_per_min),
    )


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows if isinstance(row, Row)]


def row_of(rows: Rows, labels: Mapping[str, str]) -> Any | None:
    """The totals are nobody's row."""
    return first_matching([row for row in rows if isinstance(row, Row)], labels)


PANEL = Panel(
    name=NAME,
    about="Parts created by inserts against parts merged away, from system.part_log.",
    reads=("part_log", "tables"),
    probe=probe,
    samples=samples,
    metrics=(CREATED, SMALL, MERGED, GROWTH, ROWS, ALL_CREATED, ALL_SMALL, ALL_MERGED),
    tier=Tier.TWO,
    payload=payload,
    row_of=row_of,
)
