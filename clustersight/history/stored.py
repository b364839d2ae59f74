"""History from our own store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from clustersight.history import buckets
from clustersight.history.contract import Answer, ClusterName, Reading, SeriesPoints, Wanted
from clustersight.history.courses import Course
from clustersight.history.rates import Counters, Place, drawn, grouped
from clustersight.metrics import Metric, Rate
from clustersight.store import history, series, tiers
from clustersight.store.database import Connection, Database
from clustersight.store.history import Held
from clustersight.store.samples import HOLD_SECONDS
from clustersight.store.series import StoredSeries
from clustersight.store.tiers import Piece, Tier


class StoredHistory:
    """The contract `History` over the state database. Raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def range(self, wanted: Wanted) -> Answer:
        if not drawn(wanted.metric):
            return Answer([], 0)
        with self._database.read() as db:
            if isinstance(wanted.metric, Rate):
                return _rates(db, wanted, wanted.metric)
            return _gauges(db, wanted, wanted.metric)

    def increase(
        self, cluster: ClusterName, metrics: Sequence[Metric], seconds: int, until: int
    ) -> list[Reading]:
        end = until + 1  # what was seen at this very second is part of it
        start = end - seconds
        with self._database.read() as db:
            known = _series(db, cluster, metrics)
            spans = _spans(db, known, start - HOLD_SECONDS, end)
        values = ((one, Course(spans.get(one.id, ())).counted(start, end)) for one in known)
        return _readings((one, value) for one, value in values)

    def rise(
        self, cluster: ClusterName, metrics: Sequence[Metric], seconds: int, until: int
    ) -> list[Reading]:
        with self._database.read() as db:
            known = _series(db, cluster, metrics)
            now = _values_at(db, known, until)
            then = _values_then(db, cluster, known, until - seconds)
        both = ((one, now.get(one.id), then.get(one.id)) for one in known)
        return _readings(
            (one, None if value is None or base is None else max(0.0, value - base))
            for one, value, base in both
        )

    def median(self, cluster: ClusterName, metric: Metric, seconds: int, until: int) -> list[Reading]:
        with self._database.read() as db:
            known = _series(db, cluster, [metric])
            spans = _spans(db, known, until + 1 - seconds, until + 1)
        return _readings((one, buckets.median(spans.get(one.id, ()))) for one in known)

    def latest(self, cluster: ClusterName, metrics: Sequence[Metric], until: int) -> list[Reading]:
        with self._database.read() as db:
            known = _series(db, cluster, metrics)
            values = _values_at(db, known, until)
        return _readings((one, values.get(one.id)) for one in known)


def _series(db: Connection, cluster: ClusterName, metrics: Sequence[Metric]) -> list[StoredSeries]:
    return series.of_metrics(db, cluster.id, [metric.name for metric in metrics])


def _spans(db: Connection, known: Sequence[StoredSeries], start: int, end: int) -> dict[int, list[Held]]:
    pieces = tiers.pieces(tiers.tier_of(end - start), start, end, tiers.reaches(db))
    return history.held(db, [one.id for one in known], pieces)


def _values_at(db: Connection, known: Sequence[StoredSeries], at: int) -> dict[int, float]:
    """The value that held at a time, of the series that had one."""
    spans = history.held(db, [one.id for one in known], tiers.pieces(Tier.RAW, at, at + 1, tiers.reaches(db)))
    return {series_id: found[-1].last for series_id, found in spans.items()}


def _values_then(
    db: Connection, cluster: ClusterName, known: Sequence[StoredSeries], start: int
) -> dict[int, float]:
    """The value at the start, or where the history of its panel on that host begins after it.

    A series that was not there while others of its panel were is 0.
    """
    found: dict[int, float] = {}
    for panel in {one.panel for one in known}:
        since = history.known_since(db, series.of_panel(db, cluster.id, panel), start)
        for begin in set(since.values()):
            there = [one for one in known if one.panel == panel and since.get(one.host) == begin]
            found |= dict.fromkeys((one.id for one in there), 0.0) | _values_at(db, there, begin)
    return found


def _readings(values: Iterable[tuple[StoredSeries, float | None]]) -> list[Reading]:
    return [Reading(one.host, one.metric, one.labels, value) for one, value in values if value is not None]


def _pieces(db: Connection, wanted: Wanted, start: int) -> list[Piece]:
    tier = tiers.tier_of(wanted.end - wanted.start)
    return tiers.pieces(tier, start, wanted.end, tiers.reaches(db))


def _gauges(db: Connection, wanted: Wanted, metric: Metric) -> Answer:
    found = series.of_metrics(db, wanted.cluster.id, [metric.name], wanted.host, wanted.labels)
    pieces = _pieces(db, wanted, wanted.times.start)
    known = {one.id: one for one in found}
    total = None
    if len(known) > wanted.limit:
        extremes = history.extremes(db, list(known), _cheapest(db, wanted))
        total = len(extremes)
        worst = sorted(extremes, key=lambda i: extremes[i].low if wanted.lowest else -extremes[i].high)
        known = {series_id: known[series_id] for series_id in worst[: wanted.limit]}
    spans = history.held(db, list(known), pieces)
    points = [
        SeriesPoints(
            known[series_id].host,
            known[series_id].labels,
            buckets.points(held, wanted.times, lowest=wanted.lowest),
        )
        for series_id, held in spans.items()
    ]
    return buckets.answer(points, wanted, total)


def _cheapest(db: Connection, wanted: Wanted) -> list[Piece]:
    """The range from whole hours where there are any: all that finding the worst needs."""
    return tiers.pieces(Tier.HOURLY, wanted.times.start, wanted.end, tiers.reaches(db))


def _rates(db: Connection, wanted: Wanted, rate: Rate) -> Answer:
    found = series.of_metrics(db, wanted.cluster.id, rate.sources, wanted.host, wanted.labels)
    groups = grouped(rate, found)
    total = None
    if len(groups) > wanted.limit:
        total, groups = _busiest(db, wanted, groups)
    before = max(rate.window_seconds, wanted.step) + HOLD_SECONDS
    ids = [series_id for counters in groups.values() for series_id in counters.all_ids]
    spans = history.held(db, ids, _pieces(db, wanted, wanted.times.start - before))
    points = [
        SeriesPoints(
            host,
            dict(zip(rate.labels, values, strict=True)),
            counters.points(spans, wanted.times, wanted.end),
        )
        for (host, values), counters in groups.items()
    ]
    return buckets.answer(points, wanted, total)


def _busiest(
    db: Connection, wanted: Wanted, groups: Mapping[Place, Counters]
) -> tuple[int, dict[Place, Counters]]:
    """How many there are, and those whose counters are furthest from where they were."""
    ids = [series_id for counters in groups.values() for series_id in counters.all_ids]
    extremes = history.extremes(db, ids, _cheapest(db, wanted))
    moved = {
        place: sum(extremes[i].high - extremes[i].low for i in counters.all_ids if i in extremes)
        for place, counters in groups.items()
        if any(i in extremes for i in counters.all_ids)
    }
    worst = sorted(moved, key=lambda place: -moved[place])[: wanted.limit]
    return len(moved), {place: groups[place] for place in worst}
