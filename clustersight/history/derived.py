"""Rule keys that count no events: what rose within a day, takes longer than usual, or fills up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clustersight import metrics
from clustersight.history import buckets
from clustersight.history.contract import ClusterName, Reading
from clustersight.history.slope import hours_until_empty
from clustersight.history.stored import StoredHistory
from clustersight.metrics import Metric, Rate
from clustersight.store import history, recent, series, tiers
from clustersight.store.database import Database
from clustersight.store.series import StoredSeries, labels_text
from clustersight.store.tiers import Tier

_FULL_PERCENT = 100.0
# A series by its host and labels.
_Place = tuple[str, str]


def values(database: Database, cluster: ClusterName, rate: Rate, now: int) -> list[Reading]:
    """The value of each series now, in epoch seconds. Raises StoreError; ValueError for AGE_INTERVALS."""
    if rate.reading is metrics.Reading.RISE:
        return StoredHistory(database).rise(cluster, [Metric(rate.sources[0], "")], rate.window_seconds, now)
    if rate.reading is metrics.Reading.TIMES_USUAL:
        return list(_times_usual(database, cluster, rate, now))
    if rate.reading is metrics.Reading.FULL_IN_HOURS:
        return list(_full_in_hours(database, cluster, rate, now))
    raise ValueError(f"{rate.key} is not computed from history")


def _times_usual(database: Database, cluster: ClusterName, rate: Rate, now: int) -> Iterator[Reading]:
    current = _current(database, cluster, rate, now)
    known = _series(database, cluster, rate, current)
    start, end = now + 1 - rate.window_seconds, now + 1
    with database.read() as db:
        pieces = tiers.pieces(Tier.RAW, start, end, tiers.reaches(db))
        spans = history.held(db, [one.id for one in known], pieces)
    for one in known:
        held = spans.get(one.id, ())
        usual = buckets.median(held)
        # Of less than a quarter of the window nobody can say what is usual.
        if usual and min(span.start for span in held) <= now - rate.window_seconds // 4:
            yield _reading(rate, one, current[one.host, one.labels_json] / usual)


def _full_in_hours(database: Database, cluster: ClusterName, rate: Rate, now: int) -> Iterator[Reading]:
    current = _current(database, cluster, rate, now)
    known = _series(database, cluster, rate, current)
    if not known:
        return
    with database.read() as db:
        peaks = recent.peaks(db, cluster.id, rate.sources[:1], now - rate.window_seconds, now)
    for one in known:
        left = [(at, _FULL_PERCENT - value) for at, value in peaks.get(one.id, ())]
        hours = hours_until_empty([*left, (now, _FULL_PERCENT - current[one.host, one.labels_json])])
        if hours is not None:
            yield _reading(rate, one, hours)


def _current(database: Database, cluster: ClusterName, rate: Rate, now: int) -> Mapping[_Place, float]:
    """The first source now, where it is high enough and the second one is there."""
    found = StoredHistory(database).latest(cluster, [Metric(name, "") for name in rate.sources], now)
    first, *second = rate.sources
    there = {one.host for one in found if one.metric in second}
    return {
        (one.host, labels_text(one.labels)): one.value
        for one in found
        if one.metric == first
        and one.value >= rate.at_least
        and dict(rate.where).items() <= one.labels.items()
        and (not second or one.host in there)
    }


def _series(
    database: Database, cluster: ClusterName, rate: Rate, current: Mapping[_Place, float]
) -> list[StoredSeries]:
    """Those of the first source that have a value now."""
    if not current:
        return []
    with database.read() as db:
        found = series.of_metrics(db, cluster.id, rate.sources[:1])
    return [one for one in found if (one.host, one.labels_json) in current]


def _reading(rate: Rate, one: StoredSeries, value: float) -> Reading:
    labels = one.labels
    return Reading(one.host, one.metric, {name: labels[name] for name in rate.labels}, value)
