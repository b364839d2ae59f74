"""What the health score asks of the past (health/windows.py), answered from the store's history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from clustersight.health import Change, Reading, Window, Windows
from clustersight.history import ClusterName, buckets
from clustersight.history.courses import Course, reset
from clustersight.history.stored import StoredHistory
from clustersight.metrics import Metric
from clustersight.store import history, series, tiers
from clustersight.store.database import Database
from clustersight.store.history import Held
from clustersight.store.tiers import Tier

# The median of a day hardly moves within this; reading it takes one row a visit.
MEDIAN_SECONDS = 300.0

Spans = Sequence[Held]


class ScoreWindows:
    """Answers all windows of a cluster; keeps those medians that hardly move."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Window], tuple[float, list[Change]]] = {}

    def read(self, database: Database, cluster_id: str, wanted: Iterable[Window], now: float) -> Windows:
        """`now` in epoch seconds. Raises StoreError."""
        return Windows({window: self._answer(database, cluster_id, window, now) for window in wanted})

    def _answer(self, database: Database, cluster_id: str, window: Window, now: float) -> list[Change]:
        if window.reading is not Reading.MEDIAN:
            return _changes(database, cluster_id, window, int(now))
        at, kept = self._kept.get((cluster_id, window), (float("-inf"), []))
        if not 0 <= now - at < MEDIAN_SECONDS:
            kept = _changes(database, cluster_id, window, int(now))
            self._kept[(cluster_id, window)] = (now, kept)
        return kept


def _changes(database: Database, cluster_id: str, window: Window, now: int) -> list[Change]:
    if window.reading is Reading.RISE:
        metric, cluster = Metric(window.family, ""), ClusterName(cluster_id, "")
        readings = StoredHistory(database).rise(cluster, [metric], window.seconds, now)
        return [Change(one.host, one.labels, one.value) for one in readings]
    start, end = now + 1 - window.seconds, now + 1  # what was seen at this very second is part of it
    with database.read() as db:
        known = series.of_metrics(db, cluster_id, [window.family], labels=dict(window.labels))
        pieces = tiers.pieces(Tier.RAW, start, end, tiers.reaches(db))
        spans = history.held(db, [one.id for one in known], pieces)
    read = _READ[window.reading]
    values = ((one, read(spans.get(one.id, ()), start, end)) for one in known)
    return [Change(one.host, one.labels, value) for one, value in values if value is not None]


def _increase(spans: Spans, start: int, end: int) -> float | None:
    return Course(spans).counted(start, end)


def _resets(spans: Spans, start: int, end: int) -> float | None:
    return Course(spans, reset).counted(start, end)


def _mean(spans: Spans, _start: int, _end: int) -> float | None:
    seconds = sum(span.end - span.start for span in spans)
    return sum(span.last * (span.end - span.start) for span in spans) / seconds if seconds else None


def _median(spans: Spans, _start: int, _end: int) -> float | None:
    return buckets.median(spans)


_READ: dict[Reading, Callable[[Spans, int, int], float | None]] = {
    Reading.INCREASE: _increase,
    Reading.RESETS: _resets,
    Reading.MEAN: _mean,
    Reading.MEDIAN: _median,
}
