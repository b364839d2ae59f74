"""How near each table is to the number of parts at which inserts are slowed or refused.

Sources: system.tables, system.parts, system.merge_tree_settings, system.replicated_merge_tree_settings,
and the counters DelayedInserts and RejectedInserts. A table can reach its limit within seconds, so
this is tier 1; before 23.4 counting parts is expensive, and is done in tier 2 unless something is up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from clustersight.metrics import Kind, Metric, Sample, Unit, per_minute
from clustersight.panels import counters, part_counts
from clustersight.panels.inner_tables import shown_names
from clustersight.panels.panel import Context, Panel, Rows
from clustersight.panels.part_counts import Counted
from clustersight.panels.part_limits import AllLimits, Limits

NAME = "parts"


@dataclass(frozen=True, slots=True)
class Row:
    """A table that has many parts. `counted` is the fullest partition among those that limits apply to.

    Limits are None where this version has none.
    """

    database: str
    table: str
    active_parts: int
    partitions: int
    max_in_partition: int
    worst_partition: str
    counted: int
    throw_limit: int | None
    delay_limit: int | None
    total_limit: int | None

    @property
    def pressure(self) -> float | None:
        """1 is where inserts are refused."""
        return _share(self.counted, self.throw_limit, of_nothing=1)

    @property
    def delay_pressure(self) -> float | None:
        """1 is where inserts begin to be slowed."""
        return _share(self.counted, self.delay_limit, of_nothing=0)

    @property
    def total_pressure(self) -> float | None:
        """1 is where inserts are refused because of the parts of all partitions."""
        return _share(self.active_parts, self.total_limit, of_nothing=1)

    @property
    def worst(self) -> float:
        return max(self.pressure or 0, self.delay_pressure or 0, self.total_pressure or 0)


@dataclass(frozen=True, slots=True)
class Totals:
    """The whole node. `pressure` and so on: of the worst table, 0 where none has many parts."""

    tables: int
    active_parts: int
    max_in_partition: int | None
    pressure: float | None
    delay_pressure: float | None
    total_pressure: float | None
    delayed_inserts: float
    rejected_inserts: float


def _share(parts: int, limit: int | None, *, of_nothing: float) -> float | None:
    """`of_nothing` is what a limit of 0 means: no delay for one, no insert at all for the others."""
    if limit is None:
        return None
    return parts / limit if limit else of_nothing


_LABELS = ("database", "table")
PARTS = Metric(
    "clickhouse_table_parts",
    "Active parts of a table; absent while it has few.",
    _LABELS,
    key="parts.active",
    unit=Unit.COUNT,
    history=True,
)
MAX_IN_PARTITION = Metric(
    "clickhouse_table_parts_max_per_partition",
    "Active parts in the fullest partition of a table; absent while the table has few.",
    _LABELS,
    key="parts.max_in_partition",
    unit=Unit.COUNT,
    history=True,
)
PRESSURE = Metric(
    "clickhouse_table_parts_pressure_ratio",
    "Parts in the fullest partition against the table's limit for inserts: at 1 they are refused; "
    "absent while the table has few parts.",
    _LABELS,
    key="parts.pressure_pct",
    unit=Unit.PERCENT,
    alarming=0.7,
    history=True,
)
DELAY_PRESSURE = Metric(
    "clickhouse_table_parts_delay_pressure_ratio",
    "Parts in the fullest partition against the number from which inserts are slowed down. "
    "0 where it is switched off, absent while the table has few parts.",
    _LABELS,
    key="parts.delay_pressure_pct",
    unit=Unit.PERCENT,
    alarming=0.8,
    history=True,
)
TOTAL_PRESSURE = Metric(
    "clickhouse_table_parts_total_pressure_ratio",
    "Parts in all partitions of a table against max_parts_in_total, at which inserts are refused. "
    "Absent while the table has few parts and before 19.x, which has no such limit.",
    _LABELS,
    key="parts.total_pressure_pct",
    unit=Unit.PERCENT,
    alarming=0.8,
    history=True,
)
TABLES = Metric("clickhouse_tables", "Tables of the MergeTree family.", key="parts.tables", unit=Unit.COUNT)
ALL_PARTS = Metric(
    "clickhouse_parts_active",
    "Active parts of all tables.",
    key="parts.all",
    unit=Unit.COUNT,
    history=True,
)
ALL_MAX_IN_PARTITION = Metric(
    "clickhouse_parts_max_per_partition",
    "Active parts in the fullest partition of all tables; absent in a server's first minute.",
)
ALL_PRESSURE = Metric(
    "clickhouse_parts_max_pressure_ratio",
    "The highest clickhouse_table_parts_pressure_ratio; 0 while no table has many parts.",
)
ALL_DELAY_PRESSURE = Metric(
    "clickhouse_parts_max_delay_pressure_ratio",
    "The highest clickhouse_table_parts_delay_pressure_ratio; 0 while no table has many parts.",
)
ALL_TOTAL_PRESSURE = Metric(
    "clickhouse_parts_max_total_pressure_ratio",
    "The highest clickhouse_table_parts_total_pressure_ratio; 0 while no table has many parts.",
)
DELAYED = Metric(
    "clickhouse_delayed_inserts_total",
    "Blocks of inserts that were slowed down because a partition has many parts.",
    kind=Kind.COUNTER,
    history=True,
)
REJECTED = Metric(
    "clickhouse_rejected_inserts_total",
    "How often inserts were refused because of too many parts; one insert may count twice.",
    kind=Kind.COUNTER,
    history=True,
)
DELAYED_RATE = per_minute(
    "inserts.delayed_per_min", DELAYED.name, "Inserts slowed down because a partition has many parts."
)
REJECTED_RATE = per_minute(
    "inserts.rejected_per_min", REJECTED.name, "Inserts refused because of too many parts."
)


def probe(context: Context) -> Rows:
    """The tables with many parts, the worst first, and after them the totals."""
    values = counters.read(context)
    node, limits, counted = part_counts.read(context, values)
    if not node.tables and context.rows_hidden:
        return []  # the runner tells that rows are hidden
    shown = shown_names(context, {(table.database, table.table) for table in counted})
    rows = [_row(table, shown, limits) for table in counted]
    rows.sort(key=lambda row: (-row.worst, -row.active_parts))
    fullest = max((row.max_in_partition for row in rows), default=values.async_metric(part_counts.FULLEST))
    defaults = limits.defaults()
    totals = Totals(
        tables=node.tables,
        active_parts=node.active_parts,
        max_in_partition=None if fullest is None else int(fullest),
        pressure=_highest((row.pressure for row in rows), (one.throw for one in defaults)),
        delay_pressure=_highest((row.delay_pressure for row in rows), (one.delay for one in defaults)),
        total_pressure=_highest((row.total_pressure for row in rows), (one.total for one in defaults)),
        delayed_inserts=values.event("DelayedInserts"),
        rejected_inserts=values.event("RejectedInserts"),
    )
    return [*rows, totals]


def _highest(pressures: Iterable[float | None], defaults: Iterable[int | None]) -> float | None:
    """None where the server does not know the limit."""
    if all(limit is None for limit in defaults):
        return None
    return max((pressure for pressure in pressures if pressure is not None), default=0.0)


def _row(table: Counted, shown: dict[tuple[str, str], str], limits: AllLimits) -> Row:
    place = (table.database, table.table)
    own: Limits = limits.of(place, replicated=bool(table.is_replicated))
    return Row(
        database=table.database,
        table=shown.get(place, table.table),
        active_parts=table.active_parts,
        partitions=table.partitions,
        max_in_partition=table.max_in_partition,
        worst_partition=table.worst_partition,
        counted=table.counted,
        throw_limit=own.throw,
        delay_limit=own.delay,
        total_limit=own.total,
    )


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        if isinstance(row, Totals):
            yield from _of_node(row)
        else:
            yield from _of_table(row)


def _of_table(row: Row) -> Iterator[Sample]:
    labels = (row.database, row.table)
    yield Sample(PARTS, labels, row.active_parts)
    yield Sample(MAX_IN_PARTITION, labels, row.max_in_partition)
    yield from _known(PRESSURE, labels, row.pressure)
    yield from _known(DELAY_PRESSURE, labels, row.delay_pressure)
    yield from _known(TOTAL_PRESSURE, labels, row.total_pressure)


def _of_node(row: Totals) -> Iterator[Sample]:
    yield Sample(TABLES, (), row.tables)
    yield Sample(ALL_PARTS, (), row.active_parts)
    yield Sample(DELAYED, (), row.delayed_inserts)
    yield Sample(REJECTED, (), row.rejected_inserts)
    yield from _known(ALL_MAX_IN_PARTITION, (), row.max_in_partition)
    yield from _known(ALL_PRESSURE, (), row.pressure)
    yield from _known(ALL_DELAY_PRESSURE, (), row.delay_pressure)
    yield from _known(ALL_TOTAL_PRESSURE, (), row.total_pressure)


def _known(metric: Metric, labels: tuple[str, ...], value: float | None) -> Iterator[Sample]:
    if value is not None:
        yield Sample(metric, labels, value)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [_payload(row) for row in rows if isinstance(row, Row)]


def _payload(row: Row) -> dict[str, Any]:
    return {
        "database": row.database,
        "table": row.table,
        "active_parts": row.active_parts,
        "partitions": row.partitions,
        "max_in_partition": row.max_in_partition,
        "worst_partition": row.worst_partition,
        "throw_limit": row.throw_limit,
        "delay_limit": row.delay_limit,
        "total_limit": row.total_limit,
        "pressure_pct": _percent(row.pressure),
        "delay_pressure_pct": _percent(row.delay_pressure),
        "total_pressure_pct": _percent(row.total_pressure),
    }


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else round(100 * ratio, 2)


PANEL = Panel(
    name=NAME,
    about="Parts of each table against its limits, from system.tables, parts and merge_tree_settings.",
    needs=("tables", "parts", "merge_tree_settings", "metrics", "events"),
    reads=("databases", "replicated_merge_tree_settings", "asynchronous_metrics"),
    probe=probe,
    samples=samples,
    metrics=(
        *(PARTS, MAX_IN_PARTITION, PRESSURE, DELAY_PRESSURE, TOTAL_PRESSURE),
        *(TABLES, ALL_PARTS, ALL_MAX_IN_PARTITION, ALL_PRESSURE, ALL_DELAY_PRESSURE, ALL_TOTAL_PRESSURE),
        *(DELAYED, REJECTED),
    ),
    rates=(DELAYED_RATE, REJECTED_RATE),
    hidden_without_show=True,
    payload=payload,
)
