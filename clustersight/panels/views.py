"""Refreshable materialized views and how their last refresh went: system.view_refreshes (24.x+)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels.masking import without_values
from clustersight.panels.panel import Context, Panel, Rows, Tier
from clustersight.times import iso

NAME = "views"

# No status says that a refresh failed: a view that fails is `Scheduled` for its next try. A view whose
# first refresh never succeeded has no last_success_time (it is Nullable), nor has one after a restart.
SQL = """
SELECT
    database, view,
    toString(status) AS state,
    toUInt8(exception != '') AS failing,
    ifNull(toInt64(toUnixTimestamp(last_success_time)), 0) AS succeeded_at,
    if(succeeded_at = 0, CAST(NULL AS Nullable(Int64)),
        greatest(toInt64(0), toInt64(toUnixTimestamp(now())) - succeeded_at)) AS age_seconds,
    ifNull(toInt64(toUnixTimestamp(next_refresh_time)), 0) AS next_at,
    {{retry ? toInt64(retry) : toInt64(0)}} AS retries,
    substring(view_refreshes.exception, 1, 300) AS exception
FROM system.view_refreshes
ORDER BY failing DESC, age_seconds DESC, database, view
LIMIT 10000
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A refreshable view; `succeeded_at` and `next_at` in epoch seconds, 0 where there is none.

    `failing` stays 1 after a restart of the server until a refresh succeeds; `exception` is that of before.
    """

    database: str
    view: str
    state: str
    failing: int
    succeeded_at: int
    age_seconds: int | None
    next_at: int
    retries: int
    exception: str


_LABELS = ("database", "view")
FAILING = Metric(
    "clickhouse_view_refresh_failing",
    "1 if the last refresh of the view failed, also after a restart of the server, until one succeeds.",
    _LABELS,
    key="views.failing",
    unit=Unit.BOOL,
    alarming=1,
    history=True,
)
AGE = Metric(
    "clickhouse_view_refresh_last_success_age_seconds",
    "Time since the last refresh of the view that succeeded; absent before the first one.",
    _LABELS,
    key="views.age_seconds",
    unit=Unit.SECONDS,
)
VIEWS = Metric(
    "clickhouse_view_refreshes",
    "Refreshable materialized views of the node.",
    key="views.all",
    unit=Unit.COUNT,
)
ALL_FAILING = Metric(
    "clickhouse_view_refreshes_failing",
    "Refreshable views of the node whose last refresh failed.",
    key="views.all_failing",
    unit=Unit.COUNT,
    history=True,
)


def probe(context: Context) -> Rows:
    return _remembered(context, without_values(context.rows(SQL, Row), "exception"))


def _remembered(context: Context, rows: list[Row]) -> list[Row]:
    """A restart leaves one that failed without exception and without success, until a refresh has ended."""
    before: dict[tuple[str, str], str] = context.memory.get("failing", {})
    known = [_as_before(row, before.get((row.database, row.view))) for row in rows]
    context.memory["failing"] = {(row.database, row.view): row.exception for row in known if row.failing}
    return sorted(known, key=lambda row: -row.failing)


def _as_before(row: Row, exception: str | None) -> Row:
    if row.failing or row.succeeded_at or exception is None:
        return row
    return replace(row, failing=1, exception=exception)


def samples(rows: Rows) -> Iterator[Sample]:
    yield Sample(VIEWS, (), len(rows))
    yield Sample(ALL_FAILING, (), sum(row.failing for row in rows))
    for row in rows:
        labels = (row.database, row.view)
        yield Sample(FAILING, labels, row.failing)
        if row.age_seconds is not None:
            yield Sample(AGE, labels, row.age_seconds)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [
        {
            "database": row.database,
            "view": row.view,
            "status": row.state,
            "is_failing": bool(row.failing),
            "last_success_at": iso(row.succeeded_at or None),
            "age_seconds": row.age_seconds,
            "next_refresh_at": iso(row.next_at or None),
            "retries": row.retries,
            "exception": row.exception,
        }
        for row in rows
    ]


PANEL = Panel(
    name=NAME,
    about="Refreshable views, and which of them do not refresh, from system.view_refreshes.",
    needs=("view_refreshes",),
    probe=probe,
    samples=samples,
    metrics=(FAILING, AGE, VIEWS, ALL_FAILING),
    tier=Tier.TWO,
    hidden_without_show=True,
    lasting_memory=True,
    payload=payload,
)
