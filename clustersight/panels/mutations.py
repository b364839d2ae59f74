"""Unfinished mutations, and those that fail or do not move: system.mutations."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels import unfinished_mutations
from clustersight.panels.inner_tables import shown_names
from clustersight.panels.panel import Context, Panel, Rows, first_matching
from clustersight.panels.unfinished_mutations import Mutation

NAME = "mutations"

# latest_fail_reason is not Nullable, and came with 19.1 as KILL MUTATION did.
SQL = """
SELECT
    database, table,
    count() AS active,
    {{latest_fail_reason ? toNullable(sum(latest_fail_reason != '')) : CAST(NULL AS Nullable(UInt64))}}
        AS failing,
    sum(parts_to_do) AS parts_to_do,
    greatest(0, toInt64(toUnixTimestamp(now())) - toInt64(toUnixTimestamp(min(create_time))))
        AS oldest_seconds
FROM system.mutations
WHERE is_done = 0
GROUP BY database, table
ORDER BY failing DESC, oldest_seconds DESC, database, table
LIMIT 2000
"""


@dataclass(frozen=True, slots=True)
class Table:
    """The unfinished mutations of one table; `failing` is None where the version does not say."""

    database: str
    table: str
    active: int
    failing: int | None
    parts_to_do: int
    oldest_seconds: int


@dataclass(frozen=True, slots=True)
class Row:
    """A table and its mutations, the worst first: failing, then stuck, then the oldest."""

    database: str
    table: str
    active: int
    failing: int | None
    parts_to_do: int
    oldest_seconds: int
    mutations: tuple[Mutation, ...]

    @property
    def stuck(self) -> int:
        return sum(mutation.is_stuck for mutation in self.mutations)


@dataclass(frozen=True, slots=True)
class Totals:
    """All tables of the node."""

    active: int
    failing: int | None
    stuck: int
    oldest_seconds: int


_LABELS = ("database", "table")
ACTIVE = Metric(
    "clickhouse_mutations_active",
    "Unfinished mutations of a table; absent while there are none.",
    _LABELS,
    key="mutations.active",
    unit=Unit.COUNT,
    alarming=500,  # number_of_mutations_to_throw is 1000 on a modern server
    history=True,
)
FAILING = Metric(
    "clickhouse_mutations_failing",
    "Unfinished mutations of a table whose last attempt failed; absent without mutations and before 19.1.",
    _LABELS,
    key="mutations.failing",
    unit=Unit.COUNT,
    alarming=1,
    history=True,
)
STUCK = Metric(
    "clickhouse_mutations_stuck",
    "Mutations of a table that are over 30 minutes old and did not get a part done for 15 minutes, "
    "without failing; absent while there are none unfinished.",
    _LABELS,
    key="mutations.stuck",
    unit=Unit.COUNT,
    alarming=1,
    history=True,
)
OLDEST = Metric(
    "clickhouse_mutation_oldest_age_seconds",
    "Age of the oldest unfinished mutation of a table; absent while there are none.",
    _LABELS,
    key="mutations.oldest_seconds",
    unit=Unit.SECONDS,
    alarming=86400,
    history=True,
)
PARTS_TO_DO = Metric(
    "clickhouse_mutations_parts_to_do",
    "Parts that the unfinished mutations of a table have still to change, once for each mutation.",
    _LABELS,
    key="mutations.parts_to_do",
    unit=Unit.COUNT,
)
UNFINISHED = Metric(
    "clickhouse_mutations_unfinished",
    "Unfinished mutations of all tables.",
    key="mutations.unfinished",
    unit=Unit.COUNT,
    history=True,
)
UNFINISHED_FAILING = Metric(
    "clickhouse_mutations_unfinished_failing", "Failing mutations of all tables; absent before 19.1."
)
UNFINISHED_STUCK = Metric("clickhouse_mutations_unfinished_stuck", "Stuck mutations of all tables.")
UNFINISHED_OLDEST = Metric(
    "clickhouse_mutations_unfinished_max_age_seconds",
    "Age of the oldest unfinished mutation of all tables; 0 without one.",
)


def probe(context: Context) -> Rows:
    """The tables with unfinished mutations, the worst first, and after them the totals."""
    tables = context.rows(SQL, Table)
    if not tables and context.rows_hidden:
        return []  # the runner tells that rows are hidden
    shown = shown_names(context, {(table.database, table.table) for table in tables})
    unfinished = unfinished_mutations.read(context, shown) if tables else {}
    rows = [_row(table, shown, unfinished.get((table.database, table.table), [])) for table in tables]
    return [*rows, _totals(rows, tells_failing=context.has("mutations.latest_fail_reason"))]


def _totals(rows: list[Row], *, tells_failing: bool) -> Totals:
    return Totals(
        active=sum(row.active for row in rows),
        failing=sum(row.failing or 0 for row in rows) if tells_failing else None,
        stuck=sum(row.stuck for row in rows),
        oldest_seconds=max((row.oldest_seconds for row in rows), default=0),
    )


def _row(table: Table, shown: Mapping[tuple[str, str], str], mutations: list[Mutation]) -> Row:
    return Row(
        database=table.database,
        table=shown.get((table.database, table.table), table.table),
        active=table.active,
        failing=table.failing,
        parts_to_do=table.parts_to_do,
        oldest_seconds=table.oldest_seconds,
        mutations=tuple(mutations),
    )


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        yield from _of_node(row) if isinstance(row, Totals) else _of_table(row)


def _of_node(row: Totals) -> Iterator[Sample]:
    yield Sample(UNFINISHED, (), row.active)
    yield Sample(UNFINISHED_STUCK, (), row.stuck)
    yield Sample(UNFINISHED_OLDEST, (), row.oldest_seconds)
    if row.failing is not None:
        yield Sample(UNFINISHED_FAILING, (), row.failing)


def _of_table(row: Row) -> Iterator[Sample]:
    labels = (row.database, row.table)
    yield Sample(ACTIVE, labels, row.active)
    yield Sample(STUCK, labels, row.stuck)
    yield Sample(OLDEST, labels, row.oldest_seconds)
    yield Sample(PARTS_TO_DO, labels, row.parts_to_do)
    if row.failing is not None:
        yield Sample(FAILING, labels, row.failing)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [
        dataclasses.asdict(mutation) for row in rows if isinstance(row, Row) for mutation in row.mutations
    ]


def row_of(rows: Rows, labels: Mapping[str, str]) -> Mutation | None:
    """The worst mutation of the table."""
    worst = first_matching(rows, labels)
    return worst.mutations[0] if isinstance(worst, Row) and worst.mutations else None


PANEL = Panel(
    name=NAME,
    about="Unfinished mutations, and which of them fail or stand still, from system.mutations.",
    needs=("mutations",),
    reads=("tables",),
    probe=probe,
    samples=samples,
    metrics=(
        *(ACTIVE, FAILING, STUCK, OLDEST, PARTS_TO_DO),
        *(UNFINISHED, UNFINISHED_FAILING, UNFINISHED_STUCK, UNFINISHED_OLDEST),
    ),
    hidden_without_show=True,
    payload=payload,
    row_of=row_of,
)
