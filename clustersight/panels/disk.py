"""Disks and their space: system.disks (20.x+)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clustersight.metrics import Metric, Rate, Reading, Sample, Unit
from clustersight.panels.panel import Panel, Rows, probe_sql

NAME = "disk"

# Object storage and caches say 2^64-1 for every size, which is no capacity at all.
SQL = """
SELECT
    name AS disk, path,
    {{type ? type : ''}} AS type,
    toUInt64(total_space) AS total_bytes,
    toUInt64(free_space) AS free_bytes,
    {{unreserved_space ? toUInt64(unreserved_space) : toUInt64(free_space)}} AS unreserved_bytes,
    {{is_broken ? is_broken : 0}} AS is_broken,
    {{is_read_only ? is_read_only : 0}} AS is_read_only,
    total_space > 0 AND total_space < 9223372036854775807 AS has_capacity
FROM system.disks
ORDER BY has_capacity DESC, free_space / greatest(total_space, 1), name
LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Row:
    disk: str
    path: str
    type: str
    total_bytes: int
    free_bytes: int
    unreserved_bytes: int
    is_broken: int
    is_read_only: int
    has_capacity: int

    @property
    def usage(self) -> float:
        """0..1; free and total both leave keep_free_space out, so 1 is when writes stop."""
        return 1 - self.free_bytes / self.total_bytes


_LABELS = ("disk",)
USAGE = Metric(
    "clickhouse_disk_usage_ratio",
    "Used share of a disk; keep_free_space counts as used, so writes stop at 1.",
    _LABELS,
    key="disk.usage_pct",
    unit=Unit.PERCENT,
    alarming=0.85,
    history=True,
)
FREE = Metric(
    "clickhouse_disk_free_bytes",
    "Free space of a disk, without keep_free_space.",
    _LABELS,
    key="disk.free_bytes",
    unit=Unit.BYTES,
    history=True,
)
TOTAL = Metric(
    "clickhouse_disk_total_bytes",
    "Size of a disk, without keep_free_space.",
    _LABELS,
    key="disk.total_bytes",
    unit=Unit.BYTES,
)
UNRESERVED = Metric(
    "clickhouse_disk_unreserved_bytes",
    "Free space of a disk that no running merge or insert has reserved.",
    _LABELS,
    key="disk.unreserved_bytes",
    unit=Unit.BYTES,
)
BROKEN = Metric(
    "clickhouse_disk_broken",
    "1 if ClickHouse found the disk broken.",
    _LABELS,
    key="disk.broken",
    unit=Unit.BOOL,
    alarming=1,
    history=True,
)
READ_ONLY = Metric("clickhouse_disk_read_only", "1 if the disk takes no writes.", _LABELS)
# A disk with much room left has time: a line through one day says nothing about it.
FULL = Rate(
    "disk.full_in_hours",
    Unit.HOURS,
    "When a disk is full if it fills on as in the last day; absent below 60 %, and if it does not fill.",
    (USAGE.name,),
    # As history/slope.py: a line through a few minutes says nothing about a day.
    f"(1 - {USAGE.name}) / (deriv({USAGE.name}[1d]) > 0) / 3600 and {USAGE.name} >= 0.6"
    f" and {USAGE.name} offset 15m",
    _LABELS,
    window_seconds=86400,
    at_least=60,
    reading=Reading.FULL_IN_HOURS,
)


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        labels = (row.disk,)
        yield Sample(BROKEN, labels, row.is_broken)
        yield Sample(READ_ONLY, labels, row.is_read_only)
        if row.has_capacity:
            yield Sample(USAGE, labels, row.usage)
            yield Sample(FREE, labels, row.free_bytes)
            yield Sample(TOTAL, labels, row.total_bytes)
            yield Sample(UNRESERVED, labels, row.unreserved_bytes)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [_payload(row) for row in rows]


def _payload(row: Row) -> dict[str, Any]:
    known = bool(row.has_capacity)
    return {
        "disk": row.disk,
        "path": row.path,
        "type": row.type,
        "used_bytes": row.total_bytes - row.free_bytes if known else None,
        "free_bytes": row.free_bytes if known else None,
        "unreserved_bytes": row.unreserved_bytes if known else None,
        "total_bytes": row.total_bytes if known else None,
        "usage_pct": round(100 * row.usage, 2) if known else None,
        "is_broken": bool(row.is_broken),
        "is_read_only": bool(row.is_read_only),
    }


PANEL = Panel(
    name=NAME,
    about="Space and state of every disk, from system.disks.",
    needs=("disks",),
    probe=probe_sql(SQL, Row),
    samples=samples,
    metrics=(USAGE, FREE, TOTAL, UNRESERVED, BROKEN, READ_ONLY),
    rates=(FULL,),
    payload=payload,
)
