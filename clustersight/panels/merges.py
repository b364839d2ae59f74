"""Running merges and mutations of parts: system.merges."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels.inner_tables import shown_names
from clustersight.panels.panel import Context, Panel, Rows

NAME = "merges"

# A pool has tens of threads, so this is all there is; the longest merge of each table is its evidence.
SQL = """
SELECT
    database, table,
    result_part_name AS result_part,
    toFloat64(elapsed) AS elapsed_seconds,
    toFloat64(progress) AS progress,
    toUInt64(num_parts) AS num_parts,
    toUInt64(total_size_bytes_compressed) AS size_bytes,
    toUInt64(memory_usage) AS memory_bytes,
    {{is_mutation ? is_mutation : 0}} AS is_mutation
FROM system.merges
ORDER BY elapsed_seconds DESC, database, table, result_part
LIMIT 2000
"""
# A big merge may take hours; one that needs a day more after its first hour does not get anywhere.
STUCK_AFTER_SECONDS = 3600.0
STUCK_ETA_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Row:
    """One running merge. 18.16 does not list mutations of parts, and has no is_mutation."""

    database: str
    table: str
    result_part: str
    elapsed_seconds: float
    progress: float
    num_parts: int
    size_bytes: int
    memory_bytes: int
    is_mutation: int

    @property
    def eta_seconds(self) -> float | None:
        """What is left if it goes on as until now; None before any progress."""
        if not math.isfinite(self.progress) or self.progress <= 0:
            return None
        return self.elapsed_seconds * max(0.0, 1 - self.progress) / self.progress

    @property
    def is_stuck(self) -> bool:
        eta = self.eta_seconds
        return self.elapsed_seconds > STUCK_AFTER_SECONDS and (eta is None or eta > STUCK_ETA_SECONDS)


_LABELS = ("database", "table")
ACTIVE = Metric(
    "clickhouse_merges_active",
    "Running merges and mutations of parts of a table; absent while there are none.",
    _LABELS,
    key="merges.active",
    unit=Unit.COUNT,
    history=True,
)
LONGEST = Metric(
    "clickhouse_merge_longest_elapsed_seconds",
    "How long the longest running merge of a table has been running; absent while there is none.",
    _LABELS,
    key="merges.longest_seconds",
    unit=Unit.SECONDS,
    alarming=STUCK_ETA_SECONDS,
    history=True,
)
STUCK = Metric(
    "clickhouse_merges_stuck",
    "Merges of a table that run for over an hour and would need over a day more; absent without merges.",
    _LABELS,
    key="merges.stuck",
    unit=Unit.COUNT,
    alarming=1,
    history=True,
)
MEMORY = Metric(
    "clickhouse_merges_memory_bytes",
    "Memory of the running merges of a table; absent while there are none.",
    _LABELS,
    key="merges.memory_bytes",
    unit=Unit.BYTES,
)
RUNNING = Metric(
    "clickhouse_merges_running",
    "Running merges and mutations of parts of all tables.",
    key="merges.running",
    unit=Unit.COUNT,
    history=True,
)
RUNNING_MUTATIONS = Metric(
    "clickhouse_merges_running_mutations", "Those of the running merges that are mutations of parts."
)
RUNNING_STUCK = Metric("clickhouse_merges_running_stuck", "Stuck merges of all tables.")
RUNNING_LONGEST = Metric(
    "clickhouse_merges_running_max_elapsed_seconds",
    "How long the longest running merge of all tables has been running; 0 without one.",
)
RUNNING_MEMORY = Metric("clickhouse_merges_running_memory_bytes", "Memory of all running merges.")


def probe(context: Context) -> Rows:
    rows = context.rows(SQL, Row)
    shown = shown_names(context, {(row.database, row.table) for row in rows})
    named = [replace(row, table=shown.get((row.database, row.table), row.table)) for row in rows]
    return sorted(named, key=lambda row: not row.is_stuck)


def samples(rows: Rows) -> Iterator[Sample]:
    yield Sample(RUNNING, (), len(rows))
    yield Sample(RUNNING_MUTATIONS, (), sum(row.is_mutation for row in rows))
    yield Sample(RUNNING_STUCK, (), sum(row.is_stuck for row in rows))
    yield Sample(RUNNING_LONGEST, (), max((row.elapsed_seconds for row in rows), default=0))
    yield Sample(RUNNING_MEMORY, (), sum(row.memory_bytes for row in rows))
    of_table: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        of_table[row.database, row.table].append(row)
    for labels, merges in of_table.items():
        yield Sample(ACTIVE, labels, len(merges))
        yield Sample(LONGEST, labels, max(row.elapsed_seconds for row in merges))
        yield Sample(STUCK, labels, sum(row.is_stuck for row in merges))
        yield Sample(MEMORY, labels, sum(row.memory_bytes for row in merges))


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [_payload(row) for row in rows]


def _payload(row: Row) -> dict[str, Any]:
    return {
        "database": row.database,
        "table": row.table,
        "result_part": row.result_part,
        "elapsed_seconds": row.elapsed_seconds,
        "progress": row.progress if math.isfinite(row.progress) else None,
        "eta_seconds": row.eta_seconds,
        "num_parts": row.num_parts,
        "size_bytes": row.size_bytes,
        "memory_bytes": row.memory_bytes,
        "is_mutation": bool(row.is_mutation),
        "is_stuck": row.is_stuck,
    }


PANEL = Panel(
    name=NAME,
    about="Running merges with their progress, from system.merges.",
    needs=("merges",),
    reads=("tables",),
    probe=probe,
    samples=samples,
    metrics=(
        *(ACTIVE, LONGEST, STUCK, MEMORY),
        *(RUNNING, RUNNING_MUTATIONS, RUNNING_STUCK, RUNNING_LONGEST, RUNNING_MEMORY),
    ),
    hidden_without_show=True,
    payload=payload,
)
