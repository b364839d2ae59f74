"""The value that a computed rule key has now, for every series of a cluster, from our own store."""

from __future__ import annotations

from collections.abc import Iterator

from clustersight.history import derived
from clustersight.history.contract import ClusterName, Reading
from clustersight.history.rates import COUNTING, grouped
from clustersight.metrics import Rate
from clustersight.store import recent, series
from clustersight.store.database import Database


def rate_values(database: Database, cluster: ClusterName, rate: Rate, now: float) -> list[Reading]:
    """In the unit of the key, by host and the rate's labels; `now` in epoch seconds.

    No value before two samples, nor where the last one is older than readers hold on to it: 15 minutes.
    Raises StoreError, and ValueError for a key that is not computed from history (AGE_INTERVALS).
    """
    if rate.reading in COUNTING:
        return list(_counted(database, cluster, rate, int(now)))
    return derived.values(database, cluster, rate, int(now))


def _counted(database: Database, cluster: ClusterName, rate: Rate, now: int) -> Iterator[Reading]:
    end = now + 1  # what was seen at this very second is part of it
    start = end - rate.window_seconds
    with database.read() as db:
        known = series.of_metrics(db, cluster.id, rate.sources)
        spans = recent.spans(db, cluster.id, rate.sources, start, end)
    lively = (one for one in known if one.id in spans)
    for (host, labels), counters in grouped(rate, lively).items():
        value = counters.value(spans, start, end)
        if value is not None:
            yield Reading(host, rate.sources[0], dict(zip(rate.labels, labels, strict=True)), value)
