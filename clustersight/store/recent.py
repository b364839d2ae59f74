"""The last minutes or hours of many series at once, for whoever asks for all of them every few seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, ScalarSelect, func, select

from clustersight.store import history
from clustersight.store.history import Held
from clustersight.store.samples import HOLD_SECONDS
from clustersight.store.schema import samples_hourly, samples_raw, series
from clustersight.store.tiers import HOUR_SECONDS, Tier, reaches

_Rows = list[tuple[int, int, float | None]]


class Peak(NamedTuple):
    """The highest value of a stretch of time that ended at `at`, in epoch seconds."""

    at: int
    value: float


def spans(
    db: Connection, cluster_id: str, metrics: Collection[str], start: int, end: int
) -> dict[int, list[Held]]:
    """What was held from `start`, or from the row before it, to before `end`, by series.

    A series without any row for HOLD_SECONDS before `end` is left out: nobody knows what became of it.
    """
    of_metrics = _of_metrics(cluster_id, metrics)
    columns = samples_raw.c
    at, value = (_before(column, start) for column in (columns.at, columns.value))
    before = select(series.c.id, at, value).where(*of_metrics)
    within = select(columns.series_id, columns.at, columns.value).join(
        series, series.c.id == columns.series_id
    )
    within = within.where(*of_metrics, columns.at >= start, columns.at < end)
    rows: _Rows = [(number, at, value) for number, at, value in db.execute(before) if at is not None]
    rows += [(number, at, value) for number, at, value in db.execute(within)]
    rows.sort(key=lambda row: row[:2])
    last = {number: at for number, at, _ in rows}
    held: dict[int, list[Held]] = defaultdict(list)
    history.add_spans((row for row in rows if last[row[0]] >= end - HOLD_SECONDS), 0, end, held)
    return held


def _of_metrics(cluster_id: str, metrics: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return series.c.cluster_id == cluster_id, series.c.metric.in_(metrics)


def _before(column: ColumnElement[Any], start: int) -> ScalarSelect[Any]:
    """A column of the row that held before a time, if there is one: a seek for each series."""
    at = samples_raw.c.at
    query = select(column).where(
        samples_raw.c.series_id == series.c.id, at < start, at > start - HOLD_SECONDS
    )
    return query.order_by(at.desc()).limit(1).scalar_subquery()


def peaks(
    db: Connection, cluster_id: str, metrics: Collection[str], start: int, end: int
) -> dict[int, list[Peak]]:
    """The highest values from `start` to before `end`: of each hour that is rolled up, else of each quarter.

    A series that lives has a row in each quarter, which is HOLD_SECONDS.
    """
    since = max(start, min(end, reaches(db)[Tier.HOURLY].done_until))
    hours, raw = samples_hourly.c, samples_raw.c
    rolled_up = select(hours.series_id, hours.at + HOUR_SECONDS, hours.max).where(
        hours.at >= start, hours.at < since
    )
    quarters = select(raw.series_id, func.max(raw.at), func.max(raw.value)).where(
        raw.at >= since, raw.at < end, raw.value.is_not(None)
    )
    quarters = quarters.group_by(raw.series_id, raw.at // HOLD_SECONDS)
    found: dict[int, list[Peak]] = defaultdict(list)
    for query, columns in ((rolled_up, hours), (quarters, raw)):
        of_metrics = query.join(series, series.c.id == columns.series_id)
        for number, at, value in db.execute(of_metrics.where(*_of_metrics(cluster_id, metrics))):
            found[number].append(Peak(min(at, end), value))
    return {number: sorted(some) for number, some in found.items()}
