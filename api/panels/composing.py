"""The data of a panel's answer, put together out of its rows and what history adds to them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.live.following import Watched
from clustersight.history import MOST_SERIES as MOST
from clustersight.history import ClusterName, History, HistoryUnavailable, Wanted, step_for
from clustersight.history.slope import hours_until_empty
from clustersight.logs import event
from clustersight.metrics import Metric, Rate
from clustersight.panels import disk, errors, merges, replication
from clustersight.times import iso

log = logging.getLogger("api")

# An answer that history is part of moves on although the panel has not run again.
HISTORY_SECONDS = 30.0
DAY_SECONDS = 86400
RANGES: Mapping[str, int] = {"1h": 3600, "6h": 6 * 3600, "24h": DAY_SECONDS, "7d": 7 * DAY_SECONDS}


@dataclass(frozen=True, slots=True)
class Composing:
    """The rows of all nodes, and the history to ask; `now` in epoch seconds."""

    watched: Watched
    rows: list[dict[str, Any]]
    now: float
    history: History

    @property
    def cluster(self) -> ClusterName:
        return ClusterName(self.watched.id, self.watched.name)


@dataclass(frozen=True, slots=True)
class Composed:
    """The data, what `meta` says beside, and for how many seconds it is good while the panel is the same."""

    data: Any
    meta: dict[str, Any] = field(default_factory=dict)
    seconds: float = math.inf


Compose = Callable[[Composing], Composed]


def plain(found: Composing) -> Composed:
    """The rows as they are."""
    return Composed(found.rows)


def largest(limit: int) -> Compose:
    """Of compression: so many tables, the largest of all nodes first."""

    def compose(found: Composing) -> Composed:
        rows = sorted(found.rows, key=lambda row: -row["uncompressed_bytes"])
        return Composed(rows[:limit])

    return compose


def with_full_in_hours(found: Composing) -> Composed:
    """Of disks: when each is full if it goes on filling as it did in the last day."""
    try:
        hours = _full_in_hours(found)
    except HistoryUnavailable as error:
        _tell(error)
        hours = {}
    rows = [row | {"full_in_hours": hours.get((row["host"], row["disk"]))} for row in found.rows]
    return Composed(rows, seconds=HISTORY_SECONDS)


def _full_in_hours(found: Composing) -> dict[tuple[str, str], float | None]:
    now = int(found.now)
    least = found.watched.collection.interval_sec
    step = step_for(DAY_SECONDS, least)
    wanted = Wanted(found.cluster, disk.FREE, now - DAY_SECONDS, now, step, limit=10_000, lowest=True)
    series = found.history.range(wanted).series
    return {(one.host, one.labels["disk"]): hours_until_empty(one.points) for one in series}


def _tell(error: HistoryUnavailable) -> None:
    event(log, logging.WARNING, "the history cannot be asked", error=error)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a time-series panel draws: of its metrics, each its share of the 50 series, the worst first."""

    metrics: tuple[Metric | Rate, ...]

    def compose(self, name: str | int, seconds: int) -> Compose:
        """For a range of `seconds`, which is called `name` in the answer."""

        def compose(found: Composing) -> Composed:
            start, end = int(found.now) - seconds, int(found.now)
            step = step_for(seconds, found.watched.collection.interval_sec)
            series, total = self._series(found, start, end, step)
            data = {
                "range": name,
                "from": iso(start),
                "to": iso(end),
                "step_sec": step,
                "series": series,
                "current": self._current(found, seconds),
            }
            return Composed(data, {"series_total": total}, min(HISTORY_SECONDS, step))

        return compose

    def _series(self, found: Composing, start: int, end: int, step: int) -> tuple[list[dict[str, Any]], int]:
        shown: list[dict[str, Any]] = []
        total = 0
        for metric in self.metrics:
            wanted = Wanted(found.cluster, metric, start, end, step, limit=MOST // len(self.metrics))
            answer = found.history.range(wanted)
            total += answer.total
            shown += [
                {"metric": metric.key, "labels": {"host": one.host, **one.labels}, "points": one.points}
                for one in answer.series
            ]
        return shown, total

    def _current(self, found: Composing, _seconds: int) -> Sequence[Mapping[str, Any]]:
        return found.rows


class DrawnErrors(Drawn):
    """Errors, whose rows say how many there were in the range."""

    def _current(self, found: Composing, _seconds: int) -> Sequence[Mapping[str, Any]]:
        counted = found.history.increase(found.cluster, [errors.ERRORS], _seconds, int(found.now))
        counts = {(one.host, one.labels["error"]): round(one.value) for one in counted}
        return [row | {"count_in_range": counts.get((row["host"], row["name"]))} for row in found.rows]


[ERRORS_PER_MINUTE] = [rate for rate in errors.RATES if rate.key == "errors.per_min"]
LAG = Drawn((replication.LAG,))
MERGES = Drawn((merges.ACTIVE, merges.LONGEST))
ERRORS = DrawnErrors((ERRORS_PER_MINUTE,))
